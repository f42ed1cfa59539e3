// Owns random messages: everything that the codec can say, whether or not a kernel would take it.
import fc from "fast-check";
import { formatAddress } from "../../../model/ip.ts";
import type { RouteMetrics, RouteType, RuleAction } from "../../../model/kinds.ts";
import type { AddressMessage } from "../address.ts";
import type { HopMessage } from "../hops.ts";
import type { LinkMessage } from "../link.ts";
import type { NeighbourMessage } from "../neighbour.ts";
import type { NexthopMessage } from "../nexthop.ts";
import type { UnknownAttribute } from "../packet.ts";
import type { RouteMessage } from "../route.ts";
import type { RuleMessage } from "../rule.ts";
import { formatHex } from "../text.ts";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 300 }));
const s32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const nonZero = fc.integer({ min: 1, max: 0xfffffffe });
const yes = fc.constant(true as const);
const bytes = fc.uint8Array({ maxLength: 40 });
const words = fc.string({ unit: "grapheme", maxLength: 15 }).filter((text) => !text.includes("\0"));
const hex = fc.uint8Array({ minLength: 1, maxLength: 32 }).map((array) => formatHex(array, 0, array.length));
const range16 = fc.record({ first: u16, last: u16 });
const range32 = fc.record({ first: u32, last: u32 });

/** Addresses, with many zero groups, because their text depends on them. */
export function address(family: 4 | 6): fc.Arbitrary<string> {
  const length = family === 4 ? 4 : 16;
  return fc.array(fc.oneof(u8, fc.constant(0)), { minLength: length, maxLength: length }).map((array) => {
    return formatAddress(Uint8Array.from(array));
  });
}

function prefix(family: 4 | 6, least = 1): fc.Arbitrary<string> {
  const length = fc.integer({ min: least, max: family === 4 ? 32 : 128 });
  return fc.tuple(address(family), length).map(([text, bits]) => `${text}/${bits}`);
}

const anyPrefix = (family: 4 | 6) =>
  fc.oneof({ weight: 4, arbitrary: prefix(family) }, fc.constant(family === 4 ? "0.0.0.0/0" : "::/0"));

/** Attributes of types that no kernel has, with either flag bit. */
const unknown: fc.Arbitrary<UnknownAttribute[]> = fc.array(
  fc.record({ type: fc.integer({ min: 200, max: 0xffff }).filter((type) => (type & 0x3fff) >= 200), bytes }),
  { minLength: 1, maxLength: 3 },
);

const METRICS = [
  "mtu",
  "window",
  "rtt",
  "rttvar",
  "ssthresh",
  "cwnd",
  "advmss",
  "reordering",
  "hoplimit",
  "initcwnd",
  "features",
  "rto_min",
  "initrwnd",
  "quickack",
  "fastopen_no_cookie",
] as const;

const numericMetrics: Record<string, fc.Arbitrary<number>> = Object.fromEntries(METRICS.map((name) => [name, u32]));
const lock = fc.subarray(["mtu", "window", "rtt", "hoplimit", "fastopen_no_cookie", "18", "31"]);
const metrics = fc.record(
  { ...numericMetrics, congctl: words, lock },
  { requiredKeys: [] },
) as fc.Arbitrary<RouteMetrics>;

const types: readonly (RouteType | number)[] = ["unicast", "local", "blackhole", "throw", "xresolve", 0, 12, 255];
const actions: readonly (RuleAction | number)[] = ["table", "goto", "nop", "blackhole", "prohibit", 0, 4, 9, 255];

const gateway = (family: 4 | 6) => fc.oneof(address(family), address(family === 4 ? 6 : 4));

const hop = (family: 4 | 6): fc.Arbitrary<HopMessage> =>
  fc.record(
    {
      oif: s32,
      weight: fc.integer({ min: 1, max: 256 }),
      flags: u8.map((flags) => flags & ~4),
      gateway: gateway(family),
      onlink: yes,
      realms: u32,
      encapType: u16,
      encap: bytes,
      unknown,
    },
    { requiredKeys: ["oif", "weight", "flags"] },
  );

const cacheInfo = fc.record({
  references: u32,
  lastUse: u32,
  expires: s32,
  error: fc.integer({ min: 0, max: 4095 }),
  used: u32,
  id: u32,
  timestamp: u32,
  timestampAge: u32,
});

/** Any route. */
export const route: fc.Arbitrary<RouteMessage> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc
    .record(
      {
        family: fc.constant(family),
        table: u32,
        to: anyPrefix(family),
        tos: u8,
        protocol: u8,
        scope: u8,
        type: fc.constantFrom(...types),
        flags: u32.map((flags) => (flags & ~4) >>> 0),
        from: prefix(family),
        onlink: yes,
        priority: u32,
        source: address(family),
        oif: u32,
        iif: u32,
        gateway: gateway(family),
        hops: fc.array(hop(family), { maxLength: 4 }),
        metrics,
        nexthop: u32,
        preference: u8,
        expires: u32,
        mark: u32,
        realms: u32,
        encapType: u16,
        encap: bytes,
        ttlPropagate: fc.boolean(),
        uid: u32,
        ipProtocol: u8,
        sport: u16,
        dport: u16,
        flowLabel: u32,
        cacheInfo,
        unknownMetrics: unknown,
        unknown,
      },
      { requiredKeys: ["family", "table", "to", "tos", "protocol", "scope", "type", "flags"] },
    )
    .map((message) => {
      if (message.metrics === undefined) delete message.unknownMetrics;
      return message;
    }),
);

