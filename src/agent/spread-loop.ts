// Owns the controller of spreading at work: it reads counters at a steady pace, tells the programs who shall have which
// bucket, and who can carry at the moment that a link's state changes.
//
// What it writes stays when it ends. One of them runs in a namespace at a time; whoever starts it sees to that.
import { readFileSync } from "node:fs";
import type { LinkFact } from "../model/facts.ts";
import { glanceAtSpreading, readSpreading, writePlacement, writeUp } from "../host/bpf/spread-watch.ts";
import type { SpreadNow } from "../host/bpf/spread-watch.ts";
import type { SpreadEar } from "../host/bpf/spread-ear.ts";
import type { Spreader, SpreadMaps } from "../host/bpf/spread.ts";
import { beginControl, stepControl, USUAL_OPTIONS } from "../spread/controller.ts";
import type { ControllerOptions, ControllerState, SpreadReading } from "../spread/controller.ts";

/** What the loop needs of its host. */
export interface SpreadLoopHost {
  spreader: Pick<Spreader, "open">;
  links(): Promise<LinkFact[]>;
  /** Links of a section whose far end is known to be dead though they have a carrier. */
  deadLinks(section: string): ReadonlySet<string>;
  /** Bytes that each link has sent, by name. */
  sentBytes(): ReadonlyMap<string, number>;
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
}

/** What a step did, for whoever follows it. */
export interface SpreadStep {
  spread: string;
  /** Buckets that were given another member to go to. */
  asked: number;
  /** Numbers of the members that carry packets, where that has changed. */
  up?: readonly number[];
}

/** The controller of one namespace. */
export class SpreadLoop {
  readonly #host: SpreadLoopHost;
  readonly #options: ControllerOptions;
  readonly #states = new Map<string, ControllerState>();
  /** What glances showed last, but for counts. */
  #glanced = "";
  /** Names of what is spread, as of the last step. */
  #names: readonly string[] = [];

  constructor(host: SpreadLoopHost, options: ControllerOptions = USUAL_OPTIONS) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * A glance, which costs a small part of a step: bytes that were carried so far, and whether anything has changed since
   * the last glance that a step has to see. Throws HostError.
   */
  glance(): { carried: number; changed: boolean } {
    using maps = this.#host.spreader.open();
    const { carried, what } = maps ? glanceAtSpreading(maps) : { carried: 0, what: "" };
    const dead = this.#names.map((name) => [...this.#host.deadLinks(name)].toSorted().join());
    const glanced = [what, ...dead].join("\n");
    const changed = glanced !== this.#glanced;
    this.#glanced = glanced;
    return { carried, changed };
  }

  /** Asks the programs to tell of so many bytes from now on; false where they cannot, or nothing is spread. Throws HostError. */
  listen(ear: Pick<SpreadEar, "listen">, bytes: number): boolean {
    using maps = this.#host.spreader.open();
    return maps !== undefined && ear.listen(maps, bytes);
  }

  /** One step: who can carry, then who shall have what. Does nothing where nothing is spread. Throws HostError. */
  async step(): Promise<SpreadStep[]> {
    const links = await this.#host.links();
    using maps = this.#host.spreader.open();
    if (!maps) {
      this.#states.clear();
      return [];
    }
    const sent = this.#host.sentBytes();
    const all = readSpreading(maps, links);
    this.#names = all.map(({ spec }) => spec.name);
    return all.map((now) => {
      const up = this.#tellUp(maps, now, links);
      const asked = now.spec.by === "load" ? this.#place(maps, { ...now, up: up ?? now.up }, sent) : 0;
      return { spread: now.spec.name, asked, ...(up ? { up } : {}) };
    });
  }

  /** Tells the programs alone who can carry: what has to be done at once when a link changes. */
  async stepUp(): Promise<SpreadStep[]> {
    const links = await this.#host.links();
    using maps = this.#host.spreader.open();
    if (!maps) return [];
    return readSpreading(maps, links).flatMap((now) => {
      const up = this.#tellUp(maps, now, links);
      return up ? [{ spread: now.spec.name, asked: 0, up }] : [];
    });
  }

  #tellUp(maps: SpreadMaps, now: SpreadNow, links: readonly LinkFact[]): readonly number[] | undefined {
    const dead = this.#host.deadLinks(now.spec.name);
    const up = now.spec.members
      .filter(({ number, link: name }) => {
        const link = links.find((one) => one.name === name && one.index === now.indices.get(number));
        return link?.up && link.carrier && !dead.has(name);
      })
      .map(({ number }) => number);
    if (up.join() === now.up.join()) return undefined;
    writeUp(maps, now, up);
    return up;
  }

  #place(maps: SpreadMaps, now: SpreadNow, sent: ReadonlyMap<string, number>): number {
    const reading: SpreadReading = {
      atMs: this.#host.nowMs(),
      placement: now.placement,
      buckets: now.buckets,
      members: now.spec.members.map(({ number, link, weight }) => {
        const sentBytes = sent.get(link);
        return { number, weight, up: now.up.includes(number), ...(sentBytes === undefined ? {} : { sentBytes }) };
      }),
    };
    const { busyMs } = now.spec;
    const before = this.#states.get(now.spec.name);
    if (!before) {
      this.#states.set(now.spec.name, beginControl(reading));
      return 0;
    }
    const { state, placement } = stepControl(before, reading, {
      ...this.#options,
      ...(busyMs === undefined ? {} : { busyMs }),
    });
    this.#states.set(now.spec.name, state);
    const asked = placement.reduce((sum, member, bucket) => sum + (member === now.placement[bucket] ? 0 : 1), 0);
    if (asked > 0) writePlacement(maps, now.number, placement);
    return asked;
  }
}

/** Bytes that each link has sent, as the namespace of the calling thread has them (/proc/net/dev, proc(5)). */
export function readSentBytes(text = readFileSync("/proc/thread-self/net/dev", "utf8")): Map<string, number> {
  const sent = new Map<string, number>();
  for (const line of text.split("\n").slice(2)) {
    // A name may hold anything but a colon and blanks.
    const colon = line.lastIndexOf(":");
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    if (colon > 0 && fields.length >= 16) sent.set(line.slice(0, colon).trim(), Number(fields[8]));
  }
  return sent;
}
