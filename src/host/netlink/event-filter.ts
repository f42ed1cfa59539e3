// Owns the filters that the kernel runs over events before they wake heddle: classic BPF, made for what heddle has.
//
// A router's daemon may change a hundred thousand routes; none of them should cost this process a wake-up. Classic BPF
// loads in network byte order what netlink has in the machine's (little-endian, see packet.ts), and finds netlink
// attributes by itself (SKF_AD_NLATTR, include/uapi/linux/filter.h).
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import { assemble, DROP, JUMP_IF_EQUAL, KEEP, LOAD, MOVE_A_TO_X, RETURN } from "../classic-bpf.ts";
import type { Instruction } from "../classic-bpf.ts";
import { RTM } from "./constants.ts";

const NLATTR = 0xfffff000 + 12;

/** Places in a message: struct nlmsghdr, then struct rtmsg, then attributes. */
const TYPE = 4;
const PORT = 12;
const PROTOCOL = 21;
const ATTRIBUTES = 28;
const RTA_TABLE = 15;
/** Bytes of an attribute's header. */
const ATTRIBUTE_HEADER = 4;

/** Tables that a filter can name: a jump goes at most 255 instructions. */
const MOST_TABLES = 128;

/**
 * Lets through every event but those that `ownPort` caused, and those of routes that are not heddle's, in tables where
 * heddle has none. With more than 128 tables, routes of all tables come through.
 */
export function routeEventFilter(ownPort: number, tables: readonly number[]): Uint8Array {
  const drop: Instruction = [RETURN, 0, 0, DROP];
  const keep: Instruction = [RETURN, 0, 0, KEEP];
  const own: Instruction[] = [[LOAD.word, 0, 0, PORT], [JUMP_IF_EQUAL, 0, 1, swap32(ownPort)], drop];
  if (tables.length > MOST_TABLES) return assemble([...own, keep]);
  const lookups = tables.map((table): Instruction => [JUMP_IF_EQUAL, 0, 1, swap32(table)]);
  return assemble([
    ...own,
    [LOAD.half, 0, 0, TYPE],
    [JUMP_IF_EQUAL, 2, 0, swap16(RTM.route)],
    [JUMP_IF_EQUAL, 1, 0, swap16(RTM.route + 1)],
    keep,
    [LOAD.byte, 0, 0, PROTOCOL],
    [JUMP_IF_EQUAL, 0, 1, HEDDLE_PROTOCOL],
    keep,
    [LOAD.xConstant, 0, 0, RTA_TABLE],
    [LOAD.constant, 0, 0, ATTRIBUTES],
    [LOAD.word, 0, 0, NLATTR],
    // Without the attribute the table cannot be told.
    [JUMP_IF_EQUAL, 0, 1, 0],
    keep,
    [MOVE_A_TO_X, 0, 0, 0],
    [LOAD.wordAtX, 0, 0, ATTRIBUTE_HEADER],
    ...lookups.flatMap((lookup): Instruction[] => [lookup, keep]),
    drop,
  ]);
}

/** Lets through the messages of one type only. */
export function messageTypeFilter(type: number): Uint8Array {
  return assemble([
    [LOAD.half, 0, 0, TYPE],
    [JUMP_IF_EQUAL, 0, 1, swap16(type)],
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, DROP],
  ]);
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value >>> 0, true);
  return view.getUint32(0, false);
}
