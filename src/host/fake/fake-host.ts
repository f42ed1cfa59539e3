// Owns a model of a host: as much of the kernel's behaviour as plans depend on, in memory.
//
// It keeps the same contract as the real kernel (host.contract.ts is run against both), so that a test on it means
// something. Sources: net/ipv4/fib_trie.c, net/ipv6/ip6_fib.c, net/core/fib_rules.c.
import { constants } from "node:os";
import type { LinkFact } from "../../model/facts.ts";
import { networkOf, parsePrefix, prefixContains } from "../../model/ip.ts";
import { TABLE } from "../../model/kinds.ts";
import type { Kind, RouteSpec, RuleSpec, Specs } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import { noOwners } from "../../model/owners.ts";
import type { Owners } from "../../model/owners.ts";
import type { Step } from "../../model/plan.ts";
import type { SocketCounts } from "../../model/socket-marks.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { HostError } from "../error.ts";
import { performOnTables } from "./fake-tables.ts";
import type { Host, KindDriver, StepResult } from "../host.ts";
import { observe } from "../kinds/perform-steps.ts";
import { addAddress, connect, disconnect, performAddress } from "./addresses.ts";
import { dropNeighboursOf, performNeighbour } from "./neighbours.ts";
import { checkNexthopOf, dropNexthopsOf, performNexthop } from "./nexthops.ts";
import { KERNEL, linkOf, refusal } from "./state.ts";
import type { FakeState } from "./state.ts";

const { EEXIST, EINVAL, ENETDOWN, ENETUNREACH, ENOENT } = constants.errno;

type AdoptStep = Extract<Step, { action: "adopt" }>;

/** A host in memory. Its tables are open to tests, which play the part of other programs. */
export class FakeHost implements Host {
  readonly state: FakeState;
  /** How many steps have been asked for: a no-op apply asks for none. */
  performed = 0;

  constructor() {
    const rules = ([4, 6] as const).flatMap((family): RuleSpec[] => [
      { family, priority: 0, action: "table", table: TABLE.local, protocol: KERNEL },
      { family, priority: 32766, action: "table", table: TABLE.main, protocol: KERNEL },
      ...(family === 4
        ? [{ family, priority: 32767, action: "table", table: TABLE.default, protocol: KERNEL } as const]
        : []),
    ]);
    this.state = {
      links: [],
      routes: [],
      rules,
      nexthops: [],
      neighbours: [],
      sysctls: new Map(),
      nftTables: [],
      programs: [],
      tcPrograms: [],
      owners: noOwners(),
    };
  }

