// Owns a running bridge: two ports, the packets between them, and its turn among other bridges.
import { randomBytes } from "node:crypto";
import { HostError } from "../../host/error.ts";
import { BATCH_FRAMES, FrameQueue } from "../../host/frames.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import type { NamespaceFd } from "../../host/native.ts";
import { parseAddress } from "../../model/ip.ts";
import { PASSED } from "../bridge/drops.ts";
import { Election, ELECTION_MS } from "../bridge/election.ts";
import { Forwarder } from "../bridge/forwarder.ts";
import type { Counted } from "../bridge/forwarder.ts";
import type { BridgedGroup } from "../bridge/group.ts";
import { hashText, isHello, MOST_PEERS, readHello, writeHello } from "../bridge/hello.ts";
import type { Hello } from "../bridge/hello.ts";
import type { EthernetSelf } from "../bridge/translate.ts";
import { Listeners } from "../bridge/listeners.ts";
import { u16, u8 } from "../codec/bytes.ts";
import { PROTOCOL } from "../codec/ipv4.ts";
import { ETHERNET_BYTES, ETHERTYPE } from "../codec/ethernet.ts";
import { mayTellOfGroups } from "../codec/locate-membership.ts";
import { EthernetPort, findEthernetLink } from "../port/ethernet-port.ts";
import type { EthernetLink } from "../port/ethernet-port.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";
import { FastPath } from "./fast-path.ts";
import { MemberWatch } from "./member-watch.ts";
import type { KeySource } from "./member-watch.ts";
import { Messenger } from "./messenger.ts";
import type { MessagePlan } from "./messenger.ts";
import { Subnet } from "./subnet.ts";
import type { SubnetGroup, SubnetNews } from "./subnet.ts";

/** How often the election's clock is looked at, and the link. */
const TICK_MS = 50;
const LINK_MS = 500;
/** How often what was passed on without JavaScript is counted. */
const FOLD_MS = 1000;
/** All routers, and those of IGMPv3 and MLDv2 (RFC 2236, 9; RFC 3376, 4.2.14; RFC 2710, 5; RFC 3810, 5.2.14). */
const ROUTERS = {
  4: ["224.0.0.2", "224.0.0.22"].map((group) => parseAddress(group) as Uint8Array),
  6: ["ff02::2", "ff02::16"].map((group) => parseAddress(group) as Uint8Array),
} as const;

/** What a bridge is made of. */
export interface BridgeOptions {
  /** Name of its section: bridges with the same one share the groups. */
  name: string;
  /** Name of the link on Ethernet. */
  link: string;
  namespace?: NamespaceFd;
  infiniband: InfinibandPort;
  pKey: number;
  groups: readonly SubnetGroup[];
  /** Reads the key by which the subnet administrator tells who is in the groups; nobody is asked without it. */
  smKey?: KeySource;
  /** Messages between hosts; none where absent. */
  messages?: MessagePlan;
  /** The file that sessions are kept in. */
  sessionFile?: string;
  tell: SubnetNews;
}

interface Queued {
  group: Counted | undefined;
  bytes: number;
}

export class Bridge implements AsyncDisposable {
  readonly name: string;
  readonly groups: readonly BridgedGroup[];
  readonly forwarder: Forwarder;
  readonly election: Election;
  readonly infiniband: InfinibandPort;
  readonly messenger: Messenger | undefined;
  /** Frames that are longer than any packet of RDMA. */
  readonly counts = { ethernet: { truncated: 0 }, infiniband: { truncated: 0 } };
  link: EthernetLink | undefined;
  readonly startedMs = performance.now();
  /** Who listens to the groups on Ethernet, and on InfiniBand. */
  readonly listeners: Listeners;
  readonly members: MemberWatch;
  readonly linkName: string;
  readonly #namespace: NamespaceFd;
  readonly #subnet: Subnet;
  readonly #tell: SubnetNews;
  readonly #fast: FastPath;
  readonly #queue = new FrameQueue();
  /** Of the frames in the queue: whose they are, and their payload. */
  readonly #queued: Queued[] = [];
  readonly #hello = new FrameQueue();
  /** Hardware addresses of other bridges, as many as were heard last. */
  readonly #peerMacs = new Set<string>();
  #ethernet: EthernetPort | undefined;
  /** Versions of IP in which the port hears what is for routers. */
  readonly #hearsAs = new Set<4 | 6>();
  #overrunBefore = 0;
  #serving = false;
  /** Of the batch that is dealt with: when, and since when its socket was read to the end. */
  #nowMs = 0;
  #emptied = 0;
  readonly #emptiedOn = { ethernet: 0, infiniband: 0 };
  /** The generation of the election when a relay went on: what it has read since was not there before. */
  readonly #resumedIn = { ethernet: 0, infiniband: 0 };
  #handovers = 0;
  #foldedMs = -Infinity;
  #linkMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;
  #state = "";
  #closed = false;
  /** Told what ended the bridge: a bug, which nobody repairs here. */
  onFailure: (error: unknown) => void = (error) => {
    throw error;
  };

