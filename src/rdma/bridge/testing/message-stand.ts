// Owns a bridge of messages between hosts without a network, for tests: what it sends and asks is kept, and time is told.
import { setU32, u24, u32, u8 } from "../../codec/bytes.ts";
import { CM_ATTRIBUTE, SidrRep, SidrReq, SIDR_REQ_PRIVATE, writeSidrRep, writeSidrReq } from "../../codec/cm.ts";
import { IpCm, ipServiceLow, writeIpCm } from "../../codec/ip-cm.ts";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, writeMadHeader } from "../../codec/mad.ts";
import { UD_SEND_ONLY_WITH_IMMEDIATE } from "../../codec/opcodes.ts";
import type { PacketFields } from "../../codec/build-packet.ts";
import { groupPacket } from "../../hosts/messages.ts";
import { DROP_NAMES, PASSED } from "../drops.ts";
import type { Endpoint } from "../endpoint.ts";
import { Forwarder } from "../forwarder.ts";
import { Hosts } from "../hosts.ts";
import type { Host, HostEvents } from "../hosts.ts";
import { LearntFlows } from "../learnt-flows.ts";
import { GSI_QKEY, Messages, TAKEN } from "../messages.ts";
import type { MessageRules } from "../messages.ts";
import { Sessions } from "../sessions.ts";
import type { Session, SessionBounds } from "../sessions.ts";
import { Sidr } from "../sidr.ts";
import { bytesOf, GID, MAC, pass } from "./packets.ts";
import type { Passed } from "./packets.ts";

export const BRIDGE_LID = 7;
export const QKEY = 0x01234567;

/** A host of the tests: where it is on its side. */
export interface Place {
  address: string;
  mac?: Uint8Array;
  lid?: number;
}

export const ROCE: Place = { address: "192.0.2.10", mac: Uint8Array.of(2, 0, 0, 0, 0, 0x10) };
export const IB: Place = { address: "192.0.2.77", lid: 9 };

/** A GID of the host at a LID. */
export function gidOf(lid: number): Uint8Array {
  const gid = bytesOf("fe80::20:0");
  setU32(gid, 12, 0x200000 + lid);
  return gid;
}

export interface SentMad {
  to: string;
  from: string;
  mad: Uint8Array;
}

export class MessageStand {
  nowMs = 1000;
  readonly mads: SentMad[] = [];
  readonly sought: string[] = [];
  readonly left: string[] = [];
  readonly written: string[] = [];
  readonly flows = new LearntFlows();
  readonly hosts: Hosts;
  readonly sessions: Sessions;
  readonly sidr: Sidr;
  readonly messages: Messages;
  readonly forwarder: Forwarder;

  constructor(
    options: {
      rules?: Partial<MessageRules>;
      bounds?: Partial<SessionBounds>;
      ports?: number[];
      mostHosts?: number;
    } = {},
  ) {
    const hostEvents: HostEvents = {
      seek: (host) => this.sought.push(host.name),
      seekPath: (host) => this.sought.push(`path ${host.name}`),
      ready: (host) => this.sidr.found(host, this.nowMs),
      left: (host, why) => {
        this.left.push(`${host.name} ${why}`);
        this.sidr.left(host);
      },
    };
    this.hosts = new Hosts(
      this.flows.withHosts(hostEvents, () => this.hosts),
      options.mostHosts,
    );
    const note = (what: string) => (one: Session | Endpoint) =>
      void this.written.push(`${what} ${"server" in one ? one.client.name : one.host.name}`);
    this.sessions = new Sessions(
      this.flows.withSessions(
        {
          opened: note("opened"),
          learned: note("learned"),
          changed: () => {},
          closed: note("closed"),
          forgotten: note("forgotten"),
        },
        () => this.hosts,
      ),
      options.bounds,
    );
    const { ports } = options;
    this.sidr = new Sidr(
      this.hosts,
      this.sessions,
      { send: (to, from, mad) => this.mads.push({ to: to.name, from: from.name, mad }) },
      { pKey: 0xffff, firstId: 0x5000, ...(ports === undefined ? {} : { ports }) },
    );
    const rules = { pKey: 0xffff, immediateQpn: false, ...options.rules };
    this.messages = new Messages(this.hosts, this.sessions, this.sidr, rules);
    const ethernet = { mac: MAC, ipv4: bytesOf("192.0.2.1"), ipv6: bytesOf("fd00:2::1"), mtu: 1500 };
    const infiniband = { lid: BRIDGE_LID, gid: GID, qpn: 0x4942 };
    this.forwarder = new Forwarder([], ethernet, infiniband, { serves: () => true });
    this.forwarder.messages = this.messages;
    this.forwarder.flows = this.flows;
  }

  /** Lets a host answer the bridge's question where it is. */
  answer({ address, mac, lid = 0 }: Place): Host {
    const host = this.hosts.take(bytesOf(address), mac ? "ethernet" : "infiniband", this.nowMs) as Host;
    if (mac) this.hosts.heard(host, "ethernet", mac, this.nowMs);
    else {
      this.hosts.heard(host, "infiniband", gidOf(lid), this.nowMs);
      this.hosts.setPath(host, gidOf(lid), { lid, sl: 2, mtu: 2048 });
    }
    return host;
  }