/** Any rule. */
export const rule: fc.Arbitrary<RuleMessage> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.record(
    {
      family: fc.constant(family),
      action: fc.constantFrom(...actions),
      flags: u32.map((flags) => (flags & ~2) >>> 0),
      not: yes,
      priority: u32,
      table: nonZero,
      goto: u32,
      from: prefix(family),
      to: prefix(family),
      tos: fc.integer({ min: 1, max: 255 }),
      dscp: u8,
      dscpMask: u8,
      iif: words,
      oif: words,
      mark: u32,
      mask: u32,
      uids: range32,
      ipProtocol: u8,
      sourcePorts: range16,
      destinationPorts: range16,
      sourcePortMask: u16,
      destinationPortMask: u16,
      flowLabel: u32,
      flowLabelMask: u32,
      tunnelId: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
      l3mdev: yes,
      suppressPrefixLength: fc.integer({ min: 0, max: 128 }),
      suppressGroup: nonZero,
      protocol: u8,
      realms: u32,
      unknown,
    },
    { requiredKeys: ["family", "action", "flags"] },
  ),
);

/** Any address of a link. */
export const linkAddress: fc.Arbitrary<AddressMessage> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc
    .record(
      {
        family: fc.constant(family),
        index: u32,
        address: address(family),
        prefixLength: u8,
        scope: u8,
        flags: u32,
        peer: address(family),
        broadcast: address(family),
        label: words,
        validLifetime: nonZero,
        preferredLifetime: nonZero,
        created: nonZero,
        updated: nonZero,
        protocol: u8,
        metric: u32,
        unknown,
      },
      { requiredKeys: ["family", "index", "address", "prefixLength", "scope", "flags"] },
    )
    .map((message) => {
      if (message.peer === message.address) delete message.peer;
      return message;
    }),
);

/** Any neighbour or proxy neighbour. */
export const neighbour: fc.Arbitrary<NeighbourMessage> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.record(
    {
      family: fc.constant(family),
      index: s32,
      state: u16,
      flags: u8.map((flags) => flags & ~8),
      type: u8,
      destination: address(family),
      hardwareAddress: fc.oneof(hex, fc.constant("")),
      proxy: yes,
      extFlags: u32,
      protocol: u8,
      probes: u32,
      cacheInfo: fc.record({ confirmed: u32, used: u32, updated: u32, references: u32 }),
      master: u32,
      vlan: u16,
      port: u16,
      vni: u32,
      sourceVni: u32,
      viaIndex: u32,
      linkNamespaceId: s32,
      nexthop: u32,
      unknown,
    },
    { requiredKeys: ["family", "index", "state", "flags", "type"] },
  ),
);

/** Any nexthop object. Without the upper half of weights being said, there is none (decodeMembers). */
export const nexthop: fc.Arbitrary<NexthopMessage> = fc
  .constantFrom(4 as const, 6 as const, undefined)
  .chain((family) =>
    fc
      .record(
        {
          family: fc.constant(family ?? 4),
          id: fc.integer({ min: 1, max: 0xffffffff }),
          scope: u8,
          protocol: u8,
          flags: u32.map((flags) => (flags & ~4) >>> 0),
          onlink: yes,
          oif: u32,
          gateway: address(family ?? 4),
          blackhole: yes,
          fdb: yes,
          members: fc.array(fc.record({ id: u32, weight: fc.integer({ min: 1, max: 65535 }) }), { maxLength: 4 }),
          groupType: u16,
          resilience: fc.record({ buckets: u16, idleTimer: u32, unbalancedTimer: u32 }, { requiredKeys: [] }),
          master: u32,
          encapType: u16,
          encap: bytes,
          answerFlags: u32,
        },
        { requiredKeys: ["id", "scope", "protocol", "flags"] },
      )
      .map(({ family: own, members, ...rest }): NexthopMessage => {
        const wide = ((rest.answerFlags ?? 0) & 0x80000000) !== 0;
        return {
          ...rest,
          ...(family === undefined ? {} : { family: own ?? family }),
          ...(members && {
            members: members.map(({ id, weight }) => ({ id, weight: wide ? weight : ((weight - 1) % 256) + 1 })),
          }),
        };
      }),
  );

/** Any link. */
export const link: fc.Arbitrary<LinkMessage> = fc.record(
  {
    index: s32,
    type: u16,
    flags: u32,
    name: words,
    altNames: fc.array(words, { minLength: 1, maxLength: 3 }),
    alias: words,
    mtu: u32,
    minMtu: u32,
    maxMtu: u32,
    operState: u8,
    linkMode: u8,
    carrier: fc.boolean(),
    carrierChanges: u32,
    carrierUpCount: u32,
    carrierDownCount: u32,
    hardwareAddress: hex,
    broadcast: hex,
    permanentAddress: hex,
    master: u32,
    parent: u32,
    linkNamespaceId: s32,
    kind: words,
    kindAttributes: bytes,
    masterKind: words,
    masterAttributes: bytes,
    parentDevice: words,
    parentBus: words,
    physicalPortName: words,
    physicalPortId: hex,
    physicalSwitchId: hex,
    txQueueLength: u32,
    txQueues: u32,
    rxQueues: u32,
    queueDiscipline: words,
    group: u32,
    promiscuity: u32,
    allMulticast: u32,
    protoDown: fc.boolean(),
    gsoMaxSize: u32,
    gsoMaxSegments: u32,
    groMaxSize: u32,
    virtualFunctions: u32,
    unknown,
  },
  { requiredKeys: ["index", "type", "flags"] },
);
