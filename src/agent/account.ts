// Owns the account of repairs: what was repaired, refused, waits and rests; told as it happens, and asked for later.
import type { HostError } from "../host/error.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Key } from "../model/kinds.ts";
import type { Blocked, Plan, Step } from "../model/plan.ts";
import { describeObject, describeStep } from "../plan/kinds/index.ts";
import { Culprits } from "./culprits.ts";
import type { Culprit } from "./culprits.ts";
import { Fights } from "./fights.ts";
import type { Standing } from "./fights.ts";
import { Hangings } from "./hangings.ts";
import type { Look } from "./look.ts";
import type { News } from "./news.ts";
import type { Occasion } from "./pace.ts";
import { keyOf, objectOf } from "./withhold.ts";

/** Repairs of one look that are told one by one; of more, how many they are. */
const MOST_TOLD = 50;

/** An object that rests: how long yet, since when, in milliseconds, and who may be behind it. */
export type Resting = Standing & { leftMs: number; ageMs: number } & Partial<Culprit>;

/** What there is to say of the work so far. */
export class Account {
  readonly #news: News;
  readonly #fights = new Fights();
  readonly #culprits = new Culprits();
  readonly #named = new Map<Key, Culprit>();
  #hangings = new Hangings({ objects: [] });
  /** When something was looked at, and how long the last time took, with what followed. */
  looks: { count: number; last?: Date; lastMs?: number } = { count: 0 };
  repairs: { count: number; last?: Date } = { count: 0 };
  /** The last plan, as it was done. */
  plan: Plan = { steps: [], blocked: [], settled: [] };
  /** What the roles had to say. */
  diagnostics: readonly Diagnostic[] = [];

  constructor(news: News) {
    this.#news = news;
  }

  /** Notes who asked for a change of something of heddle's: the port id that the event carried. */
  heardOf(by: number, now: number): void {
    this.#culprits.note(by, now);
  }

  /** Forgets who fights and what was refused: the file is another. */
  begin(): void {
    this.#fights.clear();
    this.#named.clear();
  }

  /** Whether a step is to be left out now. */
  rests(step: Step, occasion: Occasion, now: number): boolean {
    return this.#fights.rests(keyOf(step), now) && !this.#wentWithLink(step, occasion);
  }

  /** When the first rest ends. */
  restEnd(now: number): number | undefined {
    return this.#fights.nextEnd(now);
  }

  resting(now: number): Resting[] {
    return this.#fights.all.map((one) => ({
      ...one,
      leftMs: Math.max(0, one.restsUntil - now),
      ageMs: now - one.since,
      ...this.#named.get(one.key),
    }));
  }

  /** Notes what a look found: fights that are over, and what waits anew. */
  found({ want, plan }: Pick<Look, "want" | "plan">, now: number): void {
    this.#hangings = new Hangings(want);
    const wanted = new Set(want.objects.map(({ key }) => key));
    for (const { key, why } of this.#fights.settle(wanted, new Set(plan.steps.map(keyOf)), now)) {
      this.#named.delete(key);
      this.#news.tell("info", why === "fight" ? "fight-over" : "no-longer-refused", { object: key });
    }
  }

  /** Notes the plan that is about to be done. */
  intended(plan: Plan): void {
    const name = ({ desired, waitsFor }: Blocked): string => `${desired.key} ${waitsFor}`;
    const before = new Set(this.plan.blocked.map(name));
    for (const one of plan.blocked) {
      if (one.why === "resting" || before.has(name(one))) continue;
      this.#news.tell("info", "waiting", {
        object: describeObject(one.desired),
        waitsFor: one.waitsFor,
        why: one.why,
      });
    }
    this.plan = plan;
  }

  /** Notes what was done. */
  done(steps: readonly Step[], occasion: Occasion, now: number): void {
    const ms = occasion.since === undefined ? {} : { ms: Math.round((now - occasion.since) * 10) / 10 };
    for (const [i, step] of steps.entries()) {
      const object = describeStep(step);
      const isRepair = step.why === "missing" || step.why === "drift";
      const event = isRepair ? "repaired" : step.action === "delete" ? "removed" : "made";
      this.#news.tell(i < MOST_TOLD ? "info" : "debug", event, { object, why: step.why, ...ms });
      if (!isRepair) continue;
      this.repairs = { count: this.repairs.count + 1, last: new Date() };
      const fight = this.#wentWithLink(step, occasion) ? undefined : this.#fights.repaired(keyOf(step), now);
      if (fight) this.#tellFight(fight, step, now);
    }
    if (steps.length > MOST_TOLD) this.#news.tell("info", "and-more", { count: steps.length - MOST_TOLD });
  }

  /** Notes what the kernel refused. */
  refused(step: Step, error: HostError | undefined, now: number): void {
    const standing = this.#fights.refused(keyOf(step), now);
    this.#news.tell(standing ? "error" : "debug", "refused", {
      object: describeStep(step),
      error: error?.code,
      ...(error?.kernelMessage === undefined ? {} : { kernel: error.kernelMessage }),
    });
  }

  #tellFight({ key, count, restMs }: Standing, step: Step, now: number): void {
    // No event says who removes pins or detaches links, and none of the programs that are known for changes does.
    const culprit = objectOf(step).kind === "cgroupProgram" ? undefined : this.#culprits.name(now);
    if (culprit) this.#named.set(key, culprit);
    this.#news.tell("warn", "fight", { object: describeStep(step), repairs: count, restMs, ...culprit });
  }

  /** What goes with its link goes because of it, however often that flaps: nobody fights over it. */
  #wentWithLink(step: Step, { links }: Occasion): boolean {
    if (step.action === "delete") return false;
    return [...this.#hangings.linksOf(step.after)].some((link) => links.has(link));
  }
}
