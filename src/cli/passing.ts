// Owns what explain is told of the gateways and bridges that the file makes of this host.
import type { Config } from "../config/config.ts";
import type { PassingBridge } from "../explain/bridges.ts";
import type { PassingGateway } from "../explain/gateways.ts";
import { formatAddress } from "../model/ip.ts";
import { listGroups } from "../roles/bridge/groups.ts";
import type { BridgeSection } from "../roles/bridge/schema.ts";
import type { Gateway } from "../roles/gateway/schema.ts";
import { sharesOf } from "../roles/gateway/shares.ts";

/** The sections of `gateway`, as far as a packet's way depends on them. */
export function gatewaysOf({ sections }: Config): PassingGateway[] {
  return sections.flatMap((section): PassingGateway[] => {
    if (section.role !== "gateway") return [];
    const gateway = section.value as Gateway;
    const { inside, outside, nat, from, failover } = gateway;
    const own = from ? { from } : {};
    const translated = sharesOf(gateway).map((share) => ({
      to: share.to.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(", "),
      ...(share.from ? { from: share.from } : {}),
    }));
    const whole = nat === "masquerade" ? { to: `the address of ${outside}`, ...own } : own;
    const shares = translated.length > 0 ? translated : [whole];
    return [{ name: section.name, inside, outside, shares, failover: failover !== undefined }];
  });
}

/** The sections of `bridge`, as far as packets to groups depend on them. */
export function bridgesOf({ sections }: Config): PassingBridge[] {
  return sections.flatMap((section): PassingBridge[] => {
    if (section.role !== "bridge") return [];
    const bridge = section.value as BridgeSection;
    const groups = listGroups(bridge).groups.map(
      ({ name, mgid, from }) =>
        [name, { mgid: formatAddress(mgid), toInfiniband: from.way !== "to-ethernet" }] as const,
    );
    return [{ name: section.name, link: bridge.ethernet.link, groups: new Map(groups) }];
  });
}
