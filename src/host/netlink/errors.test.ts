// Proves that the kernel's refusals are read whole: with and without the request's echo, on errors and ends of dumps.
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { errnoName, HostError } from "../error.ts";
import { Encoder } from "./encoder.ts";
import { decodeAnswer, NetlinkError, toError } from "./errors.ts";
import { MalformedMessage, Packet } from "./packet.ts";

const { EINVAL } = constants.errno;
const ACK_TLVS = 0x200;
const CAPPED = 0x100;

/** The payload of an answer: errno, the request's header and as much of it as is echoed, and extended-ack attributes. */
function payload(echoed: number, capped: boolean, attributes: (encoder: Encoder) => void): Packet {
  const encoder = new Encoder();
  const at = encoder.room(4 + (capped ? 16 : (echoed + 3) & ~3));
  encoder.setS32(at, -EINVAL);
  encoder.setU32(at + 4, echoed);
  attributes(encoder);
  return new Packet(encoder.written().slice());
}

const everything = (encoder: Encoder) => {
  encoder.text(1, "No.");
  encoder.u32(2, 28);
  encoder.u32(5, 15);
  encoder.u32(6, 40);
};

const WHOLE = { errno: EINVAL, kernelMessage: "No.", offset: 28, missing: { attribute: 15, nest: 40 } };

describe("an answer", () => {
  it.each([true, false])("tells everything (request capped: %s)", (capped) => {
    const packet = payload(53, capped, everything);
    expect(decodeAnswer(packet, 2, ACK_TLVS | (capped ? CAPPED : 0), 0, packet.bytes.length)).toEqual(WHOLE);
  });

  it("at the end of a dump tells the same", () => {
    const encoder = new Encoder();
    encoder.setS32(encoder.room(4), -EINVAL);
    everything(encoder);
    const packet = new Packet(encoder.written());
    expect(decodeAnswer(packet, 3, ACK_TLVS, 0, encoder.length)).toEqual(WHOLE);
    expect(decodeAnswer(packet, 3, 0, 0, encoder.length)).toEqual({ errno: EINVAL });
    expect(decodeAnswer(packet, 3, 0, 0, 0)).toEqual({ errno: 0 });
  });

  it("that is cut short, or echoes more than there is, is malformed or tells less", () => {
    const packet = payload(53, false, everything);
    packet.view.setUint32(4, 4_000_000_000, true);
    expect(decodeAnswer(packet, 2, ACK_TLVS, 0, packet.bytes.length)).toEqual({ errno: EINVAL });
    expect(() => decodeAnswer(packet, 2, 0, 0, 3)).toThrow(MalformedMessage);
    expect(() => decodeAnswer(packet, 2, ACK_TLVS, 0, 12)).toThrow(MalformedMessage);
  });

  it("becomes an error that names the attribute to blame", () => {
    const request = new Uint8Array(60);
    request.set([8, 0, 15, 0x80], 28);
    const error = toError(WHOLE, "route 10.0.0.0/8", request);
    expect(error).toBeInstanceOf(NetlinkError);
    expect(error).toBeInstanceOf(HostError);
    expect(error.message).toBe("route 10.0.0.0/8: EINVAL (No.)");
    expect(error.blame).toEqual({ offset: 28, attribute: 15, missing: { attribute: 15, nest: 40 } });
    expect(toError({ errno: EINVAL, offset: 58 }, "x", request).blame).toEqual({ offset: 58 });
  });
});

describe("names of errno", () => {
  it.each([
    [1, "EPERM"],
    [-2, "ENOENT"],
    [11, "EAGAIN"],
    [95, "EOPNOTSUPP"],
    [105, "ENOBUFS"],
    [524, "ENOTSUPP"],
    [4711, "E4711"],
  ])("%i is %s", (number, name) => expect(errnoName(number)).toBe(name));
});
