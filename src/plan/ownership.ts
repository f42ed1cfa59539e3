// Owns the question whose an object is. Everything that heddle changes or deletes passes through here.
import { HEDDLE_PROTOCOL } from "../model/kinds.ts";
import { NFT_PREFIX } from "../model/nft.ts";
import type { Observed } from "../model/objects.ts";
import type { Ledger } from "../model/plan.ts";

/**
 * Whether heddle made the object: by the protocol number that it carries, by name and tag for nftables tables, by the
 * ledger for sysctls. Addresses carry a number as well, but kernels before 5.18 forget it, so the ledger knows them too.
 */
export function isOurs(observed: Observed, ledger: Ledger): boolean {
  switch (observed.kind) {
    case "route":
    case "rule":
    case "nexthop":
    case "neighbour":
      return observed.spec.protocol === HEDDLE_PROTOCOL;
    case "nftTable":
      return observed.spec.owner === "heddle" && observed.spec.name.startsWith(NFT_PREFIX);
    // Found by their pins, which nobody else has.
    case "cgroupProgram":
    case "tcProgram":
      return true;
    case "sysctl":
      return observed.spec.path in ledger.sysctls;
    case "address":
      return (
        observed.spec.protocol === HEDDLE_PROTOCOL ||
        (observed.spec.protocol === undefined && observed.key in ledger.addresses)
      );
  }
}