  readonly drivers: Host["drivers"] = {
    sysctl: {
      list: async (_links, { sysctls }) =>
        sysctls.flatMap((path) => {
          const value = this.state.sysctls.get(path);
          return value === undefined ? [] : [observe("sysctl", { path, value })];
        }),
      perform: (steps) => this.#perform(steps, (step) => this.#sysctl(step)),
    },
    address: {
      list: async (links) =>
        links.flatMap((link) => link.addresses.map((spec) => observe("address", structuredClone(spec)))),
      perform: (steps) => this.#perform(steps, (step) => performAddress(this.state, step)),
    },
    neighbour: {
      list: async () => this.state.neighbours.map((spec) => observe("neighbour", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => performNeighbour(this.state, step)),
    },
    nexthop: {
      list: async () => this.state.nexthops.map((spec) => observe("nexthop", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => performNexthop(this.state, step)),
    },
    route: {
      list: async (_links, { tables }) =>
        this.state.routes
          .filter(({ table }) => !tables || tables.includes(table))
          .map((spec) => observe("route", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => this.#route(step)),
    },
    rule: {
      list: async () => this.state.rules.map((spec) => observe("rule", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => this.#rule(step)),
    },
    nftTable: {
      list: async () => this.state.nftTables.map((spec) => observe("nftTable", spec)),
      perform: (steps) => this.#perform(steps, (step) => performOnTables(this.state.nftTables, step)),
    },
    cgroupProgram: {
      list: async () => this.state.programs.map((spec) => observe("cgroupProgram", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => this.#program(step)),
    },
    tcProgram: {
      list: async () => this.state.tcPrograms.map((spec) => observe("tcProgram", structuredClone(spec))),
      perform: (steps) => this.#perform(steps, (step) => this.#tcProgram(step)),
    },
  } satisfies { [K in Kind]: KindDriver<K> };

  async links(): Promise<LinkFact[]> {
    return structuredClone(this.state.links);
  }

  async tableNames(): Promise<Record<string, number>> {
    return {};
  }

  async owners(): Promise<Owners> {
    return structuredClone(this.state.owners);
  }

  async countSockets(): Promise<Record<number, SocketCounts>> {
    return {};
  }

  async canMarkSockets(): Promise<boolean> {
    return true;
  }

  async canSpread(): Promise<boolean> {
    return true;
  }

  async hasNftables(): Promise<boolean> {
    return true;
  }

  async frameLinks(): Promise<undefined> {}

  async packetFilters(): Promise<string[]> {
    return [];
  }

  close(): void {}

  /** Adds a link that is up, with its switches, addresses and connected routes. */
  addLink(name: string, addresses: readonly string[]): void {
    const index = this.state.links.length + 2;
    this.state.links.push({ name, index, type: "ether", up: true, carrier: true, mtu: 1500, addresses: [] });
    for (const [key, value] of Object.entries({ arp_ignore: "0", arp_announce: "0", rp_filter: "0" })) {
      this.state.sysctls.set(`net/ipv4/conf/${name}/${key}`, value);
    }
    for (const address of addresses) this.addAddress(name, address);
  }

  /** Adds an address as somebody else would. */
  addAddress(link: string, address: string): void {
    addAddress(this.state, { family: parsePrefix(address)?.family ?? 4, link, address, scope: "global" });
  }

  /** Admin down takes along what hangs on the link; up brings only the connected routes back. */
  setUp(name: string, up: boolean): void {
    const link = linkOf(this.state, name);
    if (link.up === up) return;
    link.up = up;
    link.carrier = up;
    if (up) return connect(this.state, name);
    disconnect(this.state, name);
    dropNexthopsOf(this.state, name);
    dropNeighboursOf(this.state, name, "down");
  }

  /** A carrier that is lost takes nexthop objects along, which do not come back with it; routes stay. */
  setCarrier(name: string, carrier: boolean): void {
    linkOf(this.state, name).carrier = carrier;
    if (carrier) return;
    dropNexthopsOf(this.state, name);
    dropNeighboursOf(this.state, name, "no-carrier");
  }

  async #perform(steps: readonly Step[], run: (step: Step) => Observed | undefined | void): Promise<StepResult[]> {
    this.performed += steps.length;
    return steps.map((step) => {
      try {
        const made = run(step);
        return made ? { step, made } : { step };
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        return { step, error };
      }
    });
  }

  #sysctl(step: Step): void {
    const [object, value] =
      step.action === "delete" ? [step.before, step.restore] : [step.after, undefined as string | undefined];
    if (object.kind !== "sysctl") throw new Error("not a sysctl");
    const { path } = object.spec;
    if (!this.state.sysctls.has(path)) throw refusal(ENOENT, `sysctl ${path}`);
    this.state.sysctls.set(path, value ?? object.spec.value);
  }

  /** The driver makes and changes in one way, as the kernel has no word for the difference. */
  #program(step: Step): void {
    const object = step.action === "delete" ? step.before : step.after;
    if (object.kind !== "cgroupProgram") throw new Error("not a program");
    this.state.programs = step.action === "delete" ? [] : [object.spec];
  }

  #tcProgram(step: Step): void {
    const object = step.action === "delete" ? step.before : step.after;
    if (object.kind !== "tcProgram") throw new Error("not a program");
    this.state.tcPrograms = step.action === "delete" ? [] : [object.spec];
  }

  #route(step: Step): void {
    if (step.action === "adopt") return this.#adoptRoute(step);
    if (step.action !== "create") {
      if (step.before.kind !== "route") throw new Error("not a route");
      const { spec, key } = step.before;
      const at = this.state.routes.findIndex((route) =>
        step.action === "delete"
          ? isSame("route", withoutSource6(route), withoutSource6(spec))
          : rulesOf("route").identify(route) === key,
      );
      if (step.action === "delete") {
        if (at >= 0) this.state.routes.splice(at, 1);
        return;
      }
      if (at < 0) throw refusal(ENOENT, key);
      // The kernel would replace the first of the key, whoever made it; drivers read once more, and do not.
      if (this.state.routes[at]?.protocol !== spec.protocol) throw refusal(EEXIST, key);
      this.#checkRoute(step.after.spec as RouteSpec);
      this.state.routes[at] = step.after.spec as RouteSpec;
      return;
    }
    const spec = step.after.spec as RouteSpec;
    this.#checkRoute(spec);
    if (this.state.routes.some((route) => rulesOf("route").identify(route) === step.after.key)) {
      throw refusal(EEXIST, step.after.key);
    }
    this.state.routes.push(spec);
  }

  /** Nothing but the protocol changes, and only of the first route under the key, which must be the planned one. */
  #adoptRoute({ before, after }: AdoptStep): void {
    if (before.kind !== "route" || after.kind !== "route") throw new Error("not a route");
    const at = this.state.routes.findIndex((route) => rulesOf("route").identify(route) === before.key);
    const found = this.state.routes[at];
    if (!found) throw refusal(ENOENT, before.key);
    if (!isSame("route", found, before.spec)) throw refusal(EEXIST, before.key);
    this.#checkRoute(found);
    this.state.routes[at] = { ...found, protocol: after.spec.protocol };
  }

  #checkRoute(spec: RouteSpec): void {
    checkNexthopOf(this.state, spec);
    for (const { link: name, via, onlink } of spec.hops) {
      const link = name === undefined ? undefined : linkOf(this.state, name);
      if (link && !link.up) throw refusal(ENETDOWN, spec.to);
      const near = link?.addresses.some((own) => via !== undefined && prefixContains(networkOf(own.address), via));
      if (via !== undefined && !onlink && !near) throw refusal(spec.family === 4 ? ENETUNREACH : EINVAL, spec.to);
    }
    const { source } = spec;
    const known = this.state.links.some((link) =>
      link.addresses.some((own) => parsePrefix(own.address)?.address === source),
    );
    if (source !== undefined && !known) throw refusal(EINVAL, spec.to);
  }

  #rule(step: Step): void {
    if (step.action === "replace") {
      this.#rule({ action: "delete", before: step.before, why: "unwanted" });
      return this.#rule({ action: "create", after: step.after, why: "new" });
    }
    if (step.action === "adopt") {
      const { before, after } = step;
      if (!step.beside) this.#rule({ action: "create", after, why: "new" });
      return this.#rule({ action: "delete", before, why: "unwanted" });
    }
    const object = step.action === "create" ? step.after : step.before;
    if (object.kind !== "rule") throw new Error("not a rule");
    const { spec, key } = object;
    if (step.action === "delete") {
      const at = this.state.rules.findIndex((rule) => isSame("rule", rule, spec));
      if (at >= 0) this.state.rules.splice(at, 1);
      return;
    }
    if (this.state.rules.some((rule) => rulesOf("rule").identify(rule) === key)) throw refusal(EEXIST, key);
    this.state.rules.push(spec);
    this.state.rules.sort((a, b) => a.family - b.family || a.priority - b.priority);
  }
}

/** IPv6 does not ask for the source when a route is to go (ip6_route_del). */
function withoutSource6(route: RouteSpec): RouteSpec {
  const { source: _source, ...rest } = route;
  return route.family === 6 ? rest : route;
}

/** The same object of the same owner: what a delete that names everything hits. */
function isSame<K extends "route" | "rule">(kind: K, a: Specs[K], b: Specs[K]): boolean {
  const rules = rulesOf(kind);
  return rules.identify(a) === rules.identify(b) && rules.compare(a) === rules.compare(b) && a.protocol === b.protocol;
}
