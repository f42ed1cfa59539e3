// Owns the two ways between a table's spec and the JSON of nft: a listing read, a transaction written.
import { NFT_TAG_CHAIN } from "../../model/nft.ts";
import type { NftFields, NftObject, NftTableSpec } from "../../model/nft.ts";
import { nftTableRules } from "../../plan/kinds/nft-table.ts";
import { nftEntry, normalizeObjects } from "../../plan/kinds/nft-normal.ts";
import type { TableRow } from "./tables.ts";

/** One command of a transaction: `{ add: { chain: {…} } }`. */
export type Command = Readonly<Record<string, NftFields>>;

/** A listed table, with the number that pins it. */
export interface Listed {
  spec: NftTableSpec;
  handle: number;
}

/** What nft is fed: the commands of one transaction. */
export function transaction(commands: readonly Command[]): string {
  return JSON.stringify({ nftables: commands });
}

/** The command that lists one table. */
export function listCommand({ family, name }: Pick<TableRow, "family" | "name">): Command {
  return { list: { table: { family, name } } };
}

/** Takes exactly this table away: nft 1.0.6 heeds the handle only where there is no name. */
export function deleteCommand({ family, handle }: Pick<TableRow, "family" | "handle">): Command {
  return { delete: { table: { family, handle } } };
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

/** Reads a listing of one table. Throws TypeError when nft said something that is none. */
export function readListing(text: string, { family, name }: TableRow): Listed {
  const listing = JSON.parse(text) as { nftables?: NftObject[] };
  if (!Array.isArray(listing.nftables)) throw new TypeError("nft's JSON has no list of objects");
  let handle = 0;
  let owner: NftTableSpec["owner"] = "foreign";
  const objects: NftObject[] = [];
  for (const object of listing.nftables) {
    const [kind, fields] = nftEntry(object);
    if (kind === "metainfo") continue;
    if (kind === "table") handle = Number(fields["handle"]);
    else if (kind === "chain" && fields["name"] === NFT_TAG_CHAIN) owner = "heddle";
    else objects.push(object);
  }
  return { spec: nftTableRules.normalize({ family, name, owner, objects }), handle };
}
