// Owns the life of the agent: it hears, looks, repairs, waits, and does what it is asked, one thing at a time.
import { HostError } from "../host/error.ts";
import { sinceBootMs } from "../host/ledger/deadline.ts";
import type { Pending } from "../host/ledger/deadline.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Key } from "../model/kinds.ts";
import type { Blocked, Step } from "../model/plan.ts";
import { describeObject, describeStep } from "../plan/kinds/index.ts";
import type { AgentMemory } from "./agent-memory.ts";
import type { ChangeRequest, Reply } from "./api/schema.ts";
import { applyPlan } from "./apply.ts";
import { carryOut, courseOf, undo, UnusableFile } from "./carry-out.ts";
import type { Asker, Course, Office } from "./carry-out.ts";
import { Culprits } from "./culprits.ts";
import type { Culprit } from "./culprits.ts";
import { Ears } from "./ears.ts";
import { Fights } from "./fights.ts";
import type { Standing } from "./fights.ts";
import { Heap } from "./heap.ts";
import { Interest } from "./interest.ts";
import { lookAndPlan } from "./look.ts";
import type { News } from "./news.ts";
import { Pace } from "./pace.ts";
import type { Occasion } from "./pace.ts";
import type { RememberedHost } from "./remembered-host.ts";
import { keyOf, objectOf, withhold, withholdUnprobed } from "./withhold.ts";

/** What an agent works with. */
export interface AgentOffice extends Office {
  host: RememberedHost;
  store: AgentMemory;
}

export interface AgentOptions {
  /** How often everything is looked at though nothing was heard, milliseconds. */
  netMs: number;
  /** Told when the agent repairs by itself (true) and when it does what it was asked (false). */
  repairing: (byItself: boolean) => void;
}

/** Repairs of one look that are told one by one; of more, how many they are. */
const MOST_TOLD = 50;

/** So long nothing may happen before memory is given back, for which everything stands still a moment. */
const QUIET_MS = 3000;

/** How long to wait after the kernel could not be read, milliseconds. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** What there is to say of the agent's work so far. */
export interface Record {
  looks: { count: number; last?: Date; lastMs?: number };
  repairs: { count: number; last?: Date };
  blocked: readonly Blocked[];
  steps: readonly Step[];
  diagnostics: readonly Diagnostic[];
  settled: readonly Key[];
}