  constructor(options: BridgeOptions) {
    const {
      name,
      link,
      namespace = OWN_NAMESPACE,
      infiniband,
      pKey,
      groups,
      smKey,
      messages,
      sessionFile,
      tell,
    } = options;
    this.name = name;
    this.linkName = link;
    this.#namespace = namespace;
    this.infiniband = infiniband;
    this.groups = groups.map(({ group }) => group);
    this.#tell = tell;
    this.#subnet = new Subnet(infiniband, pKey, groups, tell);
    this.listeners = new Listeners(this.groups, (mac) => this.#peerMacs.has(mac.join()));
    this.members = new MemberWatch(this.#subnet.client, this.groups, infiniband.gid, smKey, tell);
    const texts = this.groups.map((group) => `${group.name} ${group.way} ${group.mgid.join()}`);
    // The last one is that of answering for hosts, which one bridge does as well.
    const hashes = [...this.groups.map((group) => group.mgid.join()), "hosts"].map(hashText);
    const id = randomBytes(8).readBigUInt64BE();
    this.election = new Election(id, hashText(name), hashText(texts.toSorted().join("\n")), hashes);
    const turn = {
      serves: ({ index }: BridgedGroup) => this.#serving && this.election.serves(index, this.#nowMs, this.#emptied),
    };
    const self = { mac: new Uint8Array(6), mtu: 0 };
    this.forwarder = new Forwarder(this.groups, self, { lid: 0, gid: infiniband.gid, qpn: infiniband.qpn }, turn);
    this.#fast = new FastPath(this.forwarder, infiniband);
    this.#subnet.onChange = (group) => this.forwarder.flows.drop(group);
    if (messages !== undefined) {
      const file = sessionFile === undefined ? {} : { file: sessionFile };
      const { forwarder } = this;
      const { client } = this.#subnet;
      this.messenger = new Messenger({ plan: messages, pKey, forwarder, infiniband, client, tell, ...file });
      this.messenger.questions.isBridge = (mac) => this.#peerMacs.has(mac.join());
    }
    infiniband.onReadable = () => this.#fromInfiniband();
  }

  /** Begins. What is not there yet is waited for. Rejects with HostError: EPERM without CAP_NET_RAW. */
  async start(): Promise<void> {
    await this.#lookAtLink();
    this.#tick();
    this.#isLooking = true;
    this.#looking = this.#join().then(() => void (this.#isLooking = false));
    await this.#looking;
  }

  async #join(): Promise<void> {
    // Hosts first: their sessions have gone on, and groups may be many.
    await this.#subnet.place();
    this.#takeLid();
    await this.messenger?.start();
    await this.#subnet.join();
  }

  /** LID of the subnet manager, 0 while there is none. */
  get smLid(): number {
    return this.#subnet.smLid;
  }

  /** When the subnet manager answered last; undefined where it never has. */
  get managerMs(): number | undefined {
    return this.#subnet.client.heardMs;
  }

  /** Gigabits per second that the port on InfiniBand can carry; undefined where it does not tell. */
  get portRate(): number | undefined {
    return this.#subnet.portRate;
  }

  /** Packets for which the link's socket had no room. */
  get overrun(): number {
    return this.#overrunBefore + (this.#ethernet?.overrun ?? 0);
  }

  /** Hands its groups to the other bridges, leaves them, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#serving = false;
    this.#say(this.election.resign(performance.now()));
    this.#dropLost();
    await this.#looking;
    await this.messenger?.leave();
    await this.#subnet.leave();
    this.#closeEthernet();
    await this.infiniband.close();
  }

  #tick(): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    this.election.setReady((this.link?.up ?? false) && this.#subnet.ready, nowMs);
    const mustSay = this.election.tick(nowMs);
    // Before the lease counts anew.
    this.#dropLost();
    if (mustSay) this.#sayHello(nowMs);
    if (nowMs - this.#foldedMs >= FOLD_MS) {
      this.#foldedMs = nowMs;
      this.forwarder.flows.fold(nowMs);
    }
    if (this.messenger !== undefined) {
      this.messenger.questions.wanted.answers = this.election.mayServe(nowMs) && this.election.has(this.groups.length);
      this.messenger.tick(nowMs);
    }
    // A quiet socket is found empty before its first packet comes.
    if (this.#emptiedOn.ethernet !== this.election.generation) this.#fromEthernet();
    if (this.#emptiedOn.infiniband !== this.election.generation) this.#fromInfiniband();
    if (this.election.state !== this.#state) {
      this.#state = this.election.state;
      this.#tell("state", { state: this.#state });
    }
    if (!this.#isLooking) {
      this.#isLooking = true;
      this.#looking = this.#look(nowMs).then(
        () => void (this.#isLooking = false),
        (error: unknown) => this.onFailure(error),
      );
    }
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  async #look(nowMs: number): Promise<void> {
    if (nowMs - this.#linkMs >= LINK_MS) {
      this.#linkMs = nowMs;
      await this.#lookAtLink();
    }
    await this.#subnet.look(nowMs);
    await this.messenger?.look(nowMs);
    // Nobody waits for it: an answer may take seconds, and none comes to a wrong key.
    if (this.#subnet.ready) void this.members.look(nowMs)?.catch((error: unknown) => this.onFailure(error));
    this.#takeLid();
  }

  #takeLid(): void {
    if (this.forwarder.infiniband.lid !== this.infiniband.lid) this.forwarder.flows.clear();
    this.forwarder.infiniband.lid = this.infiniband.lid;
  }

  async #lookAtLink(): Promise<void> {
    const link = await findEthernetLink(this.linkName, this.#namespace);
    if (link?.index !== this.#ethernet?.index) this.#closeEthernet();
    if (link?.up !== this.link?.up) this.#tell("link", { link: this.linkName, state: link?.up ? "up" : "down" });
    this.link = link;
    if (link === undefined) return;
    if (!isSameSelf(this.forwarder.ethernet, link)) this.forwarder.flows.clear();
    this.forwarder.ethernet = link;
    this.#ethernet ??= this.#openEthernet(link.index);
    this.#hearAsRouter(link);
    if (this.messenger !== undefined) this.messenger.ethernet = this.#ethernet;
  }

  #openEthernet(index: number): EthernetPort | undefined {
    const port = new EthernetPort(index, this.#namespace, this.messenger !== undefined);
    try {
      for (const { ethernet, way } of this.groups) if (way !== "to-ethernet") port.join(ethernet.address);
    } catch (error) {
      port.close();
      // It went while it was opened: the next look finds what there is.
      if (isGone(error)) return undefined;
      throw error;
    }
    port.onReadable = () => this.#fromEthernet();
    this.#fast.open(port);
    return port;
  }

  /** Hosts tell routers what they listen to, and switches that snoop let it through to those. */
  #hearAsRouter({ ipv4, ipv6 }: EthernetLink): void {
    if (this.#ethernet === undefined) return;
    for (const family of [4, 6] as const) {
      const length = family === 4 ? 4 : 16;
      const isThere = (family === 4 ? ipv4 : ipv6) !== undefined;
      if (!isThere || this.#hearsAs.has(family)) continue;
      if (!this.groups.some(({ ethernet }) => ethernet.address.length === length)) continue;
      this.#hearsAs.add(family);
      try {
        for (const group of ROUTERS[family]) this.#ethernet.join(group);
      } catch (error) {
        if (!isGone(error)) throw error;
        return this.#closeEthernet();
      }
    }
  }

  #closeEthernet(): void {
    this.#hearsAs.clear();
    this.#overrunBefore = this.overrun;
    this.#fast.close();
    this.#ethernet?.close();
    this.#ethernet = undefined;
    if (this.messenger !== undefined) this.messenger.ethernet = undefined;
  }

  #fromEthernet(): void {
    const arena = this.#fast.arenas.ethernet;
    const now = this.election.generation;
    const count = this.#ethernet?.receive(arena) ?? 0;
    const generation = this.#fast.readBefore("ethernet") ? this.#resumedIn.ethernet : now;
    this.#begin("ethernet");
    for (let slot = 0; slot < count; slot++) {
      const at = arena.at(slot);
      const length = arena.lengths[slot] as number;
      if (length < 0) this.counts.ethernet.truncated++;
      else if (length === 0) continue;
      else if (isHello(arena.bytes, at, at + length)) this.#hear(arena.bytes, at, at + length);
      else if (mayTellOfGroups(arena.bytes, at, at + length))
        this.listeners.hear(arena.bytes, at, at + length, this.#nowMs);
      else if (isOfNeighbours(arena.bytes, at, at + length))
        this.messenger?.takeNeighbour(arena.bytes, at, at + length);
      else if (this.forwarder.fromEthernet(arena.bytes, at, at + length) === PASSED) this.#enqueue();
    }
    this.#send(this.infiniband, "toInfiniband", arena.bytes);
    if (count < BATCH_FRAMES) this.#emptiedOn.ethernet = generation;
    this.#resume("ethernet");
  }

  #fromInfiniband(): void {
    const arena = this.#fast.arenas.infiniband;
    const now = this.election.generation;
    const count = this.infiniband.receive(arena);
    const generation = this.#fast.readBefore("infiniband") ? this.#resumedIn.infiniband : now;
    this.#begin("infiniband");
    for (let slot = 0; slot < count; slot++) {
      const at = arena.at(slot);
      const length = arena.lengths[slot] as number;
      if (length < 0) this.counts.infiniband.truncated++;
      else if (length > 0 && this.forwarder.fromInfiniband(arena.bytes, at, at + length) === PASSED) this.#enqueue();
    }
    this.#send(this.#ethernet, "toEthernet", arena.bytes);
    if (count < BATCH_FRAMES) this.#emptiedOn.infiniband = generation;
    this.#resume("infiniband");
  }

