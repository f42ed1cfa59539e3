// Owns the list of checks, and the order in which their findings are told.
import type { Severity } from "../model/diagnostic.ts";
import type { HostPicture } from "../model/picture.ts";
import { addresses } from "./checks/addresses.ts";
import { bridges } from "./checks/bridges.ts";
import { carrier } from "./checks/carrier.ts";
import { defaults } from "./checks/defaults.ts";
import { egressFallback } from "./checks/egress-fallback.ts";
import { firewalls } from "./checks/firewalls.ts";
import { forwarding } from "./checks/forwarding.ts";
import { gateways } from "./checks/gateways.ts";
import { idleRules } from "./checks/idle-rules.ts";
import { kernel } from "./checks/kernel.ts";
import { marks } from "./checks/marks.ts";
import { mtu } from "./checks/mtu.ts";
import { networkd } from "./checks/networkd.ts";
import { sameSubnet } from "./checks/same-subnet.ts";
import { shadowedRules } from "./checks/shadowed-rules.ts";
import { strictRpFilter } from "./checks/strict-rp-filter.ts";
import { rdmaPorts } from "./checks/rdma-ports.ts";
import { CODES } from "./finding.ts";
import type { Check, Finding } from "./finding.ts";

/** Every check there is. */
export const CHECKS: readonly Check[] = [
  sameSubnet,
  strictRpFilter,
  shadowedRules,
  idleRules,
  addresses,
  carrier,
  networkd,
  firewalls,
  forwarding,
  mtu,
  kernel,
  egressFallback,
  marks,
  defaults,
  gateways,
  rdmaPorts,
  bridges,
];

const WEIGHT: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** All findings about a host: the gravest first, then in the order of the codes. */
export function examine(picture: HostPicture): Finding[] {
  return CHECKS.flatMap((check) => check.find(picture)).sort(
    (a, b) => WEIGHT[a.severity] - WEIGHT[b.severity] || CODES.indexOf(a.code) - CODES.indexOf(b.code),
  );
}
