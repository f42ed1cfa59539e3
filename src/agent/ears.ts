// Owns what the agent listens to: the kernel's events of a namespace, as hints, with a filter that the kernel runs so
// that the changes of others wake nobody; and files, for what has no such events.
import { OWN_NAMESPACE } from "../host/native.ts";
import type { NamespaceFd } from "../host/native.ts";
import { watchTables } from "../host/nftables/watch.ts";
import { routeEventFilter } from "../host/netlink/event-filter.ts";
import { watch } from "../host/netlink/watch.ts";
import type { EventWatch } from "../host/netlink/watch.ts";
import { isSameData } from "../plan/kinds/canonical.ts";
import { FileEars } from "./file-ears.ts";
import type { Interest } from "./interest.ts";
import type { Hint } from "./pace.ts";

/** Bytes of events that the kernel keeps while heddle is busy: some 20,000 of those that pass the filter. */
const RECEIVE_BUFFER = 16 * 1024 * 1024;

/** Told each hint, and the port id of who made the change (0: the kernel). */
export type Hear = (hint: Hint, by: number) => void;

/** Listens from the moment that it is made. */
export class Ears {
  readonly #hear: Hear;
  readonly #port: number;
  readonly #namespace: NamespaceFd;
  readonly #end = new AbortController();
  readonly #events: EventWatch;
  readonly #files: FileEars;
  #interest: Interest | undefined;
  /** A look is under way, of which the interest does not know yet. */
  #isOld = false;
  #tables: readonly number[] | undefined;
  #neighbours: AbortController | undefined;
  #nftTables: (() => void) | undefined;
  /** Rejects when listening fails, which is no matter of the moment. */
  readonly failed: Promise<never>;

  /** `port` is what changes of heddle's own carry: they are no news. Throws HostError. */
  constructor(port: number, hear: Hear, namespace: NamespaceFd = OWN_NAMESPACE) {
    this.#port = port;
    this.#namespace = namespace;
    this.#hear = hear;
    this.#files = new FileEars((hint) => hear(hint, 0));
    this.#events = watch(
      {
        namespace,
        groups: ["link", "address", "route", "rule", "nexthop"],
        receiveBuffer: RECEIVE_BUFFER,
        keepAlive: true,
      },
      this.#end.signal,
    );
    this.failed = this.#listen(this.#events);
  }

  /** A look begins: until its interest is known, what the last one saw is no measure. */
  begin(): void {
    this.#isOld = true;
  }

  /** What matters from now on. False where control groups may come or go unheard. */
  async attend(interest: Interest): Promise<boolean> {
    this.#interest = interest;
    this.#isOld = false;
    const tables = interest.tables.toSorted((a, b) => a - b);
    if (!isSameData(tables, this.#tables)) {
      this.#tables = tables;
      this.#events.filter(routeEventFilter(this.#port, tables));
    }
    // A compute node learns and forgets neighbours all day: they are listened to only where some are wanted.
    if (interest.neighbours && !this.#neighbours) {
      this.#neighbours = new AbortController();
      const signal = AbortSignal.any([this.#end.signal, this.#neighbours.signal]);
      void this.#listen(watch({ namespace: this.#namespace, groups: ["neighbour"], keepAlive: true }, signal)).catch(
        () => {},
      );
    } else if (!interest.neighbours) {
      this.#neighbours?.abort();
      this.#neighbours = undefined;
    }
    if (interest.nftTables) {
      this.#nftTables ??= watchTables(this.#namespace, () => this.#hear({ changed: "nftTable", urgency: "urgent" }, 0));
    } else {
      this.#nftTables?.();
      this.#nftTables = undefined;
    }
    return this.#files.attend(interest);
  }

  close(): void {
    this.#end.abort();
    this.#files.close();
    this.#nftTables?.();
  }

  async #listen(events: EventWatch): Promise<never> {
    for await (const event of events) {
      // Before the first look nothing is known to be nobody's business.
      const hint = this.#interest
        ? this.#interest.hintOf(event, this.#isOld)
        : ({ changed: "everything", urgency: "calm" } as const);
      if (hint) this.#hear(hint, event.type === "lost-sync" ? 0 : event.by);
    }
    return new Promise(() => {});
  }
}
