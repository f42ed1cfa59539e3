// Owns the two ways between a table's spec and the JSON of nft: a listing read, a transaction written.
import { NFT_TAG_CHAIN } from "../../model/nft.ts";
import type { NftFields, NftObject, NftTableSpec } from "../../model/nft.ts";
import { nftTableRules } from "../../plan/kinds/nft-table.ts";
import { filledByRules, nftEntry, normalizeObjects } from "../../plan/kinds/nft-normal.ts";
import type { TableRow } from "./tables.ts";

/** One command of a transaction: `{ add: { chain: {…} } }`. */
export type Command = Readonly<Record<string, NftFields>>;

/** What nft is fed: the commands of one transaction. */
export function transaction(commands: readonly Command[]): string {
  return JSON.stringify({ nftables: commands });
}

/** The command that lists one table. */
export function listCommand({ family, name }: Pick<TableRow, "family" | "name">): Command {
  return { list: { table: { family, name } } };
}

/**
 * Takes a table of ours away: the tag first, so that the kernel refuses the whole transaction (ENOENT) when the table is
 * gone or has become somebody else's. By name, because nft 1.0.6 goes on judging what follows by the old table when one
 * is deleted by its handle: sets in a swap then lose the flags that their rules imply.
 */
export function deleteCommands({ family, name }: Pick<TableRow, "family" | "name">): Command[] {
  return [{ delete: { chain: { family, table: name, name: NFT_TAG_CHAIN } } }, { delete: { table: { family, name } } }];
}

/** Makes a table that must not be there, tags it and fills it, everything before what refers to it. */
export function createCommands(spec: NftTableSpec): Command[] {
  const { family, name } = spec;
  const tag: NftObject[] = spec.owner === "heddle" ? [{ chain: { name: NFT_TAG_CHAIN } }] : [];
  const fill = [...tag, ...normalizeObjects(spec.objects)].map((object): Command => {
    const [kind, fields] = nftEntry(object);
    return { add: { [kind]: { family, table: name, ...fields } } };
  });
  return [{ create: { table: { family, name } } }, ...fill];
}

/** Whether a listing has sets that not rules alone fill: their elements are what somebody asked for. */
export function hasOtherSets(text: string): boolean {
  const objects = objectsOf(text);
  const filled = filledByRules(objects);
  return objects.some((object) => {
    const [kind, { name }] = nftEntry(object);
    return (kind === "set" || kind === "map") && !(typeof name === "string" && filled.has(name));
  });
}

/** Reads a listing of one table. Throws TypeError when nft said something that is none. */
export function readListing(text: string, { family, name }: Pick<TableRow, "family" | "name">): NftTableSpec {
  let owner: NftTableSpec["owner"] = "foreign";
  const objects: NftObject[] = [];
  for (const object of objectsOf(text)) {
    const [kind, fields] = nftEntry(object);
    if (kind === "metainfo" || kind === "table") continue;
    if (kind === "chain" && fields["name"] === NFT_TAG_CHAIN) owner = "heddle";
    else objects.push(object);
  }
  return nftTableRules.normalize({ family, name, owner, objects });
}

function objectsOf(text: string): NftObject[] {
  const { nftables } = JSON.parse(text) as { nftables?: NftObject[] };
  if (!Array.isArray(nftables)) throw new TypeError("nft's JSON has no list of objects");
  return nftables;
}
