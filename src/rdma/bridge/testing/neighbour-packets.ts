// Owns what IPv6 neighbours say, as packets that tests begin with: questions, answers and claims on either side.
import { FLAG, makeAdvertisement, makeAnswer, makeClaim, makeQuestion } from "../../../probes/nd.ts";
import type { LinkLayer, LinkPacket } from "../../../probes/nd.ts";
import { setU16, setU24 } from "../../codec/bytes.ts";
import { ETHERNET_BYTES, ETHERTYPE } from "../../codec/ethernet.ts";
import { IPOIB_BYTES, writeIpoib } from "../../codec/ipoib.ts";

/** All that a host with one address says of it and of another one's. */
function saidBy(link: LinkLayer, own: Uint8Array, other: Uint8Array): LinkPacket[] {
  return [
    makeQuestion(link, own, other),
    makeClaim(link, other, new Uint8Array(6).fill(7)),
    makeAdvertisement(link, own, FLAG.override),
    makeAnswer(link, own, { ip: other, hardware: new Uint8Array(link.own.length) }),
  ].filter((packet) => packet !== undefined);
}

/** Frames of a host on Ethernet. */
export function neighbourFrames(mac: Uint8Array, own: Uint8Array, other: Uint8Array): Uint8Array[] {
  const link = { hardware: 1, own: mac, broadcast: new Uint8Array(6).fill(0xff) };
  return saidBy(link, own, other).map(({ to, bytes }) => {
    const frame = new Uint8Array(ETHERNET_BYTES + bytes.length);
    frame.set(to);
    frame.set(mac, 6);
    setU16(frame, ETHERNET_BYTES - 2, ETHERTYPE.ipv6);
    frame.set(bytes, ETHERNET_BYTES);
    return frame;
  });
}

/** Payloads of IPoIB of a host at a GID. */
export function neighbourDatagrams(gid: Uint8Array, own: Uint8Array, other: Uint8Array): Uint8Array[] {
  const hardware = new Uint8Array(20);
  setU24(hardware, 1, 0x99);
  hardware.set(gid, 4);
  return saidBy({ hardware: 32, own: hardware, broadcast: new Uint8Array(20) }, own, other).map(({ bytes }) => {
    const payload = new Uint8Array(IPOIB_BYTES + bytes.length);
    writeIpoib(payload, 0, ETHERTYPE.ipv6);
    payload.set(bytes, IPOIB_BYTES);
    return payload;
  });
}
