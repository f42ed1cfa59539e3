// Owns the nexthop objects of the model, and what they take along when they go.
//
// Source: net/ipv4/nexthop.c (rtm_to_nh_config, replace_nexthop, remove_nexthop, nh_netdev_event).
import { constants } from "node:os";
import { networkOf, prefixContains } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import type { NexthopSpec, RouteSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { specsOf } from "../kinds/perform-steps.ts";
import { linkOf, refusal } from "./state.ts";
import type { FakeState } from "./state.ts";

const { EEXIST, EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, ENOENT } = constants.errno;

/** Does one step on a nexthop object. */
export function performNexthop(state: FakeState, step: Step): void {
  const { before, after } = specsOf("nexthop", step);
  const present = before && state.nexthops.find(({ id, protocol }) => id === before.id && protocol === before.protocol);
  if (!after) {
    if (present) dropNexthop(state, present.id);
    return;
  }
  if (before && !present) throw refusal(ENOENT, `nexthop ${before.id}`);
  if (!before && state.nexthops.some(({ id }) => id === after.id)) throw refusal(EEXIST, `nexthop ${after.id}`);
  check(state, after);
  if (present && shapeOf(present) !== shapeOf(after)) throw refusal(EINVAL, `nexthop ${after.id}`);
  state.nexthops = [...state.nexthops.filter(({ id }) => id !== after.id), after].sort((a, b) => a.id - b.id);
}

/** Takes the objects of a link that went down, or lost its carrier, away. */
export function dropNexthopsOf(state: FakeState, name: string): void {
  for (const { id, link } of state.nexthops) if (link === name) dropNexthop(state, id);
}

/** An object goes, its routes go, and groups shrink; those that have nobody left go as well. */
function dropNexthop(state: FakeState, gone: number): void {
  state.routes = state.routes.filter(({ nexthop }) => nexthop !== gone);
  state.nexthops = state.nexthops
    .filter(({ id }) => id !== gone)
    .map((spec) => (spec.members ? { ...spec, members: spec.members.filter(({ id }) => id !== gone) } : spec));
  for (const { id, members } of state.nexthops) if (members?.length === 0) dropNexthop(state, id);
}

function check(state: FakeState, spec: NexthopSpec): void {
  const name = `nexthop ${spec.id}`;
  for (const { id } of spec.members ?? []) {
    const member = state.nexthops.find((candidate) => candidate.id === id);
    if (!member || member.members || (member.blackhole && spec.members?.length !== 1)) throw refusal(EINVAL, name);
  }
  if (spec.link === undefined) return;
  const link = linkOf(state, spec.link);
  if (!link.up || !link.carrier) throw refusal(ENETDOWN, name);
  const { via, onlink } = spec;
  const near = link.addresses.some((own) => via !== undefined && prefixContains(networkOf(own.address), via));
  const local = via?.startsWith("fe80:");
  if (via !== undefined && !onlink && !near && !local)
    throw refusal(spec.family === 6 ? EHOSTUNREACH : ENETUNREACH, name);
}

/** What the kernel refuses to change in place. */
function shapeOf({ members, resilient }: NexthopSpec): string {
  return `${members ? "group" : "single"} ${resilient?.buckets}`;
}

/** Refuses a route by an object that is not there, or that its family cannot use. */
export function checkNexthopOf(state: FakeState, route: RouteSpec): void {
  if (route.nexthop === undefined) return;
  const families = familiesOf(state, route.nexthop);
  if (!families || (route.family === 6 && families.has(4))) throw refusal(EINVAL, route.to);
}

function familiesOf(state: FakeState, wanted: number): Set<Family> | undefined {
  const spec = state.nexthops.find(({ id }) => id === wanted);
  if (!spec) return undefined;
  const members = (spec.members ?? []).flatMap(({ id }) => [...(familiesOf(state, id) ?? [])]);
  return new Set(spec.family === undefined ? members : [spec.family]);
}
