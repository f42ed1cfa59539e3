// Owns the groups of a section, counted out, with their MGIDs.
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { makeMgid } from "../../rdma/bridge/mgid.ts";
import type { MgidFormat } from "../../rdma/bridge/mgid.ts";
import type { BridgeSection, GroupLine } from "./schema.ts";

/** The partition that every port is in. */
export const DEFAULT_PKEY = 0xffff;
/** Scope of MGIDs that are made: that of a fabric's broadcast group as subnet managers make it, link-local. */
const SCOPE = 2;

/** One group of a section. */
export interface ListedGroup {
  /** Which line of `multicast` it is of. */
  line: number;
  /** IP address in its canonical form. */
  name: string;
  /** 4 or 16 bytes. */
  address: Uint8Array;
  mgid: Uint8Array;
  from: GroupLine;
}

/** What is wrong with a line. */
export type LineFault = "no-multicast" | "port-missing" | "port-ipv6" | "port-unused" | "mgid-count" | "mgid-prefix";

/** Every group, or what is wrong with a line. A count that leaves the addresses of groups ends there. */
export function listGroups(section: BridgeSection): {
  groups: ListedGroup[];
  faults: { line: number; fault: LineFault }[];
} {
  const groups: ListedGroup[] = [];
  const faults: { line: number; fault: LineFault }[] = [];
  for (const [line, from] of (section.multicast ?? []).entries()) {
    const fault = faultOf(from);
    if (fault !== undefined) {
      faults.push({ line, fault });
      continue;
    }
    let address = parseAddress(from.group) as Uint8Array;
    for (let i = 0; i < (from.count ?? 1); i++) {
      if (i > 0) address = next(address);
      if (!isGroup(address)) {
        faults.push({ line, fault: "no-multicast" });
        break;
      }
      const mgid = mgidOf(address, from, section.p_key ?? DEFAULT_PKEY);
      groups.push({ line, name: formatAddress(address), address, mgid, from });
    }
  }
  return { groups, faults };
}

function faultOf({ group, count = 1, mgid = "rdma-cm", port }: GroupLine): LineFault | undefined {
  const address = parseAddress(group) as Uint8Array;
  if (!isGroup(address)) return "no-multicast";
  if (mgid === "port") {
    if (port === undefined) return "port-missing";
    return address.length === 16 ? "port-ipv6" : undefined;
  }
  if (port !== undefined) return "port-unused";
  if (isFormat(mgid)) return undefined;
  if (parseAddress(mgid)?.[0] !== 0xff) return "mgid-prefix";
  return count > 1 ? "mgid-count" : undefined;
}

function mgidOf(group: Uint8Array, { mgid = "rdma-cm", port }: GroupLine, pKey: number): Uint8Array {
  if (!isFormat(mgid)) return parseAddress(mgid) as Uint8Array;
  return makeMgid({ format: mgid, group, pKey, scope: SCOPE, ...(port === undefined ? {} : { port }) });
}

function isFormat(mgid: string): mgid is MgidFormat {
  return mgid === "rdma-cm" || mgid === "ipoib" || mgid === "port";
}

function isGroup(address: Uint8Array): boolean {
  return address.length === 16 ? address[0] === 0xff : ((address[0] as number) & 0xf0) === 0xe0;
}

/** The address after this one. */
function next(address: Uint8Array): Uint8Array {
  const after = address.slice();
  for (let i = after.length - 1; i >= 0; i--) {
    after[i] = (after[i] as number) + 1;
    if (after[i] !== 0) break;
  }
  return after;
}
