// Owns the way to the addon (native/addon/): finding it, its types, and the calls that need no protocol of their own.
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { HostError } from "./error.ts";

/** A descriptor of a network namespace, or -1 for the one that the process is in. */
export type NamespaceFd = number;

/** The namespace of the process itself. */
export const OWN_NAMESPACE: NamespaceFd = -1;

/** A netlink socket of the addon; `receive` is called once for each wake-up, whose datagrams are in the arena. */
export interface NativeSocket {
  receive?: (error: number, count: number) => void;
  /** Size of the receive buffer that the kernel granted, bytes (twice what was asked, by its own book-keeping). */
  readonly receiveBuffer: number;
  /** Size of the send buffer that the kernel granted, bytes: no datagram may be larger, less 32. */
  readonly sendBuffer: number;
  /** Port id, which replies to this socket carry. */
  readonly port: number;
}

/** The watch over a descriptor of the addon. */
export interface NativeWatch {
  readonly ready: () => void;
}

/** A socket for frames of the addon; `readable` is called when there is something to take. */
export interface NativeFrames {
  readable?: () => void;
}

/** A table of flows of the addon, and a thread that relays by it. */
export type NativeFlows = object;
export type NativeRelay = object;

interface Addon {
  readonly slots: number;
  openSocket(
    protocol: number,
    groups: readonly number[],
    namespace: NamespaceFd,
    receiveBuffer: number,
    sendBuffer: number,
  ): NativeSocket | number;
  send(socket: NativeSocket, bytes: Uint8Array): number;
  filterSocket(socket: NativeSocket, program: Uint8Array): number;
  closeSocket(socket: NativeSocket): void;
  holdSocket(socket: NativeSocket, held: boolean): void;
  arena(): ArrayBuffer;
  sysctl(namespace: NamespaceFd, operations: readonly SysctlOperation[]): (string | number)[] | number;
  driverNames(namespace: NamespaceFd, names: readonly string[]): (string | number)[] | number;
  newNamespace(): number;
  openNamespace(path: string): number;
  namespaceId(namespace: NamespaceFd): number;
  namespaceCookie(namespace: NamespaceFd): string | number;
  tryLock(descriptor: number): number;
  bpf(namespace: NamespaceFd, command: number, attributes: Uint8Array, pointers: readonly BpfPointer[]): number;
  programMaps(descriptor: number): number[] | number;
  raiseLockedMemory(): number;
  emptyRing(descriptor: number): number;
  peerCredentials(descriptor: number): [pid: number, uid: number, gid: number] | number;
  sendToPath(path: string, text: string): number;
  openFrameSocket(
    namespace: NamespaceFd,
    index: number,
    program: Uint8Array,
    group: Uint8Array,
    receiveBuffer: number,
    sendBuffer: number,
  ): NativeFrames | number;
  openPathSocket(path: string, receiveBuffer: number, sendBuffer: number): NativeFrames | number;
  connectFrames(socket: NativeFrames, path: string): number;
  receiveFrames(socket: NativeFrames, bytes: Uint8Array, slot: number, room: number, lengths: Int32Array): number;
  sendFrames(socket: NativeFrames, bytes: Uint8Array, places: Int32Array, count: number, waitMs: number): number;
  closeFrames(socket: NativeFrames): void;
  droppedFrames(socket: NativeFrames): number;
  openFlows(most: number, kind: number, sequence: Uint32Array): NativeFlows | number;
  addFlow(flows: NativeFlows, spec: Uint8Array): number;
  removeFlow(flows: NativeFlows, index: number, told: Float64Array): void;
  usedFlows(flows: NativeFlows, told: Float64Array): number;
  leaseFlows(flows: NativeFlows, untilMs: number): void;
  monotonicMs(): number;
  passFrame(flows: NativeFlows, bytes: Uint8Array, at: number, length: number, made: Int32Array): number;
  openRelay(
    from: NativeFrames,
    to: NativeFrames,
    flows: NativeFlows,
    bytes: Uint8Array,
    slot: number,
    room: number,
    lengths: Int32Array,
    waitMs: number,
  ): NativeRelay | number;
  takeBatch(relay: NativeRelay): number;
  resumeRelay(relay: NativeRelay): void;
  closeRelay(relay: NativeRelay): void;
  openMembership(namespace: NamespaceFd, family: 4 | 6): number;
  joinGroup(descriptor: number, index: number, group: Uint8Array): number;
  openPacketSocket(namespace: NamespaceFd): number;
  sendPacket(socket: number, index: number, protocol: number, hardwareAddress: Uint8Array, bytes: Uint8Array): number;
  beginConnection(
    namespace: NamespaceFd,
    link: string,
    mark: number,
    from: Uint8Array,
    to: Uint8Array,
    port: number,
  ): number;
  takeError(descriptor: number): number;
  hearPackets(namespace: NamespaceFd, index: number, protocol: number, program: Uint8Array): number;
  takePacket(descriptor: number, bytes: Uint8Array): number;
  watchDescriptor(descriptor: number, writable: boolean, ready: () => void): NativeWatch | number;
  unwatch(watch: NativeWatch): void;
  releaseText(): number;
}

