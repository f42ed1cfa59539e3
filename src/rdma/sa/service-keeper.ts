// Owns services that stay registered: leases are renewed, and a subnet manager that was restarted is told again.
import type { ServiceRecord } from "../codec/sa-records.ts";
import { FabricError } from "./management-port.ts";
import type { SaClient, ServiceKey } from "./sa-client.ts";

/** A service as it is registered: at least what tells it apart, and how long it holds, in seconds. */
export type WantedService = ServiceKey & Pick<ServiceRecord, "lease"> & Partial<ServiceRecord>;

/** `wanted`: not registered yet, or not any more; `refused`: the administrator does not take it. */
export type ServiceState = "wanted" | "registered" | "refused";

/** The administrator's answer when there is no such record. */
const NO_RECORD = 0x0300;
/** How often it is looked whether the administrator still knows, milliseconds. */
const LOOK_MS = 2000;
/** A refused service is tried again after this long. */
const REFUSED_MS = 10_000;
/** A lease is renewed when a third of it is over: two tries may be lost. */
const RENEWALS = 3;

interface Held {
  service: WantedService;
  wanted: boolean;
  state: ServiceState;
  /** When it was registered, or refused, last. */
  sinceMs: number;
  why?: string;
}

/** Keeps services registered. Nothing happens by itself: whoever has the clock calls `check`. */
export class ServiceKeeper {
  readonly #client: SaClient;
  readonly #held = new Map<string, Held>();
  #lookedMs = -Infinity;

  constructor(client: SaClient) {
    this.#client = client;
  }

  /** Wants a service from now on; one that is wanted as it is already stays as it is. */
  hold(service: WantedService): void {
    const held = this.#held.get(keyOf(service));
    if (held?.wanted === true) return;
    // One that is about to be given up may be registered still; saying it again does no harm.
    this.#held.set(keyOf(service), { service, wanted: true, state: "wanted", sinceMs: -Infinity });
  }

  /** Gives a service up, at the next `check`. */
  release(service: ServiceKey): void {
    const held = this.#held.get(keyOf(service));
    if (held) held.wanted = false;
  }

  /** How it is with a service; undefined for one that nobody wants. */
  stateOf(service: ServiceKey): { state: ServiceState; why?: string } | undefined {
    const held = this.#held.get(keyOf(service));
    if (held?.wanted !== true) return undefined;
    return { state: held.state, ...(held.why === undefined ? {} : { why: held.why }) };
  }

  /** Does what is due. When nobody answers, what is left waits for the next time. */
  async check(nowMs: number): Promise<void> {
    try {
      if (nowMs - this.#lookedMs >= LOOK_MS) {
        this.#lookedMs = nowMs;
        await this.#look();
      }
      for (const [key, held] of this.#held) {
        if (!held.wanted) await this.#end(key, held);
        else if (nowMs - held.sinceMs >= restMs(held)) await this.#register(held, nowMs);
      }
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
    }
  }

  /** Gives all up, as far as somebody answers. What is not given up ends with its lease. */
  async close(nowMs: number): Promise<void> {
    for (const held of this.#held.values()) held.wanted = false;
    this.#lookedMs = nowMs;
    await this.check(nowMs);
  }

  /** Asks for one of them: an administrator that has forgotten it has forgotten all. */
  async #look(): Promise<void> {
    const one = [...this.#held.values()].find(({ state }) => state === "registered");
    if (one === undefined) return;
    const { serviceId, serviceGid, pKey } = one.service;
    try {
      await this.#client.service({ serviceId, serviceGid, pKey });
    } catch (error) {
      if (!(error instanceof FabricError) || error.status !== NO_RECORD) throw error;
      for (const held of this.#held.values()) Object.assign(held, { state: "wanted", sinceMs: -Infinity });
    }
  }

  async #register(held: Held, nowMs: number): Promise<void> {
    try {
      await this.#client.register(held.service);
      Object.assign(held, { state: "registered", sinceMs: nowMs });
      delete held.why;
    } catch (error) {
      if (!(error instanceof FabricError) || error.status === undefined) throw error;
      Object.assign(held, { state: "refused", sinceMs: nowMs, why: error.message });
    }
  }

  async #end(key: string, held: Held): Promise<void> {
    try {
      if (held.state === "registered") await this.#client.unregister(held.service);
    } catch (error) {
      // It has gone already.
      if (!(error instanceof FabricError) || error.status === undefined) throw error;
    }
    // Wanted again while the answer was under way: another entry has its place.
    if (this.#held.get(key) === held) this.#held.delete(key);
  }
}

/** How long a service is left alone, milliseconds. */
function restMs({ state, service }: Held): number {
  return state === "refused" ? REFUSED_MS : (service.lease * 1000) / RENEWALS;
}

function keyOf({ serviceId, serviceGid, pKey }: ServiceKey): string {
  return `${serviceId} ${serviceGid.join(".")} ${pKey}`;
}
