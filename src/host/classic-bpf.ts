// Owns the words of classic BPF, the kernel's filters of what a socket takes in (include/uapi/linux/bpf_common.h).

/** What an instruction loads, and from where. */
export const LOAD = { word: 0x20, half: 0x28, byte: 0x30, constant: 0x00, wordAtX: 0x40, xConstant: 0x01 } as const;
export const JUMP_IF_EQUAL = 0x15;
export const MOVE_A_TO_X = 0x07;
export const RETURN = 0x06;

/** What a filter gives back: how many bytes of a packet the socket gets. */
export const KEEP = 0xffffffff;
export const DROP = 0;

export type Instruction = [code: number, ifTrue: number, ifFalse: number, value: number];

/** struct sock_filter, one after the other. */
export function assemble(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, ifTrue);
    view.setUint8(i * 8 + 3, ifFalse);
    view.setUint32(i * 8 + 4, value >>> 0, true);
  }
  return bytes;
}

/**
 * Lets through the packets in which the number at a place is this one. Places are counted from behind the header of the
 * link layer, numbers are in network byte order.
 */
export function fieldFilter(size: "byte" | "half", place: number, number: number): Uint8Array {
  return assemble([
    [LOAD[size], 0, 0, place],
    [JUMP_IF_EQUAL, 0, 1, number],
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, DROP],
  ]);
}
