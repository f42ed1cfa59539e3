// Owns the question whether what an object needs is there, or will be by the time that its turn comes.
import { parsePrefix } from "../model/ip.ts";
import type { LinkFact } from "../model/facts.ts";
import type { AddressSpec, Key } from "../model/kinds.ts";
import type { Desired, Need, Snapshot } from "../model/objects.ts";
import type { Blocked } from "../model/plan.ts";

/** What an object waits for. */
export type Lack = Pick<Blocked, "waitsFor" | "why">;

/** What objects can be built on: what the kernel has and keeps, and what the plan has made so far. */
export class Ground {
  readonly #links: ReadonlyMap<string, LinkFact>;
  /** By address without its length: whether it can be used. */
  readonly #addresses = new Map<string, "usable" | "tentative">();
  readonly #nexthops = new Set<number>();

  /** `unfit` are the keys of objects that nothing can be built on: those that the plan takes away, for instance. */
  constructor(have: Snapshot, unfit: ReadonlySet<Key>) {
    this.#links = new Map(have.links.map((link) => [link.name, link]));
    for (const { kind, spec, key } of have.observed) {
      if (kind === "nexthop" && !unfit.has(key)) this.#nexthops.add(spec.id);
      if (kind === "address" && unfit.has(key)) continue;
      if (kind === "address") this.#addAddress(spec, spec.tentative ? "tentative" : "usable");
    }
  }

  /** Counts an object in that the plan makes. */
  add({ kind, spec }: Desired): void {
    if (kind === "nexthop") this.#nexthops.add(spec.id);
    if (kind !== "address") return;
    const link = this.#links.get(spec.link);
    // The driver waits until the probe for duplicates is over, which begins when the link has a carrier.
    const soon = spec.family === 4 || (link?.up && link.carrier);
    this.#addAddress(spec, soon ? "usable" : "tentative");
  }

  /** What is lacking, or undefined when the need is met. */
  lack(need: Need): Lack | undefined {
    if ("address" in need) {
      const state = this.#addresses.get(need.address);
      if (state === "usable") return undefined;
      return state === undefined
        ? { waitsFor: `address ${need.address}`, why: "address-missing" }
        : { waitsFor: `address ${need.address} to be usable`, why: "address-tentative" };
    }
    if ("nexthop" in need) {
      if (this.#nexthops.has(need.nexthop)) return undefined;
      return { waitsFor: `nexthop ${need.nexthop}`, why: "nexthop-missing" };
    }
    const link = this.#links.get(need.link);
    if (!link) return { waitsFor: `link ${need.link}`, why: "link-missing" };
    if (need.up && !link.up) return { waitsFor: `link ${need.link} to be up`, why: "link-down" };
    if (need.carrier && !link.carrier) return { waitsFor: `link ${need.link} to have a carrier`, why: "no-carrier" };
    return undefined;
  }

  #addAddress({ address }: AddressSpec, state: "usable" | "tentative"): void {
    const host = parsePrefix(address)?.address ?? address;
    if (this.#addresses.get(host) !== "usable") this.#addresses.set(host, state);
  }
}
