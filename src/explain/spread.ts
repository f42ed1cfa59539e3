// Owns what programs that spread packets do to one before its route is looked for, or behind that.
import { familyOf, parsePrefix, prefixContains } from "../model/ip.ts";
import { decideMember } from "../model/spread-hash.ts";
import type { Flow } from "../model/spread-hash.ts";
import type { PictureSpread } from "../model/spread-picture.ts";
import type { Packet } from "./packet.ts";

/** What spreading makes of a packet. */
export interface Spreading {
  /** "spread/opa". */
  section: string;
  /** The packet as rules see it. */
  packet: Packet;
  /** Absent where what is known of the packet does not tell. */
  bucket?: number;
  /** The link that its bucket goes by. */
  link?: string;
  /** A full sentence. */
  said: string;
}

/** IP protocols that have ports. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);

/** What the spread that the packet falls to makes of it; undefined where none does. */
export function spreadPacket(spreads: readonly PictureSpread[], packet: Packet): Spreading | undefined {
  const found = longest(spreads, packet.to);
  if (!found) return undefined;
  const { spec, ingress } = found;
  const section = `spread/${spec.name}`;
  const redirects = spec.mechanism === "redirect";
  if (packet.iif !== undefined && !redirects && !ingress.includes(packet.iif)) return undefined;
  if (packet.iif === undefined && !spec.local) return undefined;
  const links = spec.members.map(({ link }) => link).join(", ");
  if (spec.of !== undefined) {
    return { section, packet, said: `Where ${spec.of} would carry it, ${section} gives it to one of ${links}.` };
  }
  if (packet.iif === undefined && !redirects) {
    const said = `${section} gives its socket one of ${links} by chance when it is opened, unless it is bound to an address or a link.`;
    return { section, packet, said };
  }
  const flow = flowOf(packet);
  if (!flow) {
    return {
      section,
      packet,
      said: `${section} gives it to one of ${links}, by its source, protocol and ports: say them to learn which.`,
    };
  }
  const { bucket, member } = decideMember(found, flow);
  const link = spec.members.find(({ number }) => number === member)?.link;
  if (link === undefined) {
    return {
      section,
      packet,
      bucket,
      said: `${section}: it falls into bucket ${bucket}, and no link can carry it, so that it goes the ordinary way.`,
    };
  }
  if (redirects) {
    const said = `${section}: it falls into bucket ${bucket}, and leaves by ${link}, whichever of the links ${links} routing gives it to.`;
    return { section, packet, bucket, link, said };
  }
  const mark = (((packet.mark ?? 0) & ~spec.mask) | (member << spec.shift)) >>> 0;
  const how = spec.mechanism === "fast" ? "passed on to" : "marked for";
  const said = `${section}: it falls into bucket ${bucket}, and is ${how} ${link} (mark 0x${mark.toString(16)}).`;
  return { section, packet: { ...packet, mark }, bucket, link, said };
}

/** The spread of the longest prefix that holds the address; none where a hole does. */
function longest(spreads: readonly PictureSpread[], to: string): PictureSpread | undefined {
  const all = spreads.flatMap((spread) => [
    ...spread.spec.to.map((prefix) => ({ prefix, spread })),
    ...(spread.spec.except ?? []).map((prefix) => ({ prefix, spread: undefined })),
  ]);
  const holding = all.filter(({ prefix }) => familyOf(prefix) === familyOf(to) && prefixContains(prefix, to));
  const length = ({ prefix }: { prefix: string }): number => parsePrefix(prefix)?.length ?? 0;
  return holding.sort((a, b) => length(b) - length(a))[0]?.spread;
}

/** The flow, where all that it is hashed by is known. */
function flowOf({ from, to, ipProtocol, sourcePort, destinationPort }: Packet): Flow | undefined {
  if (from === undefined || ipProtocol === undefined) return undefined;
  const flow = { source: from, destination: to, protocol: ipProtocol };
  if (!WITH_PORTS.has(ipProtocol)) return ipProtocol === 1 || ipProtocol === 58 ? undefined : flow;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return { ...flow, ports: { source: sourcePort, destination: destinationPort } };
}
