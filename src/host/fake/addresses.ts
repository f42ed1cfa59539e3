// Owns the addresses of the model, and the connected routes that come and go with them.
//
// Sources: net/ipv4/devinet.c, net/ipv4/fib_frontend.c (fib_add_ifaddr, fib_del_ifaddr), net/ipv6/addrconf.c.
import { constants } from "node:os";
import { addressBits, networkOf, parsePrefix } from "../../model/ip.ts";
import { TABLE } from "../../model/kinds.ts";
import type { AddressSpec, RouteSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { withAddress, withoutAddress } from "../../plan/expected-links.ts";
import { addressRules } from "../../plan/kinds/address.ts";
import { routeRules } from "../../plan/kinds/route.ts";
import { specsOf } from "../kinds/perform-steps.ts";
import { KERNEL, linkOf, refusal } from "./state.ts";
import type { FakeState } from "./state.ts";

const { EADDRNOTAVAIL, EEXIST } = constants.errno;

/** Does one step on an address. Addresses are usable at once. */
export function performAddress(state: FakeState, step: Step): void {
  const { before, after } = specsOf("address", step);
  if (before) removeAddress(state, before, step.action === "delete");
  if (after) addAddress(state, after);
}

/** Puts an address on its link. */
export function addAddress(state: FakeState, spec: AddressSpec): void {
  const link = linkOf(state, spec.link);
  const key = addressRules.identify(spec);
  if (link.addresses.some((present) => addressRules.identify(present) === key)) throw refusal(EEXIST, key);
  const { order: _order, ...kept } = spec;
  link.addresses = withAddress(link.addresses, kept);
  if (link.up) connect(state, spec.link);
}

function removeAddress(state: FakeState, spec: AddressSpec, mayBeGone: boolean): void {
  const link = linkOf(state, spec.link);
  const key = addressRules.identify(spec);
  const left = withoutAddress(link.addresses, key);
  if (left.length === link.addresses.length) {
    if (mayBeGone) return;
    throw refusal(EADDRNOTAVAIL, key);
  }
  link.addresses = left;
  const host = hostOf(spec);
  const elsewhere = state.links.some((other) => other.addresses.some((own) => hostOf(own) === host));
  // The last IPv4 address of a link takes all of the link's IPv4 routes along (fib_disable_ip).
  const last = spec.family === 4 && !left.some(({ family }) => family === 4);
  state.routes = state.routes
    .filter((route) => !(last && route.family === 4 && leavesBy(route, spec.link)))
    .filter((route) => !(isConnected(route, spec.link) && route.source === host))
    // Other tables keep such routes (fib_sync_down_addr).
    .filter((route) => elsewhere || route.family === 6 || route.table !== TABLE.main || route.source !== host)
    .filter((route) => !isConnected(route, spec.link) || left.some((own) => route.to === networkOf(own.address)))
    .map((route) => (route.family === 6 && route.source === host && !elsewhere ? withoutSource(route) : route));
  if (link.up) connect(state, spec.link);
}

/** Adds the connected routes that a link's addresses bring and that are not there. */
export function connect(state: FakeState, name: string): void {
  for (const spec of linkOf(state, name).addresses) {
    const { family, address, secondary } = spec;
    const parts = parsePrefix(address);
    if (!parts || secondary || (family === 4 && parts.length === addressBits(4))) continue;
    const to = networkOf(address);
    if (state.routes.some((route) => isConnected(route, name) && route.to === to)) continue;
    const way = family === 4 ? { source: parts.address } : { metric: 256 };
    const hops = [{ link: name }];
    const route: RouteSpec = { family, table: TABLE.main, to, type: "unicast", hops, protocol: KERNEL, ...way };
    state.routes.push(routeRules.normalize(route));
  }
}

/** Admin down takes all routes through the link away, and its IPv6 addresses. */
export function disconnect(state: FakeState, name: string): void {
  const link = linkOf(state, name);
  link.addresses = link.addresses.filter(({ family }) => family === 4);
  state.routes = state.routes.filter((route) => !leavesBy(route, name));
}

function isConnected(route: RouteSpec, name: string): boolean {
  return route.protocol === KERNEL && leavesBy(route, name);
}

function leavesBy(route: RouteSpec, name: string): boolean {
  return route.hops.some(({ link }) => link === name);
}

function withoutSource(route: RouteSpec): RouteSpec {
  const { source: _source, ...rest } = route;
  return rest;
}

function hostOf({ address }: AddressSpec): string | undefined {
  return parsePrefix(address)?.address;
}
