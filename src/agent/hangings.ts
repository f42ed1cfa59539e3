// Owns the question which links an object hangs on: its own, and those of the nexthops and addresses that it is made of.
import { parsePrefix } from "../model/ip.ts";
import { linkOfSysctl } from "../plan/kinds/sysctl.ts";
import type { Desired, DesiredState } from "../model/objects.ts";

/** What hangs on what, among wanted objects. */
export class Hangings {
  readonly #ofNexthops = new Map<number, ReadonlySet<string>>();
  readonly #ofAddresses = new Map<string, string>();

  constructor({ objects }: DesiredState) {
    // In the order of creation, so that members come before their groups.
    for (const object of objects) {
      if (object.kind === "nexthop") this.#ofNexthops.set(object.spec.id, this.linksOf(object));
      if (object.kind !== "address") continue;
      this.#ofAddresses.set(parsePrefix(object.spec.address)?.address ?? "", object.spec.link);
    }
  }

  /** The links without which the object goes, or was never whole. */
  linksOf(object: Desired): ReadonlySet<string> {
    const links = new Set<string>();
    const members = object.kind === "nexthop" ? (object.spec.members ?? []).map(({ id }) => ({ nexthop: id })) : [];
    for (const need of [...object.needs, ...members]) {
      if ("nexthop" in need) for (const link of this.#ofNexthops.get(need.nexthop) ?? []) links.add(link);
      const link = "address" in need ? (need.link ?? this.#ofAddresses.get(need.address)) : undefined;
      if (link !== undefined) links.add(link);
      if ("up" in need) links.add(need.link);
    }
    if (object.kind === "address") links.add(object.spec.link);
    const ofSwitch = object.kind === "sysctl" ? linkOfSysctl(object.spec.path) : undefined;
    if (ofSwitch !== undefined) links.add(ofSwitch);
    return links;
  }
}
