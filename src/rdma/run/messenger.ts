// Owns messages between hosts at a running bridge: how hosts are found on either side, how management is sent, and the
// file that sessions are kept in.
import { FrameQueue } from "../../host/frames.ts";
import { AddressQuestions } from "../bridge/address-questions.ts";
import type { IpoibPeer } from "../bridge/address-events.ts";
import { nativeDatagram, roceDatagram } from "../bridge/datagrams.ts";
import { PASSED } from "../bridge/drops.ts";
import type { Forwarder } from "../bridge/forwarder.ts";
import { Hosts } from "../bridge/hosts.ts";
import type { Host, HostEvents } from "../bridge/hosts.ts";
import { GSI_QKEY, HOP_LIMIT, Messages, ROCE_PKEY, TAKEN } from "../bridge/messages.ts";
import { makeMgid } from "../bridge/mgid.ts";
import { EthernetTarget, InfinibandTarget } from "../bridge/rewrite.ts";
import { Sessions } from "../bridge/sessions.ts";
import type { SessionBounds } from "../bridge/sessions.ts";
import { Sidr } from "../bridge/sidr.ts";
import { MULTICAST_QP } from "../bridge/translate.ts";
import { Deth, GSI_QP, readDeth, bthDestQp } from "../codec/bth.ts";
import { u16, u8 } from "../codec/bytes.ts";
import { GRH_DGID } from "../codec/grh.ts";
import { isUd } from "../codec/opcodes.ts";
import type { PacketParts } from "../codec/packet-parts.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import type { EthernetPort } from "../port/ethernet-port.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";
import { solicitedNodeOf } from "../../probes/nd.ts";
import { GroupKeeper } from "../sa/group-keeper.ts";
import { FabricError } from "../sa/management-port.ts";
import type { SaClient } from "../sa/sa-client.ts";
import { Registrations } from "./registrations.ts";
import { SessionFile } from "./session-file.ts";
import { SolicitedGroups } from "./solicited-groups.ts";
import { IPOIB_QKEY } from "./subnet.ts";
import type { SubnetNews } from "./subnet.ts";

/** The queue pair that IP over InfiniBand comes to. */
const IPOIB_QPN = 0x4950;
/** Path records that are asked for at once. */
const MOST_PATHS = 32;
/** How often sessions are looked through, the membership in IPoIB's broadcast group, and those for hosts of IPv6. */
const EVERY_MS = { sessions: 1000, group: 5000, solicited: 250 } as const;

/** A queue pair that the file states. */
export interface StatedEndpoint {
  /** 4 or 16 bytes. */
  address: Uint8Array;
  side: "ethernet" | "infiniband";
  qpn: number;
  qKey: number;
  /** Of one on Ethernet: its number on InfiniBand, and the Q_Key that senders there put. */
  alias?: number;
  farQKey?: number;
}

/** What a section says of messages between hosts. */
export interface MessagePlan {
  /** Services that may be asked for; all where absent. */
  ports?: readonly number[];
  immediateQpn: boolean;
  bounds: Partial<SessionBounds>;
  endpoints: readonly StatedEndpoint[];
  /** Hosts on Ethernet that the subnet administrator is told of, 4 or 16 bytes each. */
  registered?: readonly Uint8Array[];
}

export interface MessengerOptions {
  plan: MessagePlan;
  pKey: number;
  forwarder: Forwarder;
  infiniband: InfinibandPort;
  client: SaClient;
  /** Where sessions are kept; nowhere where absent. */
  file?: string;
  tell: SubnetNews;
}

