// Owns the check of packet sizes: IPoIB links that disagree, and routes that promise more than their link can carry.
//
// Sources: RFC 4391 (an IPoIB packet is the InfiniBand payload less a header of 4 bytes: 2044 for the common 2048,
// 4092 for 4096); RFC 4755 and IPOIB_CM_MTU (drivers/infiniband/ulp/ipoib/ipoib.h): 65520 in connected mode; Omni-Path
// has payloads of 8192 and 10240 bytes.
import { networkOf } from "../../model/ip.ts";
import type { HostPicture, PictureLink, PictureRoute } from "../../model/picture.ts";
import { someLines } from "../finding.ts";
import type { Check, Finding } from "../finding.ts";
import { sayRoute } from "../../explain/words.ts";
import { sayList } from "../words.ts";

const IPOIB_HEADER = 4;
const PAYLOADS = [256, 512, 1024, 2048, 4096, 8192, 10240];
const DATAGRAM_MTUS = PAYLOADS.map((payload) => payload - IPOIB_HEADER);
const USUAL_MTU = 2044;
const CONNECTED_MTU = 65520;

export const mtu: Check = {
  codes: ["ipoib-mtu-differs", "ipoib-mtu-odd", "child-mtu", "route-mtu"],
  find(picture) {
    const ipoib = picture.links.filter(({ type, up }) => type === "infiniband" && up);
    return [
      ...differing(ipoib),
      ...ipoib.flatMap(odd),
      ...ipoib.flatMap((link) => child(picture, link)),
      ...tooLargeRoutes(picture),
      ...unequalLocks(picture),
    ];
  },
};

/** IPoIB links of one subnet with different sizes. */
function differing(links: readonly PictureLink[]): Finding[] {
  const bySubnet = new Map<string, Set<PictureLink>>();
  for (const link of links) {
    for (const { scope, address } of link.addresses) {
      if (scope !== "global") continue;
      const subnet = networkOf(address);
      bySubnet.set(subnet, (bySubnet.get(subnet) ?? new Set()).add(link));
    }
  }
  const groups = new Map<string, { subnets: string[]; members: PictureLink[] }>();
  for (const [subnet, members] of bySubnet) {
    if (new Set([...members].map(({ mtu }) => mtu)).size < 2) continue;
    const key = [...members].map(({ name }) => name).join(" ");
    const group = groups.get(key) ?? { subnets: [], members: [...members] };
    groups.set(key, group);
    group.subnets.push(subnet);
  }
  return [...groups.values()].map(({ subnets, members }): Finding => {
    const least = Math.min(...members.map(({ mtu }) => mtu));
    return {
      code: "ipoib-mtu-differs",
      severity: "warning",
      summary: `${sayList(members.map(({ name }) => name))} are in one subnet, ${sayList(subnets)}, with different MTUs`,
      found: members.map(sayMtu),
      consequence:
        "The size that a connection agrees on is that of the link it began on: when its packets take another one, the large ones are " +
        "lost or slow, while ping works.",
      remedy: {
        text: "Give all links of the subnet, on every host, the same mode and MTU.",
        commands: members.filter(({ mtu }) => mtu > least).map(({ name }) => `ip link set ${name} mtu ${least}`),
      },
    };
  });
}

