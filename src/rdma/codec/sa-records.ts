// Owns the records of the subnet administrator that a bridge has to do with (IBA vol 1, 15.2.5, and 13.4.8.2 for
// Notice), with each field's bit of the component mask (as in Linux include/rdma/ib_sa.h).
import { SA_ATTRIBUTE } from "./sa.ts";
import { bits, bytesAt, wide } from "./record.ts";
import type { Layout, RecordOf } from "./record.ts";

/** A way between two ports; a DGID may be that of a multicast group. MTU, rate and lifetime are codes, each with how it is compared. */
export const PATH_RECORD = {
  bytes: 64,
  fields: {
    serviceId: wide(0, 0, 2),
    dgid: bytesAt(8, 16, 2),
    sgid: bytesAt(24, 16, 3),
    dlid: bits(40, 0, 16, 4),
    slid: bits(42, 0, 16, 5),
    rawTraffic: bits(44, 0, 1, 6),
    flowLabel: bits(44, 4, 20, 8),
    hopLimit: bits(47, 0, 8, 9),
    trafficClass: bits(48, 0, 8, 10),
    reversible: bits(49, 0, 1, 11),
    /** How many paths are wanted at most. */
    pathCount: bits(49, 1, 7, 12),
    pKey: bits(50, 0, 16, 13),
    qosClass: bits(52, 0, 12, 14),
    sl: bits(53, 4, 4, 15),
    mtuSelector: bits(54, 0, 2, 16),
    /** 1 to 5: 256 to 4096 bytes. */
    mtu: bits(54, 2, 6, 17),
    rateSelector: bits(55, 0, 2, 18),
    rate: bits(55, 2, 6, 19),
    lifetimeSelector: bits(56, 0, 2, 20),
    /** 4.096 µs times 2 to this power. */
    lifetime: bits(56, 2, 6, 21),
    preference: bits(57, 0, 8, 22),
  },
} as const satisfies Layout;

/** A port's membership of a multicast group, and the group itself. */
export const MC_MEMBER_RECORD = {
  bytes: 52,
  fields: {
    mgid: bytesAt(0, 16, 0),
    portGid: bytesAt(16, 16, 1),
    qKey: bits(32, 0, 32, 2),
    mlid: bits(36, 0, 16, 3),
    mtuSelector: bits(38, 0, 2, 4),
    mtu: bits(38, 2, 6, 5),
    trafficClass: bits(39, 0, 8, 6),
    pKey: bits(40, 0, 16, 7),
    rateSelector: bits(42, 0, 2, 8),
    rate: bits(42, 2, 6, 9),
    lifetimeSelector: bits(43, 0, 2, 10),
    lifetime: bits(43, 2, 6, 11),
    sl: bits(44, 0, 4, 12),
    flowLabel: bits(44, 4, 20, 13),
    hopLimit: bits(47, 0, 8, 14),
    scope: bits(48, 0, 4, 15),
    /** Bits: 1 full member, 2 non-member, 4 send-only non-member. */
    joinState: bits(48, 4, 4, 16),
    proxyJoin: bits(49, 0, 1, 17),
  },
} as const satisfies Layout;

/** A service that a port offers under a name. */
export const SERVICE_RECORD = {
  bytes: 176,
  fields: {
    serviceId: wide(0, 0),
    serviceGid: bytesAt(8, 16, 1),
    pKey: bits(24, 0, 16, 2),
    /** Seconds; all ones is for ever. */
    lease: bits(28, 0, 32, 4),
    key: bytesAt(32, 16, 5),
    name: bytesAt(48, 64, 6),
    data8: bytesAt(112, 16, 7, 16),
    data16: bytesAt(128, 16, 23, 8),
    data32: bytesAt(144, 16, 31, 4),
    data64: bytesAt(160, 16, 35, 2),
  },
} as const satisfies Layout;

/** A subscription to notices. Its fields have no bits in the mask. */
export const INFORM_INFO = {
  bytes: 36,
  fields: {
    gid: bytesAt(0, 16),
    lidBegin: bits(16, 0, 16),
    lidEnd: bits(18, 0, 16),
    isGeneric: bits(22, 0, 8),
    subscribe: bits(23, 0, 8),
    type: bits(24, 0, 16),
    trap: bits(26, 0, 16),
    qpn: bits(28, 0, 24),
    responseTime: bits(31, 3, 5),
    producerType: bits(33, 0, 24),
  },
} as const satisfies Layout;

/** What the administrator reports; of the traps 64 to 67, `gid` is whom it is about. */
export const NOTICE = {
  bytes: 80,
  fields: {
    isGeneric: bits(0, 0, 1),
    type: bits(0, 1, 7),
    producerType: bits(1, 0, 24),
    trap: bits(4, 0, 16),
    issuerLid: bits(6, 0, 16),
    toggle: bits(8, 0, 1),
    count: bits(8, 1, 15),
    gid: bytesAt(16, 16),
    issuerGid: bytesAt(64, 16),
  },
} as const satisfies Layout;

export type PathRecord = RecordOf<typeof PATH_RECORD>;
export type McMemberRecord = RecordOf<typeof MC_MEMBER_RECORD>;
export type ServiceRecord = RecordOf<typeof SERVICE_RECORD>;
export type Notice = RecordOf<typeof NOTICE>;

/** Notices of multicast groups. */
export const TRAP = { groupCreated: 66, groupDeleted: 67 } as const;

/** The layouts by their attributes, with the names that people know them by. */
export const SA_RECORDS: ReadonlyMap<number, { name: string; layout: Layout }> = new Map<
  number,
  { name: string; layout: Layout }
>([
  [SA_ATTRIBUTE.notice, { name: "Notice", layout: NOTICE }],
  [SA_ATTRIBUTE.informInfo, { name: "InformInfo", layout: INFORM_INFO }],
  [SA_ATTRIBUTE.serviceRecord, { name: "ServiceRecord", layout: SERVICE_RECORD }],
  [SA_ATTRIBUTE.pathRecord, { name: "PathRecord", layout: PATH_RECORD }],
  [SA_ATTRIBUTE.mcMemberRecord, { name: "MCMemberRecord", layout: MC_MEMBER_RECORD }],
]);
