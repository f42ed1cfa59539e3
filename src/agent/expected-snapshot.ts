// Owns what the kernel would have after a plan: the objects of the plan, and what the kernel makes and takes along with
// an address.
import { networkOf, parsePrefix } from "../model/ip.ts";
import { KERNEL_PROTOCOL } from "../model/protocol.ts";
import { TABLE } from "../model/kinds.ts";
import type { AddressSpec, RouteSpec } from "../model/kinds.ts";
import type { Observed, Snapshot } from "../model/objects.ts";
import type { Plan } from "../model/plan.ts";
import { rulesOf } from "../plan/kinds/index.ts";

/** The look as it would be after the plan. Switches and tables of nftables do not matter here. */
export function expectSnapshot({ links, observed }: Snapshot, plan: Plan): Snapshot {
  const gone = new Set<Observed>();
  const made: Observed[] = [];
  for (const step of plan.steps) {
    if (step.action !== "create") gone.add(step.before);
    if (step.action === "delete") continue;
    const { kind, spec, key } = step.after;
    made.push({ kind, spec, key } as Observed);
  }
  const left = addressesOf([...gone]).map(hostOf);
  const came = addressesOf(made);
  const still = new Set(came.map(hostOf));
  const lost = new Set(left.filter((address) => !still.has(address)));
  const kept = observed.filter((object) => {
    if (gone.has(object)) return false;
    if (object.kind !== "route") return true;
    const { source, type, to, protocol } = object.spec;
    if (source !== undefined && lost.has(source)) return false;
    return !(type === "local" && protocol === KERNEL_PROTOCOL && lost.has(parsePrefix(to)?.address ?? ""));
  });
  const after = links.map((link) => ({
    ...link,
    addresses: [
      ...link.addresses.filter((address) => !lost.has(hostOf(address))),
      ...came.filter((address) => address.link === link.name),
    ],
  }));
  return { links: after, observed: [...kept, ...made, ...came.map(connected)] };
}

/** The route to its subnet that the kernel makes with an address (fib_add_ifaddr, addrconf_prefix_route). */
function connected({ family, link, address }: AddressSpec): Observed {
  const spec: RouteSpec = {
    family,
    table: TABLE.main,
    to: networkOf(address),
    type: "unicast",
    hops: [{ link }],
    source: hostOf({ address }),
    protocol: KERNEL_PROTOCOL,
  };
  return { kind: "route", spec, key: rulesOf("route").identify(spec) };
}

function addressesOf(objects: readonly Observed[]): AddressSpec[] {
  return objects.flatMap(({ kind, spec }) => (kind === "address" ? [spec] : []));
}

function hostOf({ address }: Pick<AddressSpec, "address">): string {
  return parsePrefix(address)?.address ?? address;
}
