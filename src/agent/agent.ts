// Owns the life of the agent: it hears, looks, repairs, waits, and does what it is asked, one thing at a time.
import { HostError } from "../host/error.ts";
import { sinceBootMs } from "../host/ledger/deadline.ts";
import type { Pending } from "../host/ledger/deadline.ts";
import { Account } from "./account.ts";
import type { AgentMemory } from "./agent-memory.ts";
import { Watchers } from "./watchers.ts";
import type { ChangeRequest, Reply } from "./api/schema.ts";
import { applyPlan } from "./apply.ts";
import { carryOut, courseOf, UnusableFile } from "./carry-out.ts";
import type { Asker, Course, Office } from "./carry-out.ts";
import { Ears } from "./ears.ts";
import { Footprint } from "./footprint.ts";
import { Interest } from "./interest.ts";
import { lookAndPlan } from "./look.ts";
import type { News } from "./news.ts";
import { Pace } from "./pace.ts";
import type { Hint, Occasion } from "./pace.ts";
import type { RememberedHost } from "./remembered-host.ts";
import { objectOf, withhold, withholdUnprobed } from "./withhold.ts";

/** What an agent works with. */
export interface AgentOffice extends Office {
  host: RememberedHost;
  store: AgentMemory;
}

export interface AgentOptions {
  /** How often everything is looked at though nothing was heard, milliseconds. */
  netMs: number;
  /** The network namespace, and the folder of what lasts until the next boot: signals and locks. */
  cookie: string;
  runFolder: string;
  /** Told when the agent repairs by itself (true) and when it does what it was asked (false). */
  repairing: (byItself: boolean) => void;
}

/** So long nothing may happen before memory is given back, for which everything stands still a moment. */
const QUIET_MS = 3000;

/** How long to wait after the kernel could not be read. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Users and groups come without an event; while some are missed, and where the kernel does not let control groups be
 * watched, they are looked for so often.
 */
const ASK_AGAIN_MS = 5000;
const MISSED: ReadonlySet<string> = new Set(["waiting-user", "waiting-group", "recalled-owner"]);

const ALL: Hint = { changed: "everything", urgency: "urgent" };

/** Keeps a host as a file says. */
export class Agent {
  readonly #office: AgentOffice;
  readonly #options: AgentOptions;
  readonly #news: News;
  readonly #pace: Pace;
  readonly #footprint = new Footprint();
  readonly #watchers: Watchers;
  readonly account: Account;
  #ears: Ears | undefined;
  #course: Course = courseOf(undefined);
  #serial: number | undefined;
  #pending: Pending | undefined;
  /** Token of what was undone: its deadline may still be written where nothing can be taken away. */
  #undone: string | undefined;
  #restEnd: number | undefined;
  #retry: { at: number; waitMs: number; error: Error } | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  /** When to look again for what comes without an event. */
  #askAgain: number | undefined;
  #busySince: number | undefined;
  #wake: () => void = () => {};
  #stopped = false;

