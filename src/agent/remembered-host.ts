// Owns scoped looks: a host that lists anew only the kinds of which something was heard, or which somebody changed.
//
// Why that is safe: links are always listed (and addresses with them), sysctls always read and BPF programs always looked for, since they
// change without an event. Every other change of the kernel's sends an event of its own kind but for two: what goes with a
// link that goes down (IPv4 routes, nexthops), and what goes with an address (routes from it). So a link that changed
// makes everything stale, and an address routes and nexthops too. A hint that comes during a look makes the kind stale
// again, so that the next look lists it. What is missed all the same, the safety net finds.
import { HEDDLE_PROTOCOL, KINDS } from "../model/kinds.ts";
import type { Kind } from "../model/kinds.ts";
import type { DesiredState, Observed } from "../model/objects.ts";
import type { OwnerNames } from "../model/owners.ts";
import type { CgroupProgramSpec } from "../model/socket-marks.ts";
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
  cgroupProgram: ["cgroupProgram"],
  tcProgram: ["tcProgram"],
  signal: [],
};

/** Changes after which only the tables of routes that matter are listed anew: nobody else's were heard of. */
const IN_TABLES: ReadonlySet<Changed> = new Set(["route", "nexthop"]);

/** Tables that are listed one by one; of more, all are listed. */
const MOST_TABLES = 32;

/** Kinds that are listed at every look: addresses come with their links, and of programs there are no events. */
const FRESH: ReadonlySet<Kind> = new Set(["sysctl", "address", "cgroupProgram", "tcProgram"]);

/** Routes that are kept as they are; of more, only those that a plan can depend on. */
const FEW = 1000;

/** A host whose answers are kept until they are stale. */
export class RememberedHost implements Host {
  readonly #host: Host;
  readonly #kept = new Map<Kind, Observed[]>();
  /** Routes that are kept of a list that was condensed, and the tables that have to be listed anew to complete it. */
  #condensed: { routes: Observed[]; tables: readonly number[] } | undefined;
  #asksAnew = false;
  readonly drivers: Host["drivers"];
  declare readonly port?: number;

  constructor(host: Host) {
    this.#host = host;
    if (host.port !== undefined) Object.assign(this, { port: host.port });
    this.drivers = Object.fromEntries(KINDS.map((kind) => [kind, this.#driver(kind)])) as unknown as Host["drivers"];
  }

  /** Names are asked for anew at the next look, whatever was told before: somebody waits for what the file means now. */
  askAnew(): void {
    this.#asksAnew = true;
  }

  /** What is heard of is listed anew. */
  forget(changed: Iterable<Changed>): void {
    for (const one of changed) {
      for (const kind of STALE[one]) this.#kept.delete(kind);
      if (STALE[one].includes("route") && !IN_TABLES.has(one)) this.#condensed = undefined;
    }
  }

  /**
   * Lets go of routes that no plan towards these objects depends on, of which a router may have a hundred thousand: kept
   * are heddle's, those under a wanted key, and one for each table and nexthop object that others use (whose numbers are
   * not drawn). What is wanted changes with links and addresses only, which make routes stale.
   */
  condense({ objects }: DesiredState): void {
    const routes = this.#kept.get("route");
    // Whether another's rule or route may be taken over is asked of all that there is.
    const isPart = this.#condensed !== undefined;
    this.#condensed = undefined;
    if (!routes || (routes.length <= FEW && !isPart) || objects.some(({ adopt }) => adopt)) return;
    const wanted = new Set(objects.map(({ key }) => key));
    const numbers = new Set<string>();
    const kept = routes.filter(({ kind, spec, key }) => {
      if (kind !== "route" || spec.protocol === HEDDLE_PROTOCOL || wanted.has(key)) return true;
      const number = `${spec.table} ${spec.nexthop ?? ""}`;
      if (numbers.has(number)) return false;
      numbers.add(number);
      return true;
    });
    this.#kept.set("route", kept);
    const ours = (spec: Observed["spec"]): boolean => "protocol" in spec && spec.protocol === HEDDLE_PROTOCOL;
    const mine = [...objects, ...kept.filter(({ spec }) => ours(spec))];
    const tables = new Set(mine.flatMap(({ kind, spec }) => (kind === "route" ? [spec.table] : [])));
    if (tables.size <= MOST_TABLES) this.#condensed = { routes: kept, tables: [...tables] };
  }

  links(signal?: AbortSignal): ReturnType<Host["links"]> {
    return this.#host.links(signal);
  }

  tableNames(): ReturnType<Host["tableNames"]> {
    return this.#host.tableNames();
  }

  owners(names: OwnerNames): ReturnType<Host["owners"]> {
    const anew = this.#asksAnew;
    this.#asksAnew = false;
    return anew ? this.#host.owners(names, "anew") : this.#host.owners(names);
  }

  countSockets(program: CgroupProgramSpec): ReturnType<Host["countSockets"]> {
    return this.#host.countSockets(program);
  }

  canMarkSockets(): ReturnType<Host["canMarkSockets"]> {
    return this.#host.canMarkSockets();
  }

  canSpread(): ReturnType<Host["canSpread"]> {
    return this.#host.canSpread();
  }

  hasNftables(): ReturnType<Host["hasNftables"]> {
    return this.#host.hasNftables();
  }

  frameLinks(): ReturnType<Host["frameLinks"]> {
    return this.#host.frameLinks();
  }

  packetFilters(): ReturnType<Host["packetFilters"]> {
    return this.#host.packetFilters();
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
        const part = kind === "route" ? this.#condensed : undefined;
        const tables = new Set(part?.tables);
        const others = part?.routes.filter(({ spec }) => !("table" in spec && tables.has(spec.table ?? 0))) ?? [];
        const fresh = await driver.list(links, part ? { ...scope, tables: part.tables } : scope, signal);
        const listed = [...others, ...fresh] as Observed<K>[];
        // What was heard of while it was listed is forgotten when the next look begins.
        this.#kept.set(kind, listed);
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
