// Owns the rules of the kind "neighbour": stated entries of the neighbour tables, and addresses that the host answers
// for in somebody else's place.
import type { NeighbourSpec } from "../../model/kinds.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const neighbourRules: KindRules<"neighbour"> = {
  // Proxy entries live in a table of their own (neigh_table.phash_buckets), so an address may be in both.
  identify: (spec) => `neighbour ${spec.link ?? "*"} ${spec.address}${spec.proxy ? " proxy" : ""}`,
  normalize: normalizeNeighbour,
  // Entries may be made while the link is down, and stay when it comes up; going down takes all of them along.
  needs: (spec) => (spec.link === undefined ? [] : [{ link: spec.link, up: false }]),
  merge: (a, b) => (canonicalText(a) === canonicalText(b) ? a : undefined),
  describe: describeNeighbour,
  rank: () => 0,
  compare: (spec) => canonicalText(spec, ["protocol"]),
};

function normalizeNeighbour(spec: NeighbourSpec): NeighbourSpec {
  const { family, link, address, proxy, hardwareAddress, state, router, protocol } = spec;
  return {
    family,
    ...(link === undefined ? {} : { link }),
    address,
    ...(proxy
      ? { proxy }
      : { ...(hardwareAddress === undefined ? {} : { hardwareAddress }), state: state ?? "permanent" }),
    ...(router && family === 6 ? { router } : {}),
    protocol,
  };
}

function describeNeighbour(spec: NeighbourSpec): string {
  const words = [...(spec.proxy ? ["proxy"] : []), spec.address];
  if (spec.hardwareAddress !== undefined) words.push(`lladdr ${spec.hardwareAddress}`);
  if (spec.link !== undefined) words.push(`dev ${spec.link}`);
  if (spec.router) words.push("router");
  if (spec.state !== undefined) words.push(`nud ${spec.state}`);
  return words.join(" ");
}
