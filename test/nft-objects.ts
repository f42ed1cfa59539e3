// Owns what tests of the kind "nftTable" share: tables, and a host on which plans are made and done without a role.
import { applyPlan } from "../src/agent/apply.ts";
import type { Applied } from "../src/agent/apply.ts";
import type { Host } from "../src/host/host.ts";
import type { NftObject, NftTableSpec } from "../src/model/nft.ts";
import type { Wanted } from "../src/model/objects.ts";
import { emptyLedger } from "../src/model/plan.ts";
import type { Ledger, Plan } from "../src/model/plan.ts";
import { composeDesired } from "../src/plan/compose.ts";
import { emptyNumbers } from "../src/plan/numbers.ts";
import { noKnownOwners } from "../src/plan/recall-owners.ts";
import { MemoryStore } from "./memory-store.ts";
import { factsOf } from "../src/plan/facts.ts";
import { noOwners } from "../src/model/owners.ts";
import { makePlan } from "../src/plan/plan.ts";

const NOWHERE = { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };

/** A table of heddle's that marks what user 0 sends, unless said otherwise. */
export function nftTable(spec: Partial<NftTableSpec> = {}): NftTableSpec {
  return { family: "inet", name: "heddle-egress-a", owner: "heddle", objects: marking(0x70), ...spec };
}

/** A base chain and a rule that sets a mark. */
export function marking(value: number): NftObject[] {
  return [
    { chain: { name: "output", type: "route", hook: "output", prio: -150 } },
    {
      rule: {
        chain: "output",
        expr: [
          { match: { op: "==", left: { meta: { key: "skuid" } }, right: 0 } },
          { mangle: { key: { meta: { key: "mark" } }, value } },
        ],
      },
    },
  ];
}

/** Content that every host refuses: a rule in a chain that is not there, behind things that are all right. */
export function refusedObjects(): NftObject[] {
  return [...marking(0x71), { rule: { chain: "missing", expr: [{ accept: null }] } }];
}

/** Makes and does plans for tables alone, with a memory, as an apply does. */
export class Applier {
  readonly host: Host;
  ledger: Ledger = emptyLedger();

  constructor(host: Host) {
    this.host = host;
  }

  async plan(...tables: readonly NftTableSpec[]): Promise<Plan> {
    return (await this.#look(tables)).plan;
  }

  async apply(...tables: readonly NftTableSpec[]): Promise<Applied> {
    const store = new MemoryStore();
    store.memory.ledger = this.ledger;
    const applied = await applyPlan(await this.#look(tables), this.host, store);
    this.ledger = store.memory.ledger;
    return applied;
  }

  async #look(tables: readonly NftTableSpec[]): Promise<Parameters<typeof applyPlan>[0]> {
    const wanted = tables.map((spec): Wanted => ({ kind: "nftTable", spec, from: NOWHERE }));
    const want = composeDesired([{ owner: "egress/a", wanted }]).value ?? { objects: [] };
    const links = await this.host.links();
    const observed = await this.host.drivers.nftTable.list(links, { sysctls: [], nftTables: true });
    const snapshot = { links, observed };
    const plan = makePlan(want, snapshot, this.ledger);
    const told = { tableNames: {}, owners: noOwners(), signals: [], tcPrograms: true, socketMarks: false };
    const facts = factsOf(snapshot, this.ledger, told);
    const intent = { sections: [], numbers: emptyNumbers() };
    const known = { earlier: noKnownOwners(), now: noKnownOwners() };
    const memory = { ledger: this.ledger, earlier: emptyNumbers(), known, cgroups: [] };
    return { snapshot, facts, ...memory, intent, want, plan };
  }
}

/** A plan as lines: "drift nftTable inet heddle-egress-a". */
export function linesOf(plan: Plan): string[] {
  const steps = plan.steps.map((step) => `${step.why} ${step.action === "delete" ? step.before.key : step.after.key}`);
  return [...steps, ...plan.blocked.map(({ desired, why }) => `${why} ${desired.key}`)];
}
