// Owns the reasons why bytes are no packet, or not the packet that they say they are.

/** Why bytes are no whole RDMA packet. Numbers, so that a batch of packets is judged without garbage. */
export const FAULT = {
  none: 0,
  /** Nothing is wrong: it is other traffic. */
  notRdma: 1,
  /** The bytes end before a header does. */
  header: 2,
  /** The headers say that the packet is longer than the bytes. */
  cut: 3,
  ipVersion: 4,
  ipOptions: 5,
  fragment: 6,
  ipLength: 7,
  udpLength: 8,
  lrhVersion: 9,
  raw: 10,
  lrhLength: 11,
  grhVersion: 12,
  grhNext: 13,
  grhLength: 14,
  bthVersion: 15,
  alignment: 16,
  opcodeHeaders: 17,
  pad: 18,
  vlanTags: 19,
} as const;

export type Fault = (typeof FAULT)[keyof typeof FAULT];

/** Each fault in words, by its number. */
const WORDS: Readonly<Record<Fault, string>> = {
  [FAULT.none]: "nothing is wrong",
  [FAULT.notRdma]: "it carries no RDMA",
  [FAULT.header]: "it ends within a header",
  [FAULT.cut]: "it is shorter than its headers say",
  [FAULT.ipVersion]: "the IP version is not the one that the frame's type says",
  [FAULT.ipOptions]: "the IPv4 header has options, which RoCEv2 does not allow",
  [FAULT.fragment]: "it is a fragment, and RDMA packets are never fragmented",
  [FAULT.ipLength]: "the IP length leaves no room for the RDMA headers",
  [FAULT.udpLength]: "the UDP length differs from what the IP length leaves",
  [FAULT.lrhVersion]: "the link version is not 0",
  [FAULT.raw]: "it is a raw packet, without transport headers",
  [FAULT.lrhLength]: "the packet length in the LRH leaves no room for the headers",
  [FAULT.grhVersion]: "the IP version in the GRH is not 6",
  [FAULT.grhNext]: "the GRH says that something else than a BTH follows",
  [FAULT.grhLength]: "the payload length in the GRH is not what there is",
  [FAULT.bthVersion]: "the transport version is not 0",
  [FAULT.alignment]: "its length is no multiple of 4 bytes",
  [FAULT.opcodeHeaders]: "it is too short for the headers of its opcode",
  [FAULT.pad]: "it has less payload than padding",
  [FAULT.vlanTags]: "it has more than two VLAN tags",
};

/** A fault as the end of a sentence that begins with the packet. */
export function describeFault(fault: Fault): string {
  return WORDS[fault];
}
