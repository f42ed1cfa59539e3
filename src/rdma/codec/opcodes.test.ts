// Proves the names of opcodes and the headers that they add, as IBA vol 1, 9.2.1 and 9.3 have them.
import { describe, expect, test } from "vitest";
import { extensionBytes, isUd, opcodeName, opcodeNames, opcodeNumber } from "./opcodes.ts";

const [DETH, IMM, RETH, AETH, IETH, RDETH, XRCETH, ATOMIC, ATOMIC_ACK] = [8, 4, 16, 4, 4, 4, 4, 28, 8];

describe("an opcode", () => {
  test.each([
    [0x00, "RC_SEND_FIRST", 0],
    [0x04, "RC_SEND_ONLY", 0],
    [0x05, "RC_SEND_ONLY_WITH_IMMEDIATE", IMM],
    [0x0a, "RC_RDMA_WRITE_ONLY", RETH],
    [0x0b, "RC_RDMA_WRITE_ONLY_WITH_IMMEDIATE", RETH + IMM],
    [0x0c, "RC_RDMA_READ_REQUEST", RETH],
    [0x0e, "RC_RDMA_READ_RESPONSE_MIDDLE", 0],
    [0x10, "RC_RDMA_READ_RESPONSE_ONLY", AETH],
    [0x11, "RC_ACKNOWLEDGE", AETH],
    [0x12, "RC_ATOMIC_ACKNOWLEDGE", AETH + ATOMIC_ACK],
    [0x13, "RC_COMPARE_SWAP", ATOMIC],
    [0x17, "RC_SEND_ONLY_WITH_INVALIDATE", IETH],
    [0x24, "UC_SEND_ONLY", 0],
    [0x2b, "UC_RDMA_WRITE_ONLY_WITH_IMMEDIATE", RETH + IMM],
    [0x44, "RD_SEND_ONLY", RDETH + DETH],
    [0x51, "RD_ACKNOWLEDGE", RDETH + AETH],
    [0x4e, "RD_RDMA_READ_RESPONSE_MIDDLE", RDETH],
    [0x55, "RD_RESYNC", RDETH + DETH],
    [0x64, "UD_SEND_ONLY", DETH],
    [0x65, "UD_SEND_ONLY_WITH_IMMEDIATE", DETH + IMM],
    [0x81, "CNP", 0],
    [0xa4, "XRC_SEND_ONLY", XRCETH],
    [0xac, "XRC_RDMA_READ_REQUEST", XRCETH + RETH],
    [0xb1, "XRC_ACKNOWLEDGE", AETH],
  ] as const)("0x%s is %s", (opcode, name, bytes) => {
    expect([opcodeName(opcode), opcodeNumber(name), extensionBytes(opcode)]).toEqual([name, opcode, bytes]);
    expect(isUd(opcode)).toBe(name.startsWith("UD_"));
  });

  test.each([0x2c, 0x31, 0x60, 0x66, 0x80, 0x18, 0xff])("%i is nobody's", (opcode) => {
    expect([opcodeName(opcode), extensionBytes(opcode), isUd(opcode)]).toEqual([undefined, 0, false]);
  });

  test("has a name of its own", () => {
    const names = opcodeNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith("UD_"))).toHaveLength(2);
  });
});
