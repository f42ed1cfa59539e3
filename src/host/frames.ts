// Owns sockets that move frames in batches: the addon's calls, and the arena that frames are received into.
import { closeSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { HostError } from "./error.ts";
import { addon, OWN_NAMESPACE } from "./native.ts";
import type { FlowTable } from "./flow-table.ts";
import type { NamespaceFd, NativeFrames, NativeRelay } from "./native.ts";

/** Frames of one batch. */
export const BATCH_FRAMES = 64;
/** Bytes of a slot, with the room before the frame. */
const SLOT_BYTES = 4352;
/** Bytes that stay free before a frame, for headers that grow. */
const ROOM_BYTES = 64;
/** Stands for every group of the link (PACKET_MR_ALLMULTI): what a card lets through is not known before it comes. */
export const ALL_GROUPS = new Uint8Array(6);
/** A batch waits no longer than this for a full receiver: then its frames are given up. */
const WAIT_MS = 20;
/** What the addon adds to the number of frames that it had read before. */
const READ_BEFORE = 65_536;
const MEBIBYTE = 1024 * 1024;
/** EPERM: who is there is connected to another socket (unix_may_send in net/unix/af_unix.c). */
const NOBODY: readonly number[] = [constants.errno.ENOENT, constants.errno.ECONNREFUSED, constants.errno.EPERM];

/** What a batch is received into. One serves all sockets of a thread whose frames are dealt with at once. */
export class FrameArena {
  /** Behind the last slot is room, as before every other. */
  readonly bytes = new Uint8Array(BATCH_FRAMES * SLOT_BYTES + ROOM_BYTES);
  readonly lengths = new Int32Array(BATCH_FRAMES);

  /** Where the frame of a slot begins. */
  at(slot: number): number {
    return slot * SLOT_BYTES + ROOM_BYTES;
  }
}

/** Frames that wait to be sent together: where they lie in one array. */
export class FrameQueue {
  readonly places = new Int32Array(BATCH_FRAMES * 2);
  count = 0;

  /** RangeError for more than a batch. */
  add(at: number, length: number): void {
    if (this.count === BATCH_FRAMES) throw new RangeError("the batch is full");
    this.places[this.count * 2] = at;
    this.places[this.count * 2 + 1] = length;
    this.count++;
  }
}

/** A socket for whole frames, or for datagrams of its own kind. It keeps the process alive until it is closed. */
export class FrameSocket {
  readonly #socket: NativeFrames;
  #path: string | undefined;
  #relay: { native: NativeRelay; arena: FrameArena } | undefined;
  /** What was received last had been read before it was asked for: the socket may have been empty then, and not now. */
  readBefore = false;

  private constructor(socket: NativeFrames, path?: string) {
    this.#socket = socket;
    this.#path = path;
  }

  /** Hears a link. `group`: a hardware address that its card is to let through, or ALL_GROUPS. Throws HostError. */
  static onLink(
    index: number,
    filter: Uint8Array,
    group: Uint8Array = new Uint8Array(),
    namespace: NamespaceFd = OWN_NAMESPACE,
  ): FrameSocket {
    const socket = addon().openFrameSocket(namespace, index, filter, group, 32 * MEBIBYTE, 8 * MEBIBYTE);
    if (typeof socket === "number") throw new HostError({ errno: socket, object: `packet socket on link ${index}` });
    return new FrameSocket(socket);
  }

  /**
   * Takes a place in the file system, where what a process before left is taken away; or a name of the network namespace,
   * which begins with "@". Throws HostError.
   */
  static atPath(path: string): FrameSocket {
    removeSocket(path);
    const socket = addon().openPathSocket(path, 8 * MEBIBYTE, 8 * MEBIBYTE);
    if (typeof socket === "number") throw new HostError({ errno: socket, object: `socket ${path}` });
    return new FrameSocket(socket, path);
  }

  /** Is called when there is something to receive. */
  set onReadable(readable: () => void) {
    this.#socket.readable = readable;
  }

  /** Where the datagrams of a path socket go, and come from. False when nobody is there, or only for somebody else. */
  connect(path: string): boolean {
    const answer = addon().connectFrames(this.#socket, path);
    if (NOBODY.includes(-answer)) return false;
    if (answer < 0) throw new HostError({ errno: answer, object: `socket ${path}` });
    return true;
  }

  /** The frames that are there, at most a batch; a length of -1 stands for one that was too long. */
  receive(arena: FrameArena): number {
    if (this.#relay !== undefined) return this.#takeBatch(this.#relay, arena);
    const slots = arena.bytes.subarray(0, BATCH_FRAMES * SLOT_BYTES);
    const count = addon().receiveFrames(this.#socket, slots, SLOT_BYTES, ROOM_BYTES, arena.lengths);
    // Nothing is there after all, or the link went down: it may come up again.
    return Math.max(count, 0);
  }

  #takeBatch({ native, arena }: { native: NativeRelay; arena: FrameArena }, given: FrameArena): number {
    if (given !== arena) throw new Error("a socket that is relayed receives into the arena of its relay");
    const count = addon().takeBatch(native);
    this.readBefore = count >= READ_BEFORE;
    return Math.max(this.readBefore ? count - READ_BEFORE : count, 0);
  }

  /**
   * From now on a thread passes on what comes, to another socket, as far as the table has flows for it. What it does not know
   * comes by `receive` into the arena, where a length of 0 is no frame; after each batch `resume` has to be called. Throws HostError.
   */
  relayTo(to: FrameSocket, flows: FlowTable, arena: FrameArena): void {
    this.endRelay();
    const { bytes, lengths } = arena;
    const native = addon().openRelay(
      this.#socket,
      to.#socket,
      flows.native,
      bytes,
      SLOT_BYTES,
      ROOM_BYTES,
      lengths,
      WAIT_MS,
    );
    if (typeof native === "number") throw new HostError({ errno: native, object: "relay of frames" });
    this.#relay = { native, arena };
  }

  /** What was received is dealt with. */
  resume(): void {
    if (this.#relay !== undefined) addon().resumeRelay(this.#relay.native);
  }

  /** May be called any number of times. */
  endRelay(): void {
    if (this.#relay !== undefined) addon().closeRelay(this.#relay.native);
    this.#relay = undefined;
    this.readBefore = false;
  }

  /** Sends what is queued: the number that was sent. In the queue, the length of one that was not becomes negative. */
  send(bytes: Uint8Array, { places, count }: FrameQueue): number {
    if (count === 0) return 0;
    const sent = addon().sendFrames(this.#socket, bytes, places, count, WAIT_MS);
    if (sent >= 0) return sent;
    throw new HostError({ errno: sent, object: "socket for frames" });
  }

  /** Frames that the kernel had no room for since this was asked last; of packet sockets. */
  dropped(): number {
    return Math.max(addon().droppedFrames(this.#socket), 0);
  }

  /** May be called any number of times. */
  close(): void {
    this.endRelay();
    addon().closeFrames(this.#socket);
    if (this.#path !== undefined) removeSocket(this.#path);
    this.#path = undefined;
  }
}

function removeSocket(path: string): void {
  if (!path.startsWith("@")) rmSync(path, { force: true });
}

/** Memberships of one link in IP groups: the kernel tells routers and switches, and answers when they ask. */
export class GroupMemberships implements Disposable {
  readonly #index: number;
  readonly #namespace: NamespaceFd;
  readonly #sockets: { family: 4 | 6; descriptor: number }[] = [];

  constructor(index: number, namespace: NamespaceFd = OWN_NAMESPACE) {
    this.#index = index;
    this.#namespace = namespace;
  }

  /** Joins a group of 4 or 16 bytes; it is kept until the end. Throws HostError. */
  join(group: Uint8Array): void {
    const family = group.length === 4 ? 4 : 6;
    const last = this.#sockets.findLast((one) => one.family === family);
    // A socket holds 20 groups by default (net.ipv4.igmp_max_memberships), or as many as its memory (net.core.optmem_max).
    if (last !== undefined && this.#tryJoin(last.descriptor, group)) return;
    const descriptor = addon().openMembership(this.#namespace, family);
    if (descriptor < 0) throw new HostError({ errno: descriptor, object: "socket for group memberships" });
    this.#sockets.push({ family, descriptor });
    if (this.#tryJoin(descriptor, group)) return;
    throw new HostError({ errno: constants.errno.ENOBUFS, object: `membership of ${group.join(".")}` });
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.#sockets.splice(0)) closeSync(descriptor);
  }

  #tryJoin(descriptor: number, group: Uint8Array): boolean {
    const answer = addon().joinGroup(descriptor, this.#index, group);
    if (answer === 0) return true;
    if (answer === -constants.errno.ENOBUFS || answer === -constants.errno.ENOMEM) return false;
    throw new HostError({ errno: answer, object: `membership of ${group.join(".")}` });
  }
}
