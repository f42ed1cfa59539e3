// Owns how fast ports and groups are: the codes of the administrator's records (IBA vol 1, 15.2.5.16; Linux ib_verbs.h,
// ib_rate), and what a port says of its own (PortInfo; IBA vol 1, 14.2.5.6). In gigabits per second, as people name them.
import { u32, u8 } from "./bytes.ts";

const RATES: ReadonlyMap<number, number> = new Map([
  [2, 2.5],
  [3, 10],
  [4, 30],
  [5, 5],
  [6, 20],
  [7, 40],
  [8, 60],
  [9, 80],
  [10, 120],
  [11, 14],
  [12, 56],
  [13, 112],
  [14, 168],
  [15, 25],
  [16, 100],
  [17, 200],
  [18, 300],
  [19, 28],
  [20, 50],
  [21, 400],
  [22, 600],
  [23, 800],
]);

/** The rate of a code in a record; undefined for one that is none that is known. */
export function rateOf(code: number): number | undefined {
  return RATES.get(code);
}

/** Where PortInfo has what a port can carry. */
const PORT_INFO = { capabilities: 20, widthActive: 31, speedActive: 35, mtuCap: 41, extendedSpeedActive: 62 } as const;
/** The capability of speeds beyond QDR. */
const EXTENDED_SPEEDS = 1 << 14;
/** Lanes by the bit that stands for them. */
const LANES: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 4],
  [4, 8],
  [8, 12],
  [16, 2],
]);
/** Gigabits per second of a lane: SDR, DDR, QDR; FDR, EDR, HDR, NDR. */
const SPEEDS: ReadonlyMap<number, number> = new Map([
  [1, 2.5],
  [2, 5],
  [4, 10],
]);
const EXTENDED: ReadonlyMap<number, number> = new Map([
  [1, 14],
  [2, 25],
  [4, 50],
  [8, 100],
]);

/** The rate that a port has come up with, of its PortInfo (64 bytes); undefined where it does not tell. */
export function portRate(info: Uint8Array): number | undefined {
  const lanes = LANES.get(u8(info, PORT_INFO.widthActive) & 0x1f);
  const extended =
    (u32(info, PORT_INFO.capabilities) & EXTENDED_SPEEDS) === 0
      ? undefined
      : EXTENDED.get(u8(info, PORT_INFO.extendedSpeedActive) >> 4);
  const speed = extended ?? SPEEDS.get(u8(info, PORT_INFO.speedActive) >> 4);
  return lanes === undefined || speed === undefined ? undefined : lanes * speed;
}

/** The largest MTU of a port, bytes; undefined where it does not tell. */
export function portMtu(info: Uint8Array): number | undefined {
  const code = u8(info, PORT_INFO.mtuCap) & 0x0f;
  return code >= 1 && code <= 5 ? 128 << code : undefined;
}
