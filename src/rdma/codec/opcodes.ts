// Owns the opcodes of the BTH: their names and the headers that each adds (IBA vol 1, 9.2.1 and 9.3; names as in
// Linux include/rdma/ib_pack.h).

/** UD SEND only: one of the two opcodes that UD has. */
export const UD_SEND_ONLY = 0x64;
/** UD SEND only with immediate. */
export const UD_SEND_ONLY_WITH_IMMEDIATE = 0x65;
/** The congestion notification of RoCEv2 (IBA vol 1, A17.9.3). */
export const CNP = 0x81;

const RETH = 16;
const AETH = 4;
const IMM = 4;
const IETH = 4;
const FETH = 4;
const ATOMIC = 28;
const ATOMIC_ACK = 8;

/** Operations by their 5 bits: the name, the bytes of their headers, and who has them. `answer`: sent by the responder. */
interface Operation {
  name: string;
  bytes: number;
  on: readonly string[];
  answer?: true;
}

const ALL = ["RC", "UC", "RD", "XRC"] as const;
const RELIABLE = ["RC", "RD", "XRC"] as const;

const OPERATIONS: Readonly<Record<number, Operation>> = {
  0x00: { name: "SEND_FIRST", bytes: 0, on: ALL },
  0x01: { name: "SEND_MIDDLE", bytes: 0, on: ALL },
  0x02: { name: "SEND_LAST", bytes: 0, on: ALL },
  0x03: { name: "SEND_LAST_WITH_IMMEDIATE", bytes: IMM, on: ALL },
  0x04: { name: "SEND_ONLY", bytes: 0, on: [...ALL, "UD"] },
  0x05: { name: "SEND_ONLY_WITH_IMMEDIATE", bytes: IMM, on: [...ALL, "UD"] },
  0x06: { name: "RDMA_WRITE_FIRST", bytes: RETH, on: ALL },
  0x07: { name: "RDMA_WRITE_MIDDLE", bytes: 0, on: ALL },
  0x08: { name: "RDMA_WRITE_LAST", bytes: 0, on: ALL },
  0x09: { name: "RDMA_WRITE_LAST_WITH_IMMEDIATE", bytes: IMM, on: ALL },
  0x0a: { name: "RDMA_WRITE_ONLY", bytes: RETH, on: ALL },
  0x0b: { name: "RDMA_WRITE_ONLY_WITH_IMMEDIATE", bytes: RETH + IMM, on: ALL },
  0x0c: { name: "RDMA_READ_REQUEST", bytes: RETH, on: RELIABLE },
  0x0d: { name: "RDMA_READ_RESPONSE_FIRST", bytes: AETH, on: RELIABLE, answer: true },
  0x0e: { name: "RDMA_READ_RESPONSE_MIDDLE", bytes: 0, on: RELIABLE, answer: true },
  0x0f: { name: "RDMA_READ_RESPONSE_LAST", bytes: AETH, on: RELIABLE, answer: true },
  0x10: { name: "RDMA_READ_RESPONSE_ONLY", bytes: AETH, on: RELIABLE, answer: true },
  0x11: { name: "ACKNOWLEDGE", bytes: AETH, on: RELIABLE, answer: true },
  0x12: { name: "ATOMIC_ACKNOWLEDGE", bytes: AETH + ATOMIC_ACK, on: RELIABLE, answer: true },
  0x13: { name: "COMPARE_SWAP", bytes: ATOMIC, on: RELIABLE },
  0x14: { name: "FETCH_ADD", bytes: ATOMIC, on: RELIABLE },
  0x15: { name: "RESYNC", bytes: 0, on: ["RD"] },
  0x16: { name: "SEND_LAST_WITH_INVALIDATE", bytes: IETH, on: ["RC", "XRC"] },
  0x17: { name: "SEND_ONLY_WITH_INVALIDATE", bytes: IETH, on: ["RC", "XRC"] },
  0x1c: { name: "FLUSH", bytes: FETH + RETH, on: ["RC", "XRC"] },
  0x1d: { name: "ATOMIC_WRITE", bytes: RETH, on: ["RC", "XRC"] },
};

/** Transports by their first opcode, with the header that they add to requests and to answers. */
const TRANSPORTS = [
  { name: "RC", first: 0x00, request: 0, answer: 0 },
  { name: "UC", first: 0x20, request: 0, answer: 0 },
  // An RDETH, and with requests a DETH.
  { name: "RD", first: 0x40, request: 4 + 8, answer: 4 },
  { name: "UD", first: 0x60, request: 8, answer: 0 },
  // An XRCETH with requests.
  { name: "XRC", first: 0xa0, request: 4, answer: 0 },
] as const;

const NAMES: (string | undefined)[] = Array.from({ length: 256 });
/** Bytes of the headers between BTH and payload; those of an unknown opcode are taken for payload. */
const EXTENSIONS = new Uint8Array(256);
const NUMBERS = new Map<string, number>();

const learn = (opcode: number, name: string, bytes: number): void => {
  NAMES[opcode] = name;
  EXTENSIONS[opcode] = bytes;
  NUMBERS.set(name, opcode);
};
for (const { name, first, request, answer } of TRANSPORTS) {
  for (const [operation, { name: what, bytes, on, answer: isAnswer }] of Object.entries(OPERATIONS)) {
    if (on.includes(name)) learn(first + Number(operation), `${name}_${what}`, bytes + (isAnswer ? answer : request));
  }
}
learn(CNP, "CNP", 0);

/** "UD_SEND_ONLY"; undefined for an opcode that nobody has. */
export function opcodeName(opcode: number): string | undefined {
  return NAMES[opcode];
}

/** The opcode of a name as opcodeName gives it. */
export function opcodeNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/** Every name there is, in the order of the opcodes. */
export function opcodeNames(): string[] {
  return NAMES.filter((name) => name !== undefined);
}

/** How many bytes of headers stand between the BTH and the payload; 0 where the opcode is not known. */
export function extensionBytes(opcode: number): number {
  return EXTENSIONS[opcode] as number;
}

/** Whether the opcode's transport is UD: a DETH follows the BTH. */
export function isUd(opcode: number): boolean {
  return opcode === UD_SEND_ONLY || opcode === UD_SEND_ONLY_WITH_IMMEDIATE;
}
