// Owns scoped looks: a host that lists anew only the kinds of which something was heard, or which somebody changed.
//
// Why that is safe: links are always listed (and addresses with them), and sysctls always read, since they change
// without an event. Every other change of the kernel's sends an event of its own kind but for two: what goes with a
// link that goes down (IPv4 routes, nexthops), and what goes with an address (routes from it). So a link that changed
// makes everything stale, and an address routes and nexthops too. A hint that comes during a look makes the kind stale
// again, so that the next look lists it. What is missed all the same, the safety net finds.
import { KINDS } from "../model/kinds.ts";
import type { Kind } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { Host, KindDriver } from "../host/host.ts";
import type { Changed } from "./pace.ts";

/** Kinds that cannot be believed any more after a change. */
const STALE: Readonly<Record<Changed, readonly Kind[]>> = {
  everything: KINDS,
  link: KINDS,
  // A switch of forwarding takes routes along that were learned.
  sysctl: ["route"],
  address: ["route", "nexthop"],
  neighbour: ["neighbour"],
  nexthop: ["nexthop", "route"],
  route: ["route"],
  rule: ["rule"],
  nftTable: ["nftTable"],
};

/** Kinds that are listed at every look: addresses come with their links. */
const FRESH: ReadonlySet<Kind> = new Set(["sysctl", "address"]);

/** Objects of a kind that are kept from look to look; a larger list costs more memory than it saves time. */
const MOST_KEPT = 20_000;

/** A host whose answers are kept until they are stale. */
export class RememberedHost implements Host {
  readonly #host: Host;
  readonly #kept = new Map<Kind, Observed[]>();
  readonly drivers: Host["drivers"];
  declare readonly port?: number;

  constructor(host: Host) {
    this.#host = host;
    if (host.port !== undefined) Object.assign(this, { port: host.port });
    this.drivers = Object.fromEntries(KINDS.map((kind) => [kind, this.#driver(kind)])) as unknown as Host["drivers"];
  }

  /** What is heard of is listed anew. */
  forget(changed: Iterable<Changed>): void {
    for (const one of changed) for (const kind of STALE[one]) this.#kept.delete(kind);
  }

  links(signal?: AbortSignal): ReturnType<Host["links"]> {
    return this.#host.links(signal);
  }

  tableNames(): ReturnType<Host["tableNames"]> {
    return this.#host.tableNames();
  }

  close(): void {
    this.#host.close();
  }

  #driver<K extends Kind>(kind: K): KindDriver<K> {
    const driver = this.#host.drivers[kind] as unknown as KindDriver<K>;
    return {
      list: async (links, scope, signal) => {
        const kept = this.#kept.get(kind);
        if (kept && !FRESH.has(kind)) return kept as Observed<K>[];
        const listed = await driver.list(links, scope, signal);
        // What was heard of while it was listed is forgotten when the next look begins.
        if (listed.length <= MOST_KEPT) this.#kept.set(kind, listed);
        return listed;
      },
      perform: async (steps, links, signal) => {
        try {
          return await driver.perform(steps, links, signal);
        } finally {
          this.forget([kind]);
        }
      },
    };
  }
}
