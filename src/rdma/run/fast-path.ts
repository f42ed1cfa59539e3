// Owns what of a running bridge passes messages on without JavaScript: a table of flows and a relay for each direction, as
// long as both ports have sockets that frames can be taken from as they are (docs/adr/0100).
import { FrameArena } from "../../host/frames.ts";
import { FlowTable, monotonicMs } from "../../host/flow-table.ts";
import { Flows, MOST_FLOWS } from "../bridge/flows.ts";
import type { Forwarder } from "../bridge/forwarder.ts";
import type { EthernetPort } from "../port/ethernet-port.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";

/** How often the two clocks are read together, to know the most that lies between them. */
const READINGS = 3;

export class FastPath {
  /** What each side's frames are received into. */
  readonly arenas = { ethernet: new FrameArena(), infiniband: new FrameArena() };
  readonly #forwarder: Forwarder;
  readonly #infiniband: InfinibandPort;
  readonly #tables: { toInfiniband: FlowTable; toEthernet: FlowTable } | undefined;
  #ethernet: EthernetPort | undefined;

  constructor(forwarder: Forwarder, infiniband: InfinibandPort) {
    this.#forwarder = forwarder;
    this.#infiniband = infiniband;
    const { wire } = infiniband;
    if (wire === undefined) return;
    const { sequences, flows } = forwarder;
    const { checks, seals } = wire;
    const toInfiniband = new FlowTable(MOST_FLOWS, { native: false, seals }, sequences.infiniband.next);
    const toEthernet = new FlowTable(MOST_FLOWS, { native: true, checks }, sequences.ethernet.next);
    this.#tables = { toInfiniband, toEthernet };
    flows.toInfiniband = new Flows(toInfiniband, "toInfiniband", forwarder.toInfiniband);
    flows.toEthernet = new Flows(toEthernet, "toEthernet", forwarder.toEthernet);
  }

  /** Relays between the two ports. Throws HostError. */
  open(ethernet: EthernetPort): void {
    const { wire } = this.#infiniband;
    if (this.#tables === undefined || wire === undefined) return;
    this.#ethernet = ethernet;
    ethernet.socket.relayTo(wire.socket, this.#tables.toInfiniband, this.arenas.ethernet);
    wire.socket.relayTo(ethernet.socket, this.#tables.toEthernet, this.arenas.infiniband);
  }

  /** Ends that; the port on Ethernet is still open. */
  close(): void {
    this.#ethernet?.socket.endRelay();
    this.#ethernet = undefined;
    this.#infiniband.wire?.socket.endRelay();
    this.#forwarder.flows.clear();
  }

  /** Whether what a side has received last was read before it was asked for: see FrameSocket. */
  readBefore(side: "ethernet" | "infiniband"): boolean {
    return this.#socketOf(side)?.readBefore ?? false;
  }

  /** What a side has received is dealt with. */
  resume(side: "ethernet" | "infiniband"): void {
    this.#socketOf(side)?.resume();
  }

  /** How long groups may be passed on; by the clock of `performance`. */
  lease(untilMs: number): void {
    if (this.#tables === undefined) return;
    const until = untilMs + clockDifference();
    this.#tables.toInfiniband.lease(until);
    this.#tables.toEthernet.lease(until);
  }

  #socketOf(side: "ethernet" | "infiniband"): { readBefore: boolean; resume(): void } | undefined {
    return side === "ethernet" ? this.#ethernet?.socket : this.#infiniband.wire?.socket;
  }
}

/**
 * What the monotonic clock is ahead of the one of `performance`: never more, however long a process is held up between the
 * two readings, because a lease must not become longer by that.
 */
function clockDifference(): number {
  let difference = -Infinity;
  for (let i = 0; i < READINGS; i++) {
    const monotonic = monotonicMs();
    difference = Math.max(difference, monotonic - performance.now());
  }
  return difference;
}