  constructor(office: AgentOffice, news: News, options: AgentOptions) {
    this.#office = office;
    this.#news = news;
    this.#options = options;
    this.account = new Account(news);
    this.#pace = new Pace(options.netMs, now());
    this.#watchers = new Watchers(options, news, {
      hear: (hint) => this.#note(hint),
      // Nothing else may happen for long, and measuring ten times a second leaves much behind, most of it beside the heap.
      onRest: (begins) => {
        this.#footprint.grow(begins);
        this.#wake();
      },
    });
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
      if (hint.urgency === "urgent") this.account.heardOf(by, at);
      this.#note(hint);
    });
    this.#options.repairing(true);
    await this.#watchers.begin(this.#course.config);
    this.#note(ALL);
    await this.#exclusively(() => this.#act());
  }

  /** Works until it is stopped. Rejects for a bug. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const wait = this.#due() - now();
      if (wait <= 0) {
        await this.#exclusively(() => this.#act());
        this.#footprint.grow();
      } else if (wait <= QUIET_MS || this.#footprint.isSmall) await this.#sleep(wait);
      else if (!(await this.#sleep(QUIET_MS))) this.#footprint.shrink();
    }
  }

  /** Stops, when what it is doing is done. What the kernel has stays as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#busy.catch(() => {});
    this.#ears?.close();
    await this.#watchers.close();
  }

  /** Does what is asked for, when what it is doing is done. */
  async request(request: ChangeRequest, asker: Asker): Promise<Reply> {
    return this.#exclusively(async () => {
      this.#ears?.begin();
      this.#office.host.forget(["everything"]);
      this.#office.host.askAnew();
      this.#options.repairing(false);
      try {
        const { reply, course } = await carryOut(request, asker, this.#office);
        if (course) this.#take(course);
        await this.#readWhatHolds();
        const { outcome, plan } = reply;
        const level = outcome === "failed" ? "warn" : "info";
        this.#news.tell(level, request.do, { by: asker.uid, outcome, steps: plan?.steps.length ?? 0 });
        return reply;
      } finally {
        this.#options.repairing(true);
        this.#note(ALL);
      }
    });
  }

  get course(): Readonly<Course> & { serial?: number } {
    return { ...this.#course, ...(this.#serial === undefined ? {} : { serial: this.#serial }) };
  }

  get pendingMs(): number | undefined {
    return this.#pending && Math.max(0, this.#pending.until - sinceBootMs());
  }

  /** What keeps it from its work. */
  get troubles(): string[] {
    const { trouble } = this.#office.store;
    return [
      ...(trouble ? [`the state cannot be written: ${trouble.message}`] : []),
      ...(this.#retry ? [`the host cannot be looked at or changed: ${this.#retry.error.message}`] : []),
      ...this.account.diagnostics.filter(({ severity }) => severity === "error").map(({ summary }) => summary),
    ];
  }

  /** Milliseconds that the present work has taken; 0 when there is none. */
  get busyMs(): number {
    return this.#busySince === undefined ? 0 : now() - this.#busySince;
  }

  #note(hint: Hint): void {
    this.#pace.note(hint, now());
    this.#wake();
  }

  #due(): number {
    const deadline = this.#pending ? now() + (this.#pending.until - sinceBootMs()) : Infinity;
    if (this.#retry) return Math.min(this.#retry.at, deadline);
    return Math.min(this.#pace.due(), this.#restEnd ?? Infinity, this.#askAgain ?? Infinity, deadline);
  }

  /** One look and what follows from it. */
  async #act(): Promise<void> {
    const began = now();
    const { host, store } = this.#office;
    store.tolerant = true;
    try {
      if (this.#pending && this.#pending.until <= sinceBootMs()) await this.#undo();
      const occasion = this.#pace.take(began);
      host.forget(occasion.changed);
      await store.catchUp();
      await this.#repair(occasion);
      this.#retry = undefined;
    } catch (error) {
      if (!(error instanceof HostError) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
      const waitMs = this.#retry ? Math.min(this.#retry.waitMs * 2, LONGEST_RETRY_MS) : FIRST_RETRY_MS;
      this.#retry = { at: now() + waitMs, waitMs, error: error as Error };
      this.#note(ALL);
      this.#news.tell("error", "trouble", { error: (error as Error).message, retryMs: waitMs });
    } finally {
      store.tolerant = false;
    }
    const ended = now();
    this.#pace.ended(ended, ended - began);
    this.account.looks = { count: this.account.looks.count + 1, last: new Date(), lastMs: ended - began };
  }

  async #repair(occasion: Occasion): Promise<void> {
    const { host, store, trace } = this.#office;
    const { account } = this;
    this.#ears?.begin();
    const memory = await store.read();
    const { look, diagnostics } = await lookAndPlan(this.#course.config, host, memory, trace);
    account.diagnostics = diagnostics;
    if (!look) {
      this.#news.tell("warn", "no-plan", { why: diagnostics.map(({ summary }) => summary).join("; ") });
      return;
    }
    const hears = await this.#ears?.attend(new Interest(look));
    this.#watchers.attend(this.#course.config, look);
    host.condense(look.want);
    const at = now();
    account.found(look, at);
    const plan = withholdUnprobed(withhold(look.plan, (step) => account.rests(step, occasion, at)));
    account.intended(plan);
    if (plan.steps.length > 0) {
      const applied = await applyPlan({ ...look, plan }, host, store, trace, "leave-out");
      for (const { step, error } of applied.failed) account.refused(step, error, now());
      for (const object of applied.notUndone) this.#news.tell("error", "not-undone", { object });
      account.done(applied.done, occasion, now());
      // The next look proves it, and lists what was changed: its events are not heard, being heddle's own.
      for (const { kind } of plan.steps.map(objectOf)) this.#note({ changed: kind, urgency: "urgent" });
    }
    this.#restEnd = account.restEnd(now());
    const asks = diagnostics.some(({ code }) => MISSED.has(code));
    this.#askAgain = asks || !hears ? now() + ASK_AGAIN_MS : undefined;
  }

  /** The time to confirm is over: from now on the host is kept by what is confirmed, and the repair leads there. */
  async #undo(): Promise<void> {
    const { confirmed, deadline } = this.#office;
    const { token, file, summary } = this.#pending as Pending;
    try {
      this.#take(courseOf((await confirmed.current()).confirmed));
      this.#news.tell("warn", "undone", { file, summary });
    } catch (error) {
      // What was confirmed is not for this version: what is in force is better than nothing.
      if (!(error instanceof UnusableFile)) throw error;
      this.#news.tell("error", "trouble", { error: error.message });
    }
    this.#undone = token;
    await deadline.clear().catch(() => {});
    await this.#readWhatHolds();
    this.#note(ALL);
  }

  #take(course: Course): void {
    this.#course = course;
    this.account.begin();
  }

  async #readWhatHolds(): Promise<void> {
    const pending = await this.#office.deadline.read();
    this.#pending = pending?.token === this.#undone ? undefined : pending;
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

function now(): number {
  return performance.now();
}
