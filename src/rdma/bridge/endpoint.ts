// Owns the queue pairs that a bridge passes messages between, and the numbers by which those on Ethernet are known on
// InfiniBand.
//
// On Ethernet a packet has the address of the host that it is for, and queue pairs keep their numbers. On InfiniBand all
// hosts of Ethernet are at the bridge's LID: each of their queue pairs has a number of the bridge's there, its alias.
import type { Host } from "./hosts.ts";

/** Aliases that the bridge gives: 22 bits, of which the lower 15 are an index and the others tell its users apart. */
const FIRST_ALIAS = 0x400000;
const INDEX_BITS = 15;
const GENERATIONS = 0x80;
/** Most queue pairs of one bridge. */
export const MOST_ENDPOINTS = 1 << INDEX_BITS;
/** Highest alias that a file may choose. */
export const LAST_STATED_ALIAS = FIRST_ALIAS - 1;

/** How a queue pair came to be known: the file states it, a SIDR_REP told it, or its messages did. */
export type EndpointOrigin = "file" | "sidr" | "message";

/** One queue pair. */
export class Endpoint {
  /** Index among the endpoints of the bridge, below 65536. */
  readonly index: number;
  readonly host: Host;
  readonly qpn: number;
  readonly origin: EndpointOrigin;
  /** Its number on InfiniBand. */
  readonly alias: number;
  /** What its adapter asks for; −1 while that is not known. */
  qKey: number;
  /** What senders on the other side have to put instead; −1: the same. */
  farQKey = -1;
  /** Service that it was asked for, 0 for none. */
  port = 0;
  /** Sessions that it is the server of. */
  sessions = 0;
  usedMs: number;

  constructor(fields: Pick<Endpoint, "index" | "host" | "qpn" | "origin" | "alias" | "qKey" | "usedMs">) {
    this.index = fields.index;
    this.host = fields.host;
    this.qpn = fields.qpn;
    this.origin = fields.origin;
    this.alias = fields.alias;
    this.qKey = fields.qKey;
    this.usedMs = fields.usedMs;
  }
}

/** The queue pairs of one bridge. */
export class Endpoints {
  readonly #most: number;
  readonly #all: (Endpoint | undefined)[] = [];
  readonly #free: number[] = [];
  /** By index: how often it was given. */
  readonly #generations: number[] = [];
  /** Those whose alias the file chose. */
  readonly #stated = new Map<number, Endpoint>();
  #count = 0;

  constructor(most = MOST_ENDPOINTS) {
    this.#most = Math.min(most, MOST_ENDPOINTS);
  }

  get count(): number {
    return this.#count;
  }

  *[Symbol.iterator](): Generator<Endpoint> {
    for (const endpoint of this.#all) if (endpoint !== undefined) yield endpoint;
  }

  /** The endpoint of an alias. */
  find(alias: number): Endpoint | undefined {
    if (alias < FIRST_ALIAS) return this.#stated.get(alias);
    const endpoint = this.#all[alias & (MOST_ENDPOINTS - 1)];
    return endpoint?.alias === alias ? endpoint : undefined;
  }

  /** The endpoint of an index. */
  at(index: number): Endpoint | undefined {
    return this.#all[index];
  }

  /**
   * Takes a queue pair in, under an alias that is given, stated, or was given before a restart (`alias`). Undefined when
   * there are too many, or another has the alias.
   */
  add(host: Host, qpn: number, origin: EndpointOrigin, qKey: number, nowMs: number, alias = -1): Endpoint | undefined {
    if (this.#count >= this.#most || host.endpoints.has(qpn)) return undefined;
    const given = alias >= FIRST_ALIAS ? alias & (MOST_ENDPOINTS - 1) : -1;
    const index = given < 0 ? this.#take() : given;
    if (this.#all[index] !== undefined || (alias >= 0 && this.find(alias) !== undefined)) return undefined;
    const generation =
      given < 0 ? (this.#generations[index] ?? 0) : ((alias - FIRST_ALIAS) >>> INDEX_BITS) % GENERATIONS;
    this.#generations[index] = (generation + 1) % GENERATIONS;
    const own = alias >= 0 ? alias : FIRST_ALIAS + (generation << INDEX_BITS) + index;
    const endpoint = new Endpoint({ index, host, qpn, origin, alias: own, qKey, usedMs: nowMs });
    this.#all[index] = endpoint;
    if (own < FIRST_ALIAS) this.#stated.set(own, endpoint);
    this.#count++;
    host.endpoints.set(qpn, endpoint);
    return endpoint;
  }

  remove(endpoint: Endpoint): void {
    if (this.#all[endpoint.index] !== endpoint) return;
    this.#all[endpoint.index] = undefined;
    this.#stated.delete(endpoint.alias);
    this.#free.push(endpoint.index);
    this.#count--;
    endpoint.host.endpoints.delete(endpoint.qpn);
  }

  /** An index that nobody has. */
  #take(): number {
    for (;;) {
      const index = this.#free.shift() ?? this.#all.length;
      // One that was given before a restart may have come between.
      if (this.#all[index] === undefined) return index;
    }
  }
}