/** Bytes that a bpf(2) call points to; the kernel reads them, and what it writes is in them afterwards. */
export interface BpfPointer {
  /** Where in the attributes the address belongs. */
  offset: number;
  bytes: Uint8Array;
}

// Seen from src/host/native.ts, or from the bundle, dist/heddle.cjs: one place each, so that no stray file is loaded.
const PLACE = import.meta.url.endsWith(".ts") ? "../../build/heddle.node" : "../build/heddle.node";
let loaded: Addon | undefined;

/** The addon, loaded when first asked for. Throws Error when it has not been built. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const path = fileURLToPath(new URL(PLACE, import.meta.url));
  if (!existsSync(path)) throw new Error("heddle's addon (build/heddle.node) is missing: run `make build`");
  // What require() would do in the end, without the loading of Node's loader.
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports as Addon;
}

/** One sysctl to read, or to write where `value` is given (at most 4095 bytes). */
export interface SysctlOperation {
  /** Below /proc/sys, beginning with "net/". */
  path: string;
  value?: string;
}

/** What became of it: the text without the last line feed, undefined after a write, or the (positive) errno. */
export type SysctlAnswer = { value?: string } | { errno: number };

/**
 * Reads and writes sysctls of a namespace, in order, at most 65,536. One that fails does not stop those after it.
 * Throws HostError when the namespace cannot be entered; TypeError or RangeError for what is no sysctl of net/.
 * Blocks until the kernel is done: a switch such as ip_forward waits for the kernel's configuration lock.
 */
export function sysctl(namespace: NamespaceFd, operations: readonly SysctlOperation[]): SysctlAnswer[] {
  return orThrow(addon().sysctl(namespace, operations), "sysctls").map((answer, i) => {
    if (typeof answer === "string") return { value: answer.endsWith("\n") ? answer.slice(0, -1) : answer };
    return answer === 0 && operations[i]?.value !== undefined ? {} : { errno: -answer };
  });
}

/**
 * Names of the drivers of links ("mlx5_core", "veth") by ETHTOOL_GDRVINFO, which follows the namespace as sysfs does
 * not; undefined where a link is gone or its driver has none to tell. Names have at most 15 bytes.
 */
export function driverNames(namespace: NamespaceFd, links: readonly string[]): (string | undefined)[] {
  return orThrow(addon().driverNames(namespace, links), "drivers of links").map((answer) =>
    typeof answer === "string" && answer !== "" ? answer : undefined,
  );
}

/** A fresh, empty network namespace; it lives until the descriptor is closed (fs.closeSync) and nothing is in it. */
export function newNamespace(): NamespaceFd {
  return checked(addon().newNamespace(), "new network namespace");
}

/** Opens a network namespace by path ("/run/netns/a", "/proc/1234/ns/net"); the caller closes it (fs.closeSync). */
export function openNamespace(path: string): NamespaceFd {
  return checked(addon().openNamespace(path), `network namespace ${path}`);
}

/** Number of the namespace: two descriptors of the same namespace have the same, as long as one is open. */
export function namespaceId(namespace: NamespaceFd): number {
  return checked(addon().namespaceId(namespace), `network namespace of descriptor ${namespace}`);
}

function checked(answer: number, object: string): number {
  if (answer < 0) throw new HostError({ errno: answer, object });
  return answer;
}

function orThrow<T>(answer: T | number, object: string): T {
  if (typeof answer === "number") throw new HostError({ errno: answer, object });
  return answer;
}

/** Takes an exclusive advisory lock (flock) of an open file without waiting: false when somebody else holds it. */
export function tryLock(descriptor: number): boolean {
  const answer = addon().tryLock(descriptor);
  if (answer === -constants.errno.EWOULDBLOCK) return false;
  return checked(answer, "lock") === 0;
}

/** Unmaps the program text of this process, which is mapped again page by page as it is run. What cannot be stays mapped. */
export function releaseText(): void {
  addon().releaseText();
}

