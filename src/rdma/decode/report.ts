// Owns the shape of what is told of one packet. It is the JSON of `heddle rdma decode` as it stands (docs/RDMA.md).
//
// Numbers of up to 32 bits are numbers; longer ones, and bytes, are hexadecimal text.

/** What a check says: `absent` where the packet has none, or it was not captured. */
export type Check = "ok" | "bad" | "absent";

export interface PacketReport {
  /** From 1, over all packets of the file. */
  number: number;
  /** Seconds since 1970, with nine decimals. */
  time: string;
  /** Length on the wire. */
  bytes: number;
  /** How many of them the file has, where not all. */
  kept?: number;
  /** `membership`: IGMP or MLD. `other`: neither RDMA nor that. */
  kind: "infiniband" | "rocev1" | "rocev2" | "membership" | "other";
  /** Ids of VLAN tags, the outer one first. */
  vlans?: number[];
  /** IP address or GID; absent where the packet has neither. */
  source?: string;
  destination?: string;
  /** Of InfiniBand packets. */
  lrh?: { vl: number; sl: number; slid: number; dlid: number };
  /** Source port of UDP. */
  udpPort?: number;
  icrc: Check;
  vcrc: Check;
  /** What the packet has and what it should have, of those that are bad: bytes as on the wire. */
  wrong?: { icrc?: Wrong; vcrc?: Wrong };
  /** Why the packet is not what it says it is, or was not captured as a whole. */
  fault?: string;
  /** A name as "UD_SEND_ONLY", or the number as "0x7f" where it has none. */
  opcode?: string;
  destQp?: number;
  srcQp?: number;
  qKey?: number;
  pKey?: number;
  psn?: number;
  immediate?: number;
  /** Without padding. Fewer than on the wire where not all was captured. */
  payloadBytes?: number;
  /** Those of solicited, migrated, fecn, becn and ackRequest that are set. */
  flags?: string[];
  mad?: MadReport;
  sidr?: SidrReport;
  sa?: SaReport;
  ipoib?: IpoibReport;
  membership?: MembershipReport;
  /** Type of frames that are `other`. */
  etherType?: string;
}

interface Wrong {
  is: string;
  expected: string;
}

/** The header of a management datagram. */
export interface MadReport {
  /** "CM", "SA", or the number. */
  class: string;
  /** "Get", "GetResp", or the number. */
  method: string;
  /** "SIDR_REQ", "PathRecord", or the number. */
  attribute: string;
  tid: string;
  status: number;
  /** The status in words. */
  meaning: string;
}

export interface SidrReport {
  message: "SIDR_REQ" | "SIDR_REP";
  requestId: number;
  serviceId: string;
  /** Where the service id is made of a port. */
  service?: { protocol: "tcp" | "udp" | "other"; port: number };
  pKey?: number;
  /** The requester's ends, where the private data begins with them. */
  source?: string;
  sourcePort?: number;
  destination?: string;
  /** Of answers. */
  status?: number;
  meaning?: string;
  qpn?: number;
  qKey?: number;
  /** The user's, without the zeros that fill it up. */
  privateData: string;
}

export interface SaReport {
  /** Fields of the record; of requests those that the component mask names. */
  record: Record<string, number | string>;
}

export interface IpoibReport {
  /** "arp", "ipv4", "ipv6". */
  type: string;
  source?: string;
  destination?: string;
  arp?: {
    operation: number;
    sender: { address: string; qpn: number; gid: string };
    target: { address: string; qpn: number; gid: string };
  };
}

export interface MembershipReport {
  /** "IGMPv3", "MLDv2" and so on. */
  protocol: string;
  kind: "query" | "report" | "join" | "leave";
  /** Of everything but reports; all zero in general queries. */
  group?: string;
  sources?: string[];
  records?: { type: string; group: string; sources: string[] }[];
}