export class Messenger {
  readonly hosts: Hosts;
  readonly sessions: Sessions;
  readonly sidr: Sidr;
  readonly messages: Messages;
  readonly questions: AddressQuestions;
  readonly registrations: Registrations;
  readonly #options: MessengerOptions;
  readonly #forwarder: Forwarder;
  readonly #port: InfinibandPort;
  readonly #client: SaClient;
  readonly #file: SessionFile | undefined;
  readonly #keeper: GroupKeeper;
  readonly #solicited: SolicitedGroups;
  readonly #broadcast: Uint8Array;
  readonly #queue = new FrameQueue();
  readonly #deth = new Deth();
  /** By their hosts, those that are asked for now. */
  readonly #paths = new Set<Host>();
  #ethernet: EthernetPort | undefined;
  #group: McMemberRecord | undefined;
  #sessionsMs = -Infinity;
  #groupMs = -Infinity;
  #solicitedMs = -Infinity;
  #fileTold = false;

  constructor(options: MessengerOptions) {
    const { plan, pKey, forwarder, infiniband, client, file } = options;
    this.#options = options;
    this.#forwarder = forwarder;
    this.#port = infiniband;
    this.#client = client;
    this.#file = file === undefined ? undefined : new SessionFile(file, (error) => this.#tellFile(error));
    const { flows } = forwarder;
    const hostEvents: HostEvents = {
      seek: (host) => this.questions.ask(host),
      seekPath: (host) => void this.#seekPath(host),
      ready: (host) => this.#ready(host),
      left: (host, why) => this.#left(host, why),
    };
    this.hosts = new Hosts(flows.withHosts(hostEvents, () => this.hosts));
    this.sessions = new Sessions(
      flows.withSessions(
        {
          opened: (session) => this.#file?.opened(session),
          learned: (endpoint) => this.#file?.learned(endpoint),
          changed: () => {},
          closed: (session) => this.#file?.closed(session),
          forgotten: (endpoint) => this.#file?.forgotten(endpoint),
        },
        () => this.hosts,
      ),
      plan.bounds,
    );
    const firstId = Math.floor(Math.random() * 2 ** 32);
    const ports = plan.ports === undefined ? {} : { ports: plan.ports };
    this.sidr = new Sidr(
      this.hosts,
      this.sessions,
      { send: (to, from, mad) => this.#sendMad(to, from, mad) },
      { pKey, firstId, ...ports },
    );
    const { immediateQpn } = plan;
    this.messages = new Messages(this.hosts, this.sessions, this.sidr, { pKey, immediateQpn });
    this.questions = new AddressQuestions(
      this.hosts,
      {
        sendFrame: (frame) => this.#sendFrame(frame),
        sendIpoib: (payload, to) => this.#sendIpoib(payload, to),
        sendIpoibGroup: (payload, group) => void this.#sendIpoibGroup(payload, group),
      },
      forwarder.ethernet,
      { qpn: IPOIB_QPN, gid: infiniband.gid },
    );
    const { registered = [] } = plan;
    this.registrations = new Registrations({
      addresses: registered,
      hosts: this.hosts,
      client,
      gid: infiniband.gid,
      pKey,
    });
    this.#broadcast = makeMgid({ format: "ipoib", group: new Uint8Array(4).fill(0xff), pKey, scope: 2 });
    this.#keeper = new GroupKeeper(client, ({ record, mgid }) => {
      this.#group = record;
      // What is taken for IP over InfiniBand is decided by it.
      flows.clear();
      if (record === undefined) infiniband.detach(mgid);
      else infiniband.attach({ mgid, mlid: record.mlid, qKey: record.qKey });
    });
    this.#solicited = new SolicitedGroups({ client, infiniband, pKey });
    client.onOther = (mad, slid) => this.#management(mad, slid);
    forwarder.messages = this.messages;
    forwarder.ipoib = { takes: (bytes, parts) => this.#takesIpoib(bytes, parts) };
    this.#restore(plan.endpoints);
  }

