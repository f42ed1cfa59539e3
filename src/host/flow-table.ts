// Owns tables of flows: frames that the addon passes on by itself, as whoever writes the table has said (docs/adr/0100).
import { HostError } from "./error.ts";
import { addon } from "./native.ts";
import type { NativeFlows } from "./native.ts";

/** What a table is for. */
export interface FlowKind {
  /** Packets come from InfiniBand; otherwise frames from Ethernet. */
  native: boolean;
  /** Packets from InfiniBand without a right VCRC and ICRC are not passed on. */
  checks?: boolean;
  /** Packets to InfiniBand get a VCRC. */
  seals?: boolean;
}

/** Where the packet lies that was made of a frame. */
export interface MadePacket {
  flow: number;
  at: number;
  length: number;
  payloadBytes: number;
}

/** A table. What is written into it is src/rdma/bridge/flow-spec.ts's. */
export class FlowTable {
  readonly native: NativeFlows;
  readonly kind: FlowKind;
  readonly #made = new Int32Array(3);

  /** `most`: 1–65536 flows. `sequence`: the number that numbered packets get next, which counts up. Throws HostError. */
  constructor(most: number, kind: FlowKind, sequence: Uint32Array) {
    this.kind = kind;
    const bits = (kind.native ? 1 : 0) | (kind.checks ? 2 : 0) | (kind.seals ? 4 : 0);
    const native = addon().openFlows(most, bits, sequence);
    if (typeof native === "number") throw new HostError({ errno: native, object: "table of flows" });
    this.native = native;
  }

  /** The index of the new flow; negative where there is no room, where there is one already, and for what is none. */
  add(spec: Uint8Array): number {
    return addon().addFlow(this.native, spec);
  }

  /** Puts index, packets, bytes of payload and unsent packets into `told`: what it has passed on since that was told last. */
  remove(index: number, told: Float64Array): void {
    addon().removeFlow(this.native, index, told);
  }

  /** The same of all flows that have passed something on, four numbers each. How many; there may be more where it is full. */
  used(told: Float64Array): number {
    return addon().usedFlows(this.native, told);
  }

  /** How long leased flows hold; by the clock of monotonicMs. */
  lease(untilMs: number): void {
    addon().leaseFlows(this.native, untilMs);
  }

  /** Passes one frame on in its place, as the relay does; undefined where there is no flow for it. */
  pass(bytes: Uint8Array, at: number, length: number): MadePacket | undefined {
    const flow = addon().passFrame(this.native, bytes, at, length, this.#made);
    const [start = 0, made = 0, payloadBytes = 0] = this.#made;
    return flow < 0 ? undefined : { flow, at: at + start, length: made, payloadBytes };
  }
}

/** Milliseconds of CLOCK_MONOTONIC. */
export function monotonicMs(): number {
  return addon().monotonicMs();
}
