// Owns the question what an event of the kernel's means to heddle: nothing, a look at once, or a look some time.
//
// An event is a hint and nothing more: that something concerns heddle is read from it, what is so now never is.
import type { LinkFact } from "../model/facts.ts";
import { HEDDLE_PROTOCOL } from "../model/kinds.ts";
import type { Key } from "../model/kinds.ts";
import type { AddressMessage } from "../host/netlink/address.ts";
import type { LinkMessage } from "../host/netlink/link.ts";
import type { NeighbourMessage } from "../host/netlink/neighbour.ts";
import type { RouteMessage } from "../host/netlink/route.ts";
import type { RuleMessage } from "../host/netlink/rule.ts";
import type { NetlinkEvent } from "../host/netlink/watch.ts";
import { addressFromMessage, linkFromMessage } from "../host/kinds/facts-message.ts";
import { LinkNames } from "../host/kinds/link-names.ts";
import { routeFromMessage } from "../host/kinds/route-message.ts";
import { ruleFromMessage } from "../host/kinds/rule-message.ts";
import { isSameData } from "../plan/kinds/canonical.ts";
import { rulesOf } from "../plan/kinds/index.ts";
import { resettingPaths } from "../plan/overruled.ts";
import type { Look } from "./look.ts";
import type { Hint } from "./pace.ts";

/** Kinds that are BPF programs. */
export const PROGRAM_KINDS = ["cgroupProgram", "tcProgram"] as const;
export type ProgramKind = (typeof PROGRAM_KINDS)[number];

/** What heddle cares for, as the last look has it. */
export class Interest {
  readonly #keys: ReadonlySet<Key>;
  readonly #links: ReadonlyMap<number, LinkFact>;
  readonly #names: LinkNames;
  readonly #named: ReadonlySet<string>;
  /** Routing tables that heddle has or wants routes in. */
  readonly tables: readonly number[];
  /** Whether entries of neighbour tables are wanted, or tables of nftables. */
  readonly neighbours: boolean;
  readonly nftTables: boolean;
  /** Switches that are wanted (below /proc/sys) and those that reset them, and control groups that the file names, there or not. */
  readonly sysctls: readonly string[];
  readonly cgroups: readonly string[];
  /** Kinds of BPF programs that are wanted. */
  readonly programs: readonly ProgramKind[];

  constructor(look: Pick<Look, "snapshot" | "want" | "ledger" | "cgroups">) {
    const { snapshot, want, ledger } = look;
    this.#keys = new Set(want.objects.map(({ key }) => key));
    this.#links = new Map(snapshot.links.map((link) => [link.index, link]));
    this.#names = new LinkNames(snapshot.links);
    const needs = want.objects.flatMap((object) => object.needs);
    this.#named = new Set(needs.flatMap((need) => ("link" in need && need.link !== undefined ? [need.link] : [])));
    const ours = snapshot.observed.filter(({ kind, spec }) => kind === "route" && spec.protocol === HEDDLE_PROTOCOL);
    this.tables = [
      ...new Set([...want.objects, ...ours].flatMap(({ kind, spec }) => (kind === "route" ? [spec.table] : []))),
    ];
    const kinds = new Set(want.objects.map(({ kind }) => kind));
    const made = (kind: string): boolean => Object.keys(ledger.applied).some((key) => key.startsWith(`${kind} `));
    this.neighbours = kinds.has("neighbour") || made("neighbour");
    this.nftTables = kinds.has("nftTable") || made("nftTable");
    const switches = want.objects.flatMap(({ kind, spec }) => (kind === "sysctl" ? [spec.path] : []));
    this.sysctls = [...new Set([...switches, ...switches.flatMap(resettingPaths)])];
    this.cgroups = look.cgroups;
    this.programs = PROGRAM_KINDS.filter((kind) => kinds.has(kind));
  }

