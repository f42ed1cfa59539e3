// Proves what is taken for the rate and the MTU of a port, and of records.
import { expect, test } from "vitest";
import { portMtu, portRate, rateOf } from "./rates.ts";

/** A PortInfo with what a port has come up with. */
function portInfo(width: number, speed: number, extended = 0, capabilities = 0): Uint8Array {
  const info = new Uint8Array(64);
  new DataView(info.buffer).setUint32(20, capabilities);
  info[31] = width;
  // What is beside in the same bytes does not count.
  info[35] = (speed << 4) | 0x0f;
  info[62] = (extended << 4) | 0x0f;
  return info;
}

const EXTENDED = 1 << 14;

test.each([
  ["1x SDR", portInfo(1, 1), 2.5],
  ["4x QDR", portInfo(2, 4), 40],
  ["12x DDR", portInfo(8, 2), 60],
  ["4x FDR", portInfo(2, 4, 1, EXTENDED), 56],
  ["4x EDR", portInfo(2, 4, 2, EXTENDED), 100],
  ["2x HDR", portInfo(16, 4, 4, EXTENDED), 100],
  ["4x QDR of a port that could do more", portInfo(2, 4, 0, EXTENDED), 40],
  ["4x QDR where extended speeds are not known", portInfo(2, 4, 2), 40],
  ["a port that is down", portInfo(0, 0), undefined],
])("%s", (_, info, rate) => {
  expect(portRate(info)).toBe(rate);
});

test("codes of records", () => {
  expect([2, 3, 7, 12, 16, 17, 21].map(rateOf)).toEqual([2.5, 10, 40, 56, 100, 200, 400]);
  expect([0, 1, 63].map(rateOf)).toEqual([undefined, undefined, undefined]);
});

test("the MTU that a port can have", () => {
  const info = new Uint8Array(64);
  const mtus = [0xf1, 0xf4, 0x05, 0xf0, 0x06].map((byte) => {
    info[41] = byte;
    return portMtu(info);
  });
  expect(mtus).toEqual([256, 2048, 4096, undefined, undefined]);
});