  /** Joins what hosts are found by. To be called when the manager is there. */
  async start(): Promise<void> {
    // Where there is no such group, it is made as Linux makes it (ipoib_mcast_join): nobody may have been there before.
    const more = { qKey: IPOIB_QKEY, pKey: this.#options.pKey, sl: 0, flowLabel: 0, trafficClass: 0 };
    await this.#keeper.hold({ mgid: this.#broadcast, joinState: 1, more });
  }

  /** The link that there is, or is not. */
  set ethernet(port: EthernetPort | undefined) {
    this.#ethernet = port;
    this.questions.ethernet = this.#forwarder.ethernet;
  }

  /** Takes a frame of ARP or neighbour discovery. */
  takeNeighbour(bytes: Uint8Array, at: number, to: number): void {
    this.questions.takeFrame(bytes, at, to, this.messages.nowMs);
  }

  /** Looks at what time does to hosts and sessions. To be called twenty times a second. */
  tick(nowMs: number): void {
    this.messages.nowMs = nowMs;
    this.questions.ethernet = this.#forwarder.ethernet;
    this.hosts.tick(nowMs);
    this.registrations.tick(nowMs, this.questions.wanted.answers);
    if (nowMs - this.#sessionsMs < EVERY_MS.sessions) return;
    this.#sessionsMs = nowMs;
    // What was passed on without JavaScript is in use as well.
    this.#forwarder.flows.fold(nowMs);
    this.sessions.expire(nowMs);
    this.sidr.expire(nowMs);
    this.#file?.tidy(this.hosts, this.sessions);
  }

  /** Looks at registrations and the membership, when it is time for that. */
  async look(nowMs: number): Promise<void> {
    await this.registrations.look(nowMs);
    await this.#hearSolicited(nowMs);
    if (nowMs - this.#groupMs < EVERY_MS.group) return;
    this.#groupMs = nowMs;
    await this.#keeper.check();
  }

  /** Gives up what it joined and registered, as far as somebody answers. */
  async leave(): Promise<void> {
    this.#client.onOther = () => {};
    await this.registrations.leave();
    await this.#solicited.leave();
    await this.#keeper.release(this.#broadcast).catch((error: unknown) => {
      if (!(error instanceof FabricError)) throw error;
    });
  }

  #restore(endpoints: readonly StatedEndpoint[]): void {
    const nowMs = performance.now();
    this.messages.nowMs = nowMs;
    for (const { address, side, qpn, qKey, alias, farQKey = -1 } of endpoints) {
      const host = this.hosts.take(address, side, nowMs);
      const endpoint = host && this.sessions.endpoints.add(host, qpn, "file", qKey, nowMs, alias);
      if (endpoint !== undefined) endpoint.farQKey = farQKey;
    }
    const count = this.#file?.restore(this.hosts, this.sessions, nowMs) ?? 0;
    if (count > 0) this.#options.tell("sessions-restored", { count });
  }

