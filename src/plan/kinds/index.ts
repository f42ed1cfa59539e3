// Owns the list of kinds.
import type { Kind, Specs } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { addressRules } from "./address.ts";
import { cgroupProgramRules } from "./cgroup-program.ts";
import type { KindRules } from "./kind-rules.ts";
import { neighbourRules } from "./neighbour.ts";
import { nexthopRules } from "./nexthop.ts";
import { nftTableRules } from "./nft-table.ts";
import { routeRules } from "./route.ts";
import { ruleRules } from "./rule.ts";
import { sysctlRules } from "./sysctl.ts";
import { tcProgramRules } from "./tc-program.ts";

/** The pure half of every kind. */
export const KIND_RULES: { [K in Kind]: KindRules<K> } = {
  address: addressRules,
  neighbour: neighbourRules,
  nexthop: nexthopRules,
  route: routeRules,
  rule: ruleRules,
  sysctl: sysctlRules,
  nftTable: nftTableRules,
  cgroupProgram: cgroupProgramRules,
  tcProgram: tcProgramRules,
};

/** The rules of one kind, with its type kept. */
export function rulesOf<K extends Kind>(kind: K): KindRules<K> {
  return KIND_RULES[kind];
}

/** "route 10.0.0.0/8 dev ib0 …": the object as a person would say it. */
export function describeObject<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return `${object.kind} ${rulesOf(object.kind).describe(object.spec)}`;
}

/** The object that a step is about, as it will be, or as it was where it goes. */
export function describeStep(step: Step): string {
  return describeObject(step.action === "delete" ? step.before : step.after);
}