  /** Time passes, in which the bridge looks as often as it does. */
  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += Math.min(50, end - this.nowMs);
      this.hosts.tick(this.nowMs);
      this.sessions.expire(this.nowMs);
      this.sidr.expire(this.nowMs);
    }
    this.messages.nowMs = this.nowMs;
  }

  /** A frame or native packet comes in. */
  take(from: "ethernet" | "infiniband", packet: Uint8Array): Passed {
    this.messages.nowMs = this.nowMs;
    return pass(this.forwarder, from, packet);
  }

  /** A datagram comes to queue pair 1 on InfiniBand. */
  takeMad(mad: Uint8Array, slid: number): string {
    this.messages.nowMs = this.nowMs;
    const reason = this.messages.managementFromInfiniband(mad, slid, this.forwarder.infiniband);
    return reason === PASSED || reason === TAKEN ? "taken" : (DROP_NAMES[reason] as string);
  }

  /** The only datagram that was sent since this was asked last. */
  mad(): SentMad {
    const [one, ...more] = this.mads.splice(0);
    if (one === undefined || more.length > 0) throw new Error(`${more.length + (one ? 1 : 0)} datagrams were sent`);
    return one;
  }
}

/** A frame of a host on Ethernet to the address of one behind the bridge. */
export function roceMessage(
  from: Place,
  to: Place,
  payload: Uint8Array,
  change: (fields: PacketFields) => void = () => {},
): Uint8Array {
  const [source, destination] = [bytesOf(from.address), bytesOf(to.address)];
  return groupPacket(source.length === 4 ? "roce-ipv4" : "roce-ipv6", payload, (fields) => {
    fields.ethernet.source.set(from.mac ?? []);
    fields.ethernet.destination.set(MAC);
    if (source.length === 4) {
      fields.ipv4.source.set(source);
      fields.ipv4.destination.set(destination);
    } else {
      fields.grh.sgid.set(source);
      fields.grh.dgid.set(destination);
    }
    change(fields);
  });
}

/** A native packet of a host on InfiniBand to the bridge. */
export function ibMessage(
  from: Place,
  destQp: number,
  payload: Uint8Array,
  change: (fields: PacketFields) => void = () => {},
  wire: "ib-local" | "ib-global" = "ib-local",
): Uint8Array {
  return groupPacket(wire, payload, (fields) => {
    Object.assign(fields.lrh, { slid: from.lid, dlid: BRIDGE_LID });
    fields.grh.sgid.set(gidOf(from.lid ?? 0));
    fields.grh.dgid.set(GID);
    fields.bth.destQp = destQp;
    change(fields);
  });
}

export interface Asked {
  requestId?: number;
  port?: number;
  tid?: number;
}

/** A SIDR_REQ of RDMA-CM. */
export function sidrReq(
  from: Place,
  to: Place,
  { requestId = 0x1111, port = 4711, tid = 0x77 }: Asked = {},
): Uint8Array {
  const mad = new Uint8Array(MAD_BYTES);
  writeCmHeader(mad, CM_ATTRIBUTE.sidrReq, tid);
  const service = { serviceIdHigh: 0, serviceIdLow: ipServiceLow(17, port) };
  writeSidrReq(mad, 0, Object.assign(new SidrReq(), { requestId, pKey: 0xffff, ...service }));
  const [source, destination] = [bytesOf(from.address), bytesOf(to.address)];
  const ip = new IpCm();
  ip.ipVersion = source.length === 4 ? 4 : 6;
  ip.sourcePort = 50_000;
  ip.source.set(source, 16 - source.length);
  ip.destination.set(destination, 16 - destination.length);
  writeIpCm(mad, SIDR_REQ_PRIVATE, ip);
  mad[SIDR_REQ_PRIVATE + 40] = 0x5a;
  return mad;
}

/** The SIDR_REP of a host to a request that it got. */
export function sidrRep(request: Uint8Array, fields: Partial<SidrRep>): Uint8Array {
  const mad = new Uint8Array(MAD_BYTES);
  writeCmHeader(mad, CM_ATTRIBUTE.sidrRep, u32(request, 12));
  const rep = Object.assign(new SidrRep(), {
    requestId: u32(request, 24),
    serviceIdHigh: u32(request, 32),
    serviceIdLow: u32(request, 36),
    qKey: QKEY,
    ...fields,
  });
  writeSidrRep(mad, 0, rep);
  mad[130] = 0xa5;
  return mad;
}

/** What a SIDR_REP tells. */
export function toldBy(mad: Uint8Array): { requestId: number; tid: number; status: number; qpn: number; qKey: number } {
  return { requestId: u32(mad, 24), tid: u32(mad, 12), status: u8(mad, 28), qpn: u24(mad, 32), qKey: u32(mad, 44) };
}

/** A datagram of management as a frame. */
export function gsiMessage(
  from: Place,
  to: Place,
  mad: Uint8Array,
  change?: (fields: PacketFields) => void,
): Uint8Array {
  return roceMessage(from, to, mad, (fields) => {
    fields.bth.destQp = fields.deth.srcQp = 1;
    fields.deth.qKey = GSI_QKEY;
    change?.(fields);
  });
}

/** Puts the sender's queue pair into the immediate data, as udaddy does. */
export function withOwnQpn(fields: PacketFields): void {
  fields.bth.opcode = UD_SEND_ONLY_WITH_IMMEDIATE;
  fields.immediate = fields.deth.srcQp;
}

function writeCmHeader(mad: Uint8Array, attribute: number, tidLow: number): void {
  const cm = { managementClass: MANAGEMENT_CLASS.cm, classVersion: 2, method: METHOD.send };
  writeMadHeader(mad, 0, Object.assign(new MadHeader(), { ...cm, attribute, tidHigh: 1, tidLow }));
}