  #ready(host: Host): void {
    const { nowMs } = this.messages;
    this.#file?.host(host);
    this.sidr.found(host, nowMs);
    this.questions.wanted.found(host, nowMs);
  }

  #left(host: Host, why: "moved" | "crossed" | "gone" | "doubled"): void {
    this.#options.tell(`host-${why}`, { host: host.name, side: host.side });
    this.sidr.left(host);
    if (why === "crossed") this.sessions.closeOf(host);
  }

  async #seekPath(host: Host): Promise<void> {
    if (this.#paths.has(host) || this.#paths.size >= MOST_PATHS) return;
    this.#paths.add(host);
    const gid = host.gid.slice();
    try {
      const { dlid, sl, mtu } = await this.#client.path(gid);
      this.messages.nowMs = performance.now();
      this.hosts.setPath(host, gid, { lid: dlid, sl, mtu: 128 << mtu });
    } catch (error) {
      // Whoever wants to send to it asks again.
      if (!(error instanceof FabricError)) throw error;
    } finally {
      this.#paths.delete(host);
    }
  }

  #management(mad: Uint8Array, slid: number): void {
    this.messages.nowMs = performance.now();
    const reason = this.messages.managementFromInfiniband(mad, slid, this.#forwarder.infiniband);
    if (reason !== PASSED && reason !== TAKEN) this.#forwarder.toEthernet.drop(reason);
  }

  /** A datagram of management to a host, as from another. */
  #sendMad(to: Host, from: Host, mad: Uint8Array): void {
    if (to.side === "infiniband") {
      if (to.lid !== 0) this.#port.management.send(mad, to.lid);
      return;
    }
    const target = new EthernetTarget();
    Object.assign(target, { source: from.address, destination: to.address, mac: to.mac, hopLimit: HOP_LIMIT });
    Object.assign(target, { sourceMac: this.#forwarder.ethernet.mac, pKey: ROCE_PKEY, qKey: GSI_QKEY });
    Object.assign(target, { destQp: GSI_QP, srcQp: GSI_QP });
    this.#sendFrame(roceDatagram(target, mad));
  }

  #sendFrame(frame: Uint8Array): void {
    this.#queue.count = 0;
    this.#queue.add(0, frame.length);
    this.#ethernet?.send(frame, this.#queue);
  }

  /** Is a member of the groups by which the hosts of IPv6 are asked for that this bridge answers for on InfiniBand. */
  async #hearSolicited(nowMs: number): Promise<void> {
    if (this.#group === undefined || nowMs - this.#solicitedMs < EVERY_MS.solicited) return;
    this.#solicitedMs = nowMs;
    const answered = [...this.hosts].filter(
      ({ address, side, state }) => address.length === 16 && side === "ethernet" && state === "found",
    );
    const groups = this.questions.wanted.answers ? answered.map(({ address }) => solicitedNodeOf(address)) : [];
    await this.#solicited.hear(groups, this.#group, nowMs);
  }

  async #sendIpoibGroup(payload: Uint8Array, group: Uint8Array): Promise<void> {
    const record = await this.#solicited.recordOf(group, this.messages.nowMs);
    if (record !== undefined) this.#sendIpoib(payload, undefined, record);
  }

  /** To a peer, or to the group of a record. */
  #sendIpoib(payload: Uint8Array, to: IpoibPeer | undefined, group = this.#group): void {
    if (group === undefined || this.#port.lid === 0) return;
    const { mgid, mlid, qKey, pKey, sl, hopLimit } = group;
    const target = new InfinibandTarget();
    Object.assign(target, { slid: this.#port.lid, sl, hopLimit, pKey, qKey, srcQp: IPOIB_QPN });
    Object.assign(target, { dlid: to?.lid ?? mlid, destQp: to?.qpn ?? MULTICAST_QP, sgid: this.#port.gid });
    target.dgid = to?.gid ?? mgid;
    const { bytes, length } = nativeDatagram(target, payload);
    this.#queue.count = 0;
    this.#queue.add(0, length);
    this.#port.send(bytes, this.#queue);
  }

  #takesIpoib(bytes: Uint8Array, parts: PacketParts): boolean {
    if (this.#group === undefined || !isUd(u8(bytes, parts.bth))) return false;
    const queuePair = bthDestQp(bytes, parts.bth);
    const group = parts.grh + GRH_DGID;
    const isHeard = parts.grh >= 0 && (isAt(this.#broadcast, bytes, group) || this.#solicited.hears(bytes, group));
    if (queuePair !== IPOIB_QPN && !(queuePair === MULTICAST_QP && isHeard)) return false;
    readDeth(bytes, parts.deth, this.#deth);
    const slid = u16(bytes, parts.lrh + 6);
    if (this.#deth.qKey !== this.#group.qKey || slid === this.#port.lid) return true;
    this.questions.takeIpoib(bytes, parts.payload, parts.payloadEnd, slid, this.messages.nowMs);
    return true;
  }

  #tellFile(error: Error): void {
    if (!this.#fileTold) this.#options.tell("sessions-not-kept", { why: error.message });
    this.#fileTold = true;
  }
}

function isAt(address: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