/**
 * Name of the namespace that no other gets until the next boot (SO_NETNS_COOKIE, kernel 5.14). Before that kernel the
 * inode number, which is given again soon after a namespace has ended.
 */
export function namespaceCookie(namespace: NamespaceFd): string {
  const answer = addon().namespaceCookie(namespace);
  if (typeof answer === "string") return answer;
  if (answer !== -constants.errno.ENOPROTOOPT) checked(answer, "cookie of the network namespace");
  return `inode-${namespace === OWN_NAMESPACE ? statSync("/proc/self/ns/net").ino : namespaceId(namespace)}`;
}

/** Who is at the other end of a connected unix socket: as it was when it connected (SO_PEERCRED). */
export interface Peer {
  pid: number;
  /** As this user namespace calls it. */
  uid: number;
}

/** The peer of a connected unix socket, by its descriptor. Throws HostError. */
export function peerOf(descriptor: number): Peer {
  const [pid, uid] = orThrow(addon().peerCredentials(descriptor), "peer of a socket");
  return { pid, uid };
}

/** Sends one datagram (below 1 KiB) to a unix socket; a path that begins with "@" is abstract. Throws HostError. */
export function sendToPath(path: string, text: string): void {
  checked(addon().sendToPath(path, text), `socket ${path}`);
}

/**
 * Opens a socket that sends packets by links and receives none; the caller closes it (fs.closeSync), which takes the
 * kernel some 10 ms. Throws HostError.
 */
export function openPacketSocket(namespace: NamespaceFd): number {
  return checked(addon().openPacketSocket(namespace), "packet socket");
}

/**
 * Sends one packet by a link: `protocol` is its EtherType, `hardwareAddress` the receiver's (at most 20 bytes), `bytes`
 * what follows the header of the link layer (at most 1500). It is not waited for. Throws HostError.
 */
export function sendPacket(
  socket: number,
  index: number,
  protocol: number,
  hardwareAddress: Uint8Array,
  bytes: Uint8Array,
): void {
  checked(addon().sendPacket(socket, index, protocol, hardwareAddress, bytes), `packet on link ${index}`);
}

/** Where a connection goes and how it leaves. */
export interface ConnectionEnds {
  to: Uint8Array;
  port: number;
  /** The link that it is bound to (SO_BINDTODEVICE). */
  link?: string;
  /** The mark of its packets (SO_MARK). */
  mark?: number;
  /** The address that it is bound to, of the same IP version. */
  from?: Uint8Array;
}

/**
 * A descriptor whose TCP connection is on its way. When it can be written, `connectionError` tells what became of it. The
 * caller closes it. Throws HostError for what the kernel refuses at once: there is no route, or no such link.
 */
export function beginConnection(namespace: NamespaceFd, ends: ConnectionEnds): number {
  const { to, port, link = "", mark = 0, from = new Uint8Array() } = ends;
  return checked(addon().beginConnection(namespace, link, mark, from, to, port), "connection");
}

/** What became of a connection that was on its way: 0 where it stands, otherwise the (positive) errno. */
export function connectionError(descriptor: number): number {
  return Math.abs(addon().takeError(descriptor));
}

/**
 * A descriptor that takes in the packets of a protocol (EtherType) on a link that a classic BPF program lets through; the
 * caller closes it, which takes the kernel some 10 ms. Throws HostError.
 */
export function hearPackets(namespace: NamespaceFd, index: number, protocol: number, program: Uint8Array): number {
  return checked(addon().hearPackets(namespace, index, protocol, program), `packets of link ${index}`);
}

/** Puts one packet into `bytes`, as far as it fits, and gives its length; undefined when there is none. */
export function takePacket(descriptor: number, bytes: Uint8Array): number | undefined {
  const answer = addon().takePacket(descriptor, bytes);
  // What a link that goes down leaves behind (ENETDOWN) is told once, and is no packet.
  return answer < 0 ? undefined : answer;
}

/**
 * Calls `ready` whenever the descriptor can be read, or written. The answer ends that, and has to be called before the
 * descriptor is closed; any number of times. It does not keep the process alive. Throws HostError.
 */
export function watchDescriptor(descriptor: number, what: "readable" | "writable", ready: () => void): () => void {
  const watch = addon().watchDescriptor(descriptor, what === "writable", ready);
  if (typeof watch === "number") throw new HostError({ errno: watch, object: `descriptor ${descriptor}` });
  return () => addon().unwatch(watch);
}