  /**
   * What the event asks for; undefined when it is nobody's business. While another look is under way (`isOld`), a link
   * or an address that is as the last look saw it may be otherwise than the new one sees it, and is no old news.
   */
  hintOf(event: NetlinkEvent, isOld = false): Hint | undefined {
    if (event.type === "lost-sync") return { changed: "everything", urgency: "lost" };
    switch (event.object) {
      case "link":
        return this.#ofLink(event.type, event.message, isOld);
      case "address":
        return this.#ofAddress(event.type, event.message, isOld);
      case "route":
        return this.#isOurRoute(event.message) ? { changed: "route", urgency: "urgent" } : undefined;
      case "rule":
        return this.#isOurRule(event.message) ? { changed: "rule", urgency: "urgent" } : undefined;
      case "nexthop": {
        const { protocol, id } = event.message;
        const ours = protocol === HEDDLE_PROTOCOL || this.#keys.has(`nexthop ${id}`);
        return ours ? { changed: "nexthop", urgency: "urgent" } : undefined;
      }
      case "neighbour":
        return this.#isOurNeighbour(event.message) ? { changed: "neighbour", urgency: "urgent" } : undefined;
    }
  }

  #ofLink(type: "new" | "del", message: LinkMessage, isOld: boolean): Hint | undefined {
    const known = this.#links.get(message.index);
    if (type === "new" && known && !isOld) {
      const now = linkFromMessage(message, [], undefined, new Map());
      const { addresses: _1, driver: _2, parent: _3, ...before } = known;
      const { addresses: _4, driver: _5, parent: _6, ...after } = now;
      // Counters, speed, neighbours of a bridge: much of what is told of a link is nothing that a look would see.
      if (isSameData(before, after)) return undefined;
    }
    const names = [known?.name, message.name, ...(message.altNames ?? [])].filter((name) => name !== undefined);
    const ours = names.some((name) => this.#named.has(name));
    const link = known?.name ?? message.name;
    return { changed: "link", urgency: ours ? "urgent" : "calm", ...(link === undefined ? {} : { link }) };
  }

  #ofAddress(type: "new" | "del", message: AddressMessage, isOld: boolean): Hint | undefined {
    const link = this.#links.get(message.index);
    // Of a link that the look did not see there will be an event of the link as well.
    if (!link) return { changed: "link", urgency: "calm" };
    const now = addressFromMessage(message, link.name);
    // A lease that is renewed is told as an address that is new.
    if (type === "new" && !isOld && link.addresses.some((address) => isSameData(address, now))) return undefined;
    return { changed: "address", urgency: this.#named.has(link.name) ? "urgent" : "calm", link: link.name };
  }

  #isOurRoute(message: RouteMessage): boolean {
    if (message.protocol === HEDDLE_PROTOCOL) return true;
    const spec = routeFromMessage(message, this.#names);
    return spec !== undefined && this.#keys.has(rulesOf("route").identify(spec));
  }

  #isOurRule(message: RuleMessage): boolean {
    if (message.protocol === HEDDLE_PROTOCOL) return true;
    const spec = ruleFromMessage(message);
    // An equal rule of somebody else's may be one to take over, or that was waited for.
    return spec !== undefined && this.#keys.has(rulesOf("rule").identify({ ...spec, protocol: HEDDLE_PROTOCOL }));
  }

  /** Whatever becomes of an entry under a key of ours: the kernel may have learned another in its place. */
  #isOurNeighbour({ protocol, index, destination, proxy }: NeighbourMessage): boolean {
    if (protocol === HEDDLE_PROTOCOL) return true;
    const link = this.#links.get(index)?.name;
    if (destination === undefined || link === undefined) return false;
    const family = destination.includes(":") ? 6 : 4;
    const spec = {
      family,
      link,
      address: destination,
      protocol: HEDDLE_PROTOCOL,
      ...(proxy ? { proxy } : {}),
    } as const;
    return this.#keys.has(rulesOf("neighbour").identify(spec));
  }
}