  /** Looks at the clock and the election for a batch. */
  #begin(side: "ethernet" | "infiniband"): void {
    this.#nowMs = performance.now();
    this.#serving = this.election.mayServe(this.#nowMs);
    this.#emptied = this.#emptiedOn[side];
    if (this.messenger !== undefined) this.messenger.messages.nowMs = this.#nowMs;
  }

  #enqueue(): void {
    const { at, length, group, payloadBytes } = this.forwarder;
    this.#queued[this.#queue.count] = { group, bytes: payloadBytes };
    this.#queue.add(at, length);
  }

  #resume(side: "ethernet" | "infiniband"): void {
    this.#resumedIn[side] = this.election.generation;
    this.#fast.resume(side);
  }

  #send(port: Pick<InfinibandPort, "send"> | undefined, way: "toInfiniband" | "toEthernet", frames: Uint8Array): void {
    const queue = this.#queue;
    const sent = port?.send(frames, queue) ?? 0;
    for (let i = 0; sent < queue.count && i < queue.count; i++) {
      if (port !== undefined && (queue.places[2 * i + 1] as number) >= 0) continue;
      const { group, bytes } = this.#queued[i] as Queued;
      this.forwarder[way].takeBack(bytes);
      group?.[way].takeBack(bytes);
    }
    queue.count = 0;
  }

  /** Groups that are another's now are not passed on any more. */
  #dropLost(): void {
    if (this.election.handovers === this.#handovers) return;
    this.#handovers = this.election.handovers;
    this.forwarder.flows.clearLeased();
  }

  #hear(bytes: Uint8Array, at: number, to: number): void {
    const hello = readHello(bytes, at, to);
    const nowMs = performance.now();
    if (hello === undefined) return;
    const mac = bytes.subarray(at + 6, at + 12).join();
    this.#peerMacs.delete(mac);
    this.#peerMacs.add(mac);
    if (this.#peerMacs.size > MOST_PEERS) this.#peerMacs.delete(this.#peerMacs.values().next().value as string);
    const mustSay = this.election.hear(hello, nowMs);
    this.#dropLost();
    if (mustSay) this.#sayHello(nowMs);
    this.#serving = this.election.mayServe(nowMs);
  }

  /** From a hello the lease counts. */
  #sayHello(nowMs: number): void {
    const hello = this.election.hello(nowMs);
    this.#fast.lease(nowMs + ELECTION_MS.lease);
    this.#say(hello);
  }

  #say(hello: Hello): void {
    if (this.#ethernet === undefined || this.link === undefined) return;
    const frame = writeHello(hello, this.link.mac);
    this.#hello.count = 0;
    this.#hello.add(0, frame.length);
    this.#ethernet.send(frame, this.#hello);
  }
}

/** Whether a link is to its neighbours what it was before. */
function isSameSelf(before: EthernetSelf, { mac, mtu, ipv4, ipv6 }: EthernetSelf): boolean {
  const same = (a?: Uint8Array, b?: Uint8Array): boolean => a?.join() === b?.join();
  return before.mtu === mtu && same(before.mac, mac) && same(before.ipv4, ipv4) && same(before.ipv6, ipv6);
}

function isGone(error: unknown): boolean {
  return error instanceof HostError && error.code === "ENODEV";
}

/** ARP, and what neighbours say by ICMPv6, which follows the header of IPv6 at once. */
function isOfNeighbours(bytes: Uint8Array, at: number, to: number): boolean {
  const ip = at + ETHERNET_BYTES;
  if (ip > to) return false;
  const type = u16(bytes, ip - 2);
  return type === ETHERTYPE.arp || (type === ETHERTYPE.ipv6 && ip + 40 <= to && u8(bytes, ip + 6) === PROTOCOL.icmpv6);
}
