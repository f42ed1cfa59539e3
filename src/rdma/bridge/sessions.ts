// Owns sessions: who may send messages to which queue pair, and may be answered by it.
//
// A session is a client host and a queue pair of the other side, its server. The client's own queue pairs are known by
// what they send. Sessions end when nothing has passed for a while, and are bounded for each client and in all.
import { Tally } from "./drops.ts";
import { Endpoints } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Host } from "./hosts.ts";

/** How many, and for how long. */
export interface SessionBounds {
  /** Sessions in all. */
  most: number;
  /** Sessions, and queue pairs, of one host. */
  mostOfHost: number;
  /** A session in which nothing passed for so long ends. */
  idleMs: number;
}

/** What holds where a file states nothing else. */
export const SESSION_BOUNDS: SessionBounds = { most: 16_384, mostOfHost: 1024, idleMs: 600_000 };

/** One session. */
export class Session {
  readonly client: Host;
  readonly server: Endpoint;
  readonly openedMs: number;
  usedMs: number;
  readonly toInfiniband = new Tally();
  readonly toEthernet = new Tally();

  constructor(client: Host, server: Endpoint, nowMs: number) {
    this.client = client;
    this.server = server;
    this.openedMs = this.usedMs = nowMs;
  }
}

/** What has to be written down, so that sessions outlive the process. */
export interface SessionEvents {
  opened(session: Session): void;
  /** A client's queue pair was given an alias. */
  learned(endpoint: Endpoint): void;
  /** A queue pair has another Q_Key. */
  changed(endpoint: Endpoint): void;
  closed(session: Session): void;
  forgotten(endpoint: Endpoint): void;
}

export class Sessions {
  readonly endpoints: Endpoints;
  readonly bounds: SessionBounds;
  readonly #events: SessionEvents;
  /** By client and server, see keyOf. */
  readonly #all = new Map<number, Session>();

  constructor(events: SessionEvents, bounds: Partial<SessionBounds> = {}) {
    this.#events = events;
    this.bounds = { ...SESSION_BOUNDS, ...bounds };
    this.endpoints = new Endpoints();
  }

  get count(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#all.values();
  }

  /** The session of a client with a queue pair. */
  find(client: Host, server: Endpoint): Session | undefined {
    return this.#all.get(keyOf(client, server));
  }

  /**
   * Opens a session, or finds the one that there is. A queue pair that is told anew (its host was started again) has the
   * newer Q_Key. Undefined when there is no room.
   */
  open(client: Host, server: Host, qpn: number, qKey: number, nowMs: number, port = 0): Session | undefined {
    const endpoint = server.endpoints.get(qpn) ?? this.#addEndpoint(server, qpn, "sidr", qKey, nowMs);
    if (endpoint === undefined) return undefined;
    if (endpoint.origin !== "file" && endpoint.qKey !== qKey) {
      endpoint.qKey = qKey;
      this.#events.changed(endpoint);
    }
    endpoint.port = port;
    return this.openWith(client, endpoint, nowMs);
  }

  /** Opens a session with a queue pair that is known. */
  openWith(client: Host, server: Endpoint, nowMs: number): Session | undefined {
    const key = keyOf(client, server);
    const known = this.#all.get(key);
    if (known !== undefined) {
      known.usedMs = nowMs;
      return known;
    }
    if (this.#all.size >= this.bounds.most || client.sessions >= this.bounds.mostOfHost) {
      this.#dropUnused(server);
      return undefined;
    }
    const session = new Session(client, server, nowMs);
    this.#all.set(key, session);
    client.sessions++;
    server.sessions++;
    this.#events.opened(session);
    return session;
  }

  /** The queue pair that a client sends from, taken in where it is not known. Undefined when there is no room. */
  learn(client: Host, qpn: number, nowMs: number): Endpoint | undefined {
    const known = client.endpoints.get(qpn);
    if (known !== undefined) return known;
    const endpoint = this.#addEndpoint(client, qpn, "message", -1, nowMs);
    if (endpoint !== undefined) this.#events.learned(endpoint);
    return endpoint;
  }

  /** Ends what was not used for long. To be called every second or so. */
  expire(nowMs: number): void {
    const before = nowMs - this.bounds.idleMs;
    for (const session of this.#all.values()) if (session.usedMs < before) this.close(session);
    for (const endpoint of this.endpoints) {
      if (endpoint.origin === "file" || endpoint.sessions > 0 || endpoint.usedMs >= before) continue;
      this.endpoints.remove(endpoint);
      this.#events.forgotten(endpoint);
    }
  }

  /** Ends all that has to do with a host, which has left its side: its queue pairs are gone. */
  closeOf(host: Host): void {
    for (const session of this.#all.values()) {
      if (session.client === host || session.server.host === host) this.close(session);
    }
    for (const endpoint of host.endpoints.values()) {
      if (endpoint.origin === "file") continue;
      this.endpoints.remove(endpoint);
      this.#events.forgotten(endpoint);
    }
  }

  close(session: Session): void {
    const { client, server } = session;
    if (!this.#all.delete(keyOf(client, server))) return;
    client.sessions--;
    server.sessions--;
    this.#events.closed(session);
    this.#dropUnused(server);
  }

  #addEndpoint(host: Host, qpn: number, origin: "sidr" | "message", qKey: number, nowMs: number): Endpoint | undefined {
    if (host.endpoints.size >= this.bounds.mostOfHost) return undefined;
    return this.endpoints.add(host, qpn, origin, qKey, nowMs);
  }

  /** A server's queue pair goes with its last session. */
  #dropUnused(endpoint: Endpoint): void {
    if (endpoint.origin !== "sidr" || endpoint.sessions > 0) return;
    this.endpoints.remove(endpoint);
    this.#events.forgotten(endpoint);
  }
}

/** One number for both, which V8 keeps without a box: host indexes have 15 bits, endpoints' 16. */
function keyOf(client: Host, server: Endpoint): number {
  return (client.index << 16) | server.index;
}
