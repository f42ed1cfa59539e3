// Owns nftables in the model of a host: tables as data, and as much of the kernel's checks as plans depend on.
import { constants } from "node:os";
import { NFT_FAMILIES, NFT_PREFIX } from "../../model/nft.ts";
import type { NftObject, NftTableSpec } from "../../model/nft.ts";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { nftTableRules } from "../../plan/kinds/nft-table.ts";
import { nftEntry } from "../../plan/kinds/nft-normal.ts";
import { HostError } from "../error.ts";

const { EEXIST, EINVAL, ENOENT } = constants.errno;

/** Does one step on the tables, whole or not at all; gives what was made of it. Throws HostError. */
export function performOnTables(tables: NftTableSpec[], step: Step): Observed | undefined {
  const object = step.action === "delete" ? step.before : step.after;
  if (object.kind !== "nftTable") throw new Error("not an nft table");
  const { spec, key } = object;
  const at = tables.findIndex((table) => nftTableRules.identify(table) === key);
  const ours = tables[at]?.owner === "heddle";
  if (step.action === "delete") {
    if (ours) tables.splice(at, 1);
    return undefined;
  }
  if (step.action === "create" && at >= 0) throw new HostError({ errno: EEXIST, object: key });
  if (step.action === "replace" && !ours) throw new HostError({ errno: ENOENT, object: key });
  checkTable(spec);
  const made = { ...spec, objects: inOtherWords(spec.objects) };
  if (at >= 0) tables[at] = made;
  else tables.push(made);
  return { kind: "nftTable", spec: structuredClone(made), key };
}

/** A copy in which the user "root" is the number that the kernel knows him by: one way of many to say it otherwise. */
function inOtherWords(objects: readonly NftObject[]): NftObject[] {
  return JSON.parse(JSON.stringify(objects), (_key, value: unknown) => (value === "root" ? 0 : value)) as NftObject[];
}

/** A rule needs its chain, and a name is not given twice (nf_tables_newrule, nf_tables_newchain). */
function checkTable(spec: NftTableSpec): void {
  const object = nftTableRules.identify(spec);
  if (!NFT_FAMILIES.includes(spec.family) || !spec.name.startsWith(NFT_PREFIX)) {
    throw new HostError({ errno: EINVAL, object });
  }
  const chains = new Set<unknown>();
  for (const [kind, fields] of spec.objects.map(nftEntry)) {
    if (kind === "chain") chains.add(fields["name"]);
  }
  for (const [kind, fields] of spec.objects.map(nftEntry)) {
    if (kind !== "rule" || chains.has(fields["chain"])) continue;
    const kernelMessage = `No such file or directory, in ${JSON.stringify({ rule: fields })}`;
    throw new HostError({ errno: ENOENT, object, kernelMessage });
  }
}