/** A size that is none of the mode's: mostly an Ethernet's. */
function odd(link: PictureLink): Finding[] {
  const { name, mtu: size, ipoibMode } = link;
  if (ipoibMode === undefined) return [];
  const wrong = ipoibMode === "connected" ? size !== CONNECTED_MTU : !DATAGRAM_MTUS.includes(size);
  if (!wrong) return [];
  const fitting = DATAGRAM_MTUS.findLast((one) => one <= Math.max(size, USUAL_MTU)) ?? USUAL_MTU;
  const better = ipoibMode === "connected" ? CONNECTED_MTU : fitting;
  return [
    {
      code: "ipoib-mtu-odd",
      severity: "note",
      summary: `${name} has an MTU that its mode, ${ipoibMode}, has no use for: ${size}`,
      found: [sayMtu(link)],
      consequence:
        ipoibMode === "connected"
          ? "Connected mode is for packets of 65520 bytes: smaller ones cost as much each, and a host with the full size in the same subnet sends more than this one takes."
          : "A packet of datagram mode fills one InfiniBand packet less 4 bytes, 2044 or 4092: this size wastes room, or differs from the other hosts'.",
      remedy: {
        text: "Use the size of the partition on all hosts of the subnet.",
        commands: [`ip link set ${name} mtu ${better}`],
      },
    },
  ];
}

/** A P_Key child that promises more than its parent carries. */
function child(picture: HostPicture, link: PictureLink): Finding[] {
  const parent = picture.links.find(({ name }) => name === link.parent);
  if (!parent || parent.type !== "infiniband" || link.mtu <= parent.mtu) return [];
  return [
    {
      code: "child-mtu",
      severity: "warning",
      summary: `${link.name} has a larger MTU than ${parent.name}, which it is a child of`,
      found: [sayMtu(link), sayMtu(parent)],
      consequence:
        "Packets between the two sizes are refused by the parent and lost, or the child never gets its size.",
      remedy: {
        text: "Raise the parent's MTU, or lower the child's.",
        commands: [`ip link set ${link.name} mtu ${parent.mtu}`],
      },
    },
  ];
}

function tooLargeRoutes(picture: HostPicture): Finding[] {
  const sizes = new Map(picture.links.map(({ name, mtu }) => [name, mtu]));
  const large = picture.routes.flatMap((route) =>
    route.hops.flatMap(({ link }) => {
      const size = sizes.get(link ?? "");
      const stated = route.metrics?.mtu;
      return link !== undefined && size !== undefined && stated !== undefined && stated > size
        ? [{ route, link, size }]
        : [];
    }),
  );
  return [...Map.groupBy(large, ({ link }) => link)].map(([link, routes]): Finding => ({
    code: "route-mtu",
    severity: "warning",
    summary: `${routes.length === 1 ? "a route promises" : `${routes.length} routes promise`} packets that are larger than ${link} carries`,
    found: [...someLines(routes.map(({ route }) => sayRoute(route))), `${link}: mtu ${routes[0]?.size ?? 0}`],
    consequence:
      "The kernel makes packets of the route's size, and the link drops them: small packets pass, large ones never do.",
    remedy: { text: `Leave the route's mtu out, or set it to at most ${routes[0]?.size ?? 0}.` },
  }));
}

/** Routes to one gateway that lock different sizes: the path is the same one. */
function unequalLocks(picture: HostPicture): Finding[] {
  const locked = picture.routes.flatMap((route) => {
    const [hop] = route.hops;
    return route.hops.length === 1 && hop?.via !== undefined && route.metrics?.lock?.includes("mtu")
      ? [{ route, gateway: `${hop.via} dev ${hop.link ?? "?"}`, mtu: route.metrics.mtu }]
      : [];
  });
  return [...Map.groupBy(locked, ({ gateway }) => gateway)]
    .filter(([, routes]) => new Set(routes.map(({ mtu }) => mtu)).size > 1)
    .map(([gateway, routes]): Finding => ({
      code: "route-mtu",
      severity: "note",
      summary: `routes through one gateway, ${gateway}, lock different MTUs`,
      found: someLines(routes.map(({ route }: { route: PictureRoute }) => sayRoute(route))),
      consequence:
        "A locked size is not corrected when a packet turns out too large: the larger one may be wrong for ever.",
      remedy: { text: "Lock the same size for all of them, or none." },
    }));
}

function sayMtu({ name, mtu: size, ipoibMode }: PictureLink): string {
  return `${name}: mtu ${size}${ipoibMode === undefined ? "" : `, ${ipoibMode} mode`}`;
}
