// Owns the making of bpf(2) calls: attributes laid out by offset, descriptors that close themselves, retries.
//
// Offsets are those of union bpf_attr and of the structures that answer (include/uapi/linux/bpf.h), which the kernel
// never moves. The machine's byte order is little-endian, as everywhere in the codecs.
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { HostError } from "../error.ts";
import { addon, OWN_NAMESPACE } from "../native.ts";
import type { BpfPointer, NamespaceFd } from "../native.ts";

/** Commands of bpf(2) (enum bpf_cmd) that heddle gives. */
export const COMMAND = {
  createMap: 0,
  lookup: 1,
  update: 2,
  delete: 3,
  nextKey: 4,
  loadProgram: 5,
  pin: 6,
  openPinned: 7,
  testRun: 10,
  programById: 13,
  mapById: 14,
  describe: 15,
  freezeMap: 22,
  lookupBatch: 24,
  updateBatch: 26,
  createLink: 28,
  updateLink: 29,
  detachLink: 34,
} as const;

const { EAGAIN, EPERM, ENOMEM } = constants.errno;
/** A signal that comes while a program is verified makes the kernel give up with EAGAIN. */
const MOST_TRIES = 10;

const utf8 = new TextEncoder();

/** A descriptor of a map, program or link, closed by `using` or by `Symbol.dispose`, once. */
export class Descriptor implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    if (this.#fd < 0) throw new Error("the descriptor was closed");
    return this.#fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** The attributes of one call: zero but for what is set. */
export class Attributes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly pointers: BpfPointer[] = [];

  /** `size` in bytes: no more than the oldest kernel that knows the command expects, or it answers E2BIG. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  u32(offset: number, value: number): this {
    this.view.setUint32(offset, value, true);
    return this;
  }

  u64(offset: number, value: bigint): this {
    this.view.setBigUint64(offset, value, true);
    return this;
  }

  /** A name of at most 15 bytes (BPF_OBJ_NAME_LEN); longer ones are cut, as names are for people. */
  name(offset: number, name: string): this {
    this.bytes.set(utf8.encode(name).subarray(0, 15), offset);
    return this;
  }

  /** An address, which the addon puts in. */
  pointer(offset: number, bytes: Uint8Array): this {
    this.pointers.push({ offset, bytes });
    return this;
  }

  /** The address of a text with its closing zero. */
  text(offset: number, text: string): this {
    if (text.includes("\0")) throw new RangeError("a text holds a NUL character");
    return this.pointer(offset, utf8.encode(`${text}\0`));
  }
}

/** The kernel's answer, or -errno. The attributes and what they point to are brought up to date. */
export function tryCall(command: number, attributes: Attributes, namespace: NamespaceFd = OWN_NAMESPACE): number {
  for (let tries = 1; ; tries++) {
    const answer = addon().bpf(namespace, command, attributes.bytes, attributes.pointers);
    if (answer !== -EAGAIN || tries >= MOST_TRIES) return answer;
  }
}

/** The kernel's answer. Throws HostError, naming the object, when the kernel refuses. */
export function call(command: number, attributes: Attributes, object: string, namespace?: NamespaceFd): number {
  const answer = tryCall(command, attributes, namespace);
  if (answer < 0) throw new HostError({ errno: answer, object });
  return answer;
}

let raised = false;

/**
 * The same for what takes memory. Kernels before 5.11 count it as locked memory of the process, of which few get
 * enough: the limit is raised when the kernel refuses, and the call made once more.
 */
export function tryCallWithMemory(command: number, attributes: Attributes): number {
  const answer = tryCall(command, attributes);
  if (raised || (answer !== -EPERM && answer !== -ENOMEM)) return answer;
  raised = addon().raiseLockedMemory() === 0;
  return raised ? tryCall(command, attributes) : answer;
}

/** A structure that the kernel fills for a descriptor (BPF_OBJ_GET_INFO_BY_FD); it may fill less than `size` bytes. */
export function describe(fd: number, size: number, object: string): DataView {
  const answer = new Uint8Array(size);
  call(COMMAND.describe, new Attributes(16).u32(0, fd).u32(4, size).pointer(8, answer), object);
  return new DataView(answer.buffer);
}

/** Pins an object to a path below a bpffs, where nothing may be yet. Throws HostError (EEXIST). */
export function pin(descriptor: Descriptor, path: string): void {
  call(COMMAND.pin, new Attributes(16).text(0, path).u32(8, descriptor.fd), `pin ${path}`);
}

/** Opens what is pinned to a path, or undefined where nothing is. Throws HostError. */
export function openPinned(path: string): Descriptor | undefined {
  const answer = tryCall(COMMAND.openPinned, new Attributes(16).text(0, path));
  if (answer === -constants.errno.ENOENT) return undefined;
  if (answer < 0) throw new HostError({ errno: answer, object: `pin ${path}` });
  return new Descriptor(answer);
}
