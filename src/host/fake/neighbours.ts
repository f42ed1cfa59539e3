// Owns the neighbour entries of the model: those that somebody stated, and nothing of what a kernel learns.
//
// Source: net/core/neighbour.c (neigh_add, neigh_delete, neigh_flush_dev).
import { constants } from "node:os";
import type { NeighbourSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { neighbourRules } from "../../plan/kinds/neighbour.ts";
import { specsOf } from "../kinds/perform-steps.ts";
import { linkOf, refusal } from "./state.ts";
import type { FakeState } from "./state.ts";

const { EEXIST, EINVAL, ENOENT } = constants.errno;

/** Does one step on a neighbour entry. */
export function performNeighbour(state: FakeState, step: Step): void {
  const { before, after } = specsOf("neighbour", step);
  const key = neighbourRules.identify((after ?? before) as NeighbourSpec);
  const present = state.neighbours.find((spec) => neighbourRules.identify(spec) === key);
  const rest = state.neighbours.filter((spec) => spec !== present);
  if (!after) {
    if (present?.protocol === before?.protocol) state.neighbours = rest;
    return;
  }
  if (before && present?.protocol !== before.protocol) throw refusal(ENOENT, key);
  if (!before && present) throw refusal(EEXIST, key);
  const length = linkOf(state, after.link ?? "").hardwareAddress?.length ?? 17;
  if (!after.proxy && (after.hardwareAddress?.length ?? 0) < length) throw refusal(EINVAL, key);
  state.neighbours = [...rest, after];
}

/** Admin down takes all entries of the link along; a carrier that is lost, all but the permanent ones, proxy entries too. */
export function dropNeighboursOf(state: FakeState, name: string, why: "down" | "no-carrier"): void {
  state.neighbours = state.neighbours.filter(
    ({ link, state: kept }) => link !== name || (why === "no-carrier" && kept === "permanent"),
  );
}