/** Keeps a host as a file says. */
export class Agent {
  readonly #office: AgentOffice;
  readonly #options: AgentOptions;
  readonly #news: News;
  readonly #pace: Pace;
  readonly #fights = new Fights();
  readonly #culprits = new Culprits();
  readonly #heap = new Heap();
  readonly #named = new Map<string, Culprit>();
  readonly #record: Record = {
    looks: { count: 0 },
    repairs: { count: 0 },
    blocked: [],
    steps: [],
    settled: [],
    diagnostics: [],
  };
  #ears: Ears | undefined;
  #course: Course = courseOf(undefined);
  #serial: number | undefined;
  #pending: Pending | undefined;
  #restEnd: number | undefined;
  #retry: { at: number; waitMs: number; error: Error } | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #busySince: number | undefined;
  #wake: () => void = () => {};
  #stopped = false;

  constructor(office: AgentOffice, news: News, options: AgentOptions) {
    this.#office = office;
    this.#news = news;
    this.#options = options;
    this.#pace = new Pace(options.netMs, now());
  }

  /**
   * Takes up what is confirmed (or waits for it), listens, and looks for the first time. Throws UnusableFile and
   * HostError.
   */
  async start(): Promise<void> {
    const { confirmed, diagnostics } = await this.#office.confirmed.current();
    for (const { summary } of diagnostics) this.#news.tell("warn", "state-unreadable", { summary });
    this.#serial = confirmed?.serial;
    this.#pending = await this.#office.deadline.read();
    this.#course = courseOf(this.#pending ?? confirmed);
    const { port = 0 } = this.#office.host;
    this.#ears = new Ears(port, (hint, by) => {
      const at = now();
      if (hint.urgency === "lost") this.#news.tell("warn", "events-lost");
      if (hint.urgency === "urgent") this.#culprits.note(by, at);
      this.#pace.note(hint, at);
      this.#wake();
    });
    this.#options.repairing(true);
    this.#pace.note({ changed: "everything", urgency: "urgent" }, now());
    await this.#exclusively(() => this.#lookOnce());
  }

  /** Works until it is stopped. Rejects for a bug. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const wait = this.#due() - now();
      if (wait <= 0) await this.#exclusively(() => this.#act());
      else if (wait <= QUIET_MS || !this.#heap.isLarge) await this.#sleep(wait);
      else if (!(await this.#sleep(QUIET_MS))) this.#heap.collect();
    }
  }

  /** Stops, when what it is doing is done. What the kernel has stays as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#busy.catch(() => {});
    this.#ears?.close();
  }

  /** Does what is asked for, when what it is doing is done. */
  async request(request: ChangeRequest, asker: Asker): Promise<Reply> {
    return this.#exclusively(async () => {
      this.#office.host.forget(["everything"]);
      this.#options.repairing(false);
      try {
        const { reply, course } = await carryOut(request, asker, this.#office);
        if (course) this.#take(course);
        await this.#readWhatHolds();
        this.#news.tell(reply.outcome === "failed" ? "warn" : "info", request.do, {
          by: asker.uid,
          outcome: reply.outcome,
          steps: reply.plan?.steps.length ?? 0,
        });
        return reply;
      } finally {
        this.#options.repairing(true);
        this.#pace.note({ changed: "everything", urgency: "urgent" }, now());
        this.#wake();
      }
    });
  }

  get record(): Readonly<Record> {
    return this.#record;
  }

  get course(): Readonly<Course> & { serial?: number } {
    return { ...this.#course, ...(this.#serial === undefined ? {} : { serial: this.#serial }) };
  }

  get pendingMs(): number | undefined {
    return this.#pending && Math.max(0, this.#pending.until - sinceBootMs());
  }

  /** Objects that rest, with how long yet in milliseconds, and who may be behind it. */
  get standing(): (Standing & { leftMs: number; ageMs: number } & Partial<Culprit>)[] {
    const at = now();
    return this.#fights.all.map((one) => ({
      ...one,
      leftMs: Math.max(0, one.restsUntil - at),
      ageMs: at - one.since,
      ...this.#named.get(one.key),
    }));
  }

  /** What keeps it from its work. */
  get troubles(): string[] {
    const { trouble } = this.#office.store;
    return [
      ...(trouble ? [`the state cannot be written: ${trouble.message}`] : []),
      ...(this.#retry ? [`the host cannot be looked at or changed: ${this.#retry.error.message}`] : []),
      ...this.#record.diagnostics.filter(({ severity }) => severity === "error").map(({ summary }) => summary),
    ];
  }

  /** Milliseconds that the present work has taken; 0 when there is none. */
  get busyMs(): number {
    return this.#busySince === undefined ? 0 : now() - this.#busySince;
  }

  #due(): number {
    const deadline = this.#pending ? now() + (this.#pending.until - sinceBootMs()) : Infinity;
    if (this.#retry) return Math.min(this.#retry.at, deadline);
    return Math.min(this.#pace.due(), this.#restEnd ?? Infinity, deadline);
  }

  async #act(): Promise<void> {
    if (this.#pending && this.#pending.until <= sinceBootMs()) await this.#undo();
    await this.#lookOnce();
  }

  /** One look and what follows from it. */
  async #lookOnce(): Promise<void> {
    const began = now();
    const occasion = this.#pace.take(began);
    const { host, store } = this.#office;
    host.forget(occasion.changed);
    store.tolerant = true;
    try {
      await store.catchUp();
      await this.#repair(occasion);
      this.#retry = undefined;
    } catch (error) {
      if (!(error instanceof HostError) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
      const waitMs = this.#retry ? Math.min(this.#retry.waitMs * 2, LONGEST_RETRY_MS) : FIRST_RETRY_MS;
      this.#retry = { at: now() + waitMs, waitMs, error: error as Error };
      this.#pace.note({ changed: "everything", urgency: "urgent" }, now());
      this.#news.tell("error", "trouble", { error: (error as Error).message, retryMs: waitMs });
    } finally {
      store.tolerant = false;
    }
    const ended = now();
    this.#pace.ended(ended, ended - began);
    const { looks } = this.#record;
    Object.assign(looks, { count: looks.count + 1, last: new Date(), lastMs: ended - began });
  }

  async #repair(occasion: Occasion): Promise<void> {
    const { host, store, trace } = this.#office;
    const memory = await store.read();
    const { look, diagnostics } = await lookAndPlan(this.#course.config, host, memory, trace);
    this.#record.diagnostics = diagnostics;
    if (!look) {
      this.#news.tell("warn", "no-plan", { why: diagnostics.map(({ summary }) => summary).join("; ") });
      return;
    }
    this.#ears?.attend(new Interest(look));
    host.condense(look.want);
    const at = now();
    const amiss = new Set(look.plan.steps.map(keyOf));
    for (const { key, why } of this.#fights.settle(new Set(look.want.objects.map((one) => one.key)), amiss, at)) {
      this.#named.delete(key);
      this.#news.tell("info", why === "fight" ? "fight-over" : "no-longer-refused", { object: key });
    }
    const rests = (step: Step): boolean => this.#fights.rests(keyOf(step), at) && !wentWithLink(step, occasion);
    const plan = withholdUnprobed(withhold(look.plan, rests));
    this.#tellWaiting(plan.blocked);
    Object.assign(this.#record, { blocked: plan.blocked, steps: plan.steps, settled: plan.settled });
    if (plan.steps.length > 0) {
      const applied = await applyPlan({ ...look, plan }, host, store, trace);
      for (const { step, error } of applied.failed) this.#tellRefused(step, error);
      for (const object of applied.notUndone) this.#news.tell("error", "not-undone", { object });
      this.#tellRepaired(applied.done, occasion);
      // The next look proves it, and lists what was changed: its events are not heard, being heddle's own.
      for (const { kind } of plan.steps.map(objectOf)) this.#pace.note({ changed: kind, urgency: "urgent" }, now());
    }
    this.#restEnd = this.#fights.nextEnd(now());
  }

  #tellRepaired(done: readonly Step[], occasion: Occasion): void {
    const { since } = occasion;
    const at = now();
    const ms = since === undefined ? undefined : Math.round((at - since) * 10) / 10;
    for (const [i, step] of done.entries()) {
      const object = describeStep(step);
      const repaired = step.why === "missing" || step.why === "drift";
      this.#news.tell(
        i < MOST_TOLD ? "info" : "debug",
        repaired ? "repaired" : step.action === "delete" ? "removed" : "made",
        {
          object,
          why: step.why,
          ...(ms === undefined ? {} : { ms }),
        },
      );
      if (!repaired) continue;
      this.#record.repairs = { count: this.#record.repairs.count + 1, last: new Date() };
      if (wentWithLink(step, occasion)) continue;
      const fight = this.#fights.repaired(keyOf(step), at);
      if (fight) this.#tellFight(fight, object);
    }
    if (done.length > MOST_TOLD) this.#news.tell("info", "and-more", { count: done.length - MOST_TOLD });
  }

  #tellFight({ key, count, restMs }: Standing, object: string): void {
    const culprit = this.#culprits.name(now());
    if (culprit) this.#named.set(key, culprit);
    this.#news.tell("warn", "fight", { object, repairs: count, restMs, ...culprit });
  }

  #tellRefused(step: Step, error: HostError | undefined): void {
    const standing = this.#fights.refused(keyOf(step), now());
    this.#news.tell(standing ? "error" : "debug", "refused", {
      object: describeStep(step),
      error: error?.code,
      ...(error?.kernelMessage === undefined ? {} : { kernel: error.kernelMessage }),
    });
  }

  #tellWaiting(blocked: readonly Blocked[]): void {
    const before = new Set(this.#record.blocked.map(({ desired, waitsFor }) => `${desired.key} ${waitsFor}`));
    for (const { desired, waitsFor, why } of blocked) {
      if (why === "resting" || before.has(`${desired.key} ${waitsFor}`)) continue;
      this.#news.tell("info", "waiting", { object: describeObject(desired), waitsFor, why });
    }
  }

  /** Back to what is confirmed: the time is over. */
  async #undo(): Promise<void> {
    this.#office.host.forget(["everything"]);
    this.#options.repairing(false);
    try {
      const { reply, course } = await undo(this.#office);
      this.#take(course);
      this.#news.tell("warn", "undone", { outcome: reply.outcome, steps: reply.plan?.steps.length ?? 0 });
    } catch (error) {
      // What was confirmed is not for this version: what is in force is better than nothing.
      if (!(error instanceof UnusableFile)) throw error;
      this.#news.tell("error", "trouble", { error: error.message });
    } finally {
      this.#options.repairing(true);
    }
    // Whatever came of it, the agent goes on towards what is confirmed.
    await this.#office.deadline.clear().catch(() => {});
    await this.#readWhatHolds();
    this.#pace.note({ changed: "everything", urgency: "urgent" }, now());
  }

  #take(course: Course): void {
    this.#course = course;
    this.#fights.clear();
    this.#named.clear();
  }

  async #readWhatHolds(): Promise<void> {
    this.#pending = await this.#office.deadline.read();
    this.#serial = (await this.#office.confirmed.current()).confirmed?.serial;
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#busy
      .catch(() => {})
      .then(async () => {
        this.#busySince = now();
        try {
          return await work();
        } finally {
          this.#busySince = undefined;
        }
      });
    this.#busy = turn;
    return turn;
  }

  /** Whether it was woken before its time. */
  async #sleep(ms: number): Promise<boolean> {
    const woken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.min(ms, 0x7fffffff));
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.#wake = () => {};
    return woken;
  }
}

/** What goes with its link goes because of it, however often that flaps: nobody fights over it. */
function wentWithLink(step: Step, { links }: Occasion): boolean {
  const needs = step.action === "delete" ? [] : step.after.needs;
  return needs.some((need) => "link" in need && need.link !== undefined && links.has(need.link));
}

function now(): number {
  return performance.now();
}
