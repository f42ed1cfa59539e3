// Owns what a bridge does with requests for queue pairs (SIDR, IBA vol 1, 12.11): it asks the host that they are for, under
// a number of its own, and answers when that host has answered, with its status.
//
// A request that comes again is asked again under the same number while there is no answer, and answered from memory for a
// while after it: Linux takes a repeated request that it has answered for a new one (cm_sidr_req_handler). What differs
// from the request before under the same number is a new request: hosts use numbers again, and are started again.
import {
  CM_ATTRIBUTE,
  readSidrRep,
  readSidrReq,
  SidrRep,
  SidrReq,
  SIDR_REQ_PRIVATE,
  writeSidrRep,
  writeSidrReq,
} from "../codec/cm.ts";
import { IpCm, ipServicePort, ipServiceProtocol, readIpCm } from "../codec/ip-cm.ts";
import { PROTOCOL } from "../codec/ipv4.ts";
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { DROP, PASSED } from "./drops.ts";
import type { Host, Hosts } from "./hosts.ts";
import { takeRequest } from "./request-rate.ts";
import type { Sessions } from "./sessions.ts";

/** Of communication management (IBA vol 1, 16.7.1). */
const CM_CLASS_VERSION = 2;
/** Statuses that the bridge itself deals with (SIDR_STATUS). */
const STATUS = { valid: 0, rejected: 2, redirected: 4 } as const;

/** All in milliseconds. */
export const SIDR_MS = {
  /** How long an answer is kept for requests that come again: Linux repeats one after 4.1 to 4.3 seconds. */
  answered: 10_000,
  /** How long an answer is waited for: Linux gives up after 16 of its repetitions. */
  given: 70_000,
  /** A request that comes again sooner than this is not passed on again. */
  again: 250,
} as const;

/** Requests that are under way, or answered a while ago; more are refused. */
export const MOST_EXCHANGES = 4096;
/** Of one client. */
const MOST_OF_CLIENT = 512;

/** What becomes of requests and answers. */
export interface SidrEvents {
  /** Send a datagram to queue pair 1 of a host, as from another that it may be shown as the sender. */
  send(to: Host, from: Host, mad: Uint8Array): void;
}

interface Exchange {
  /** The request's number on the server's side. */
  id: number;
  client: Host;
  server: Host;
  /** The request as it came. */
  request: Uint8Array;
  requestId: number;
  tidHigh: number;
  tidLow: number;
  port: number;
  sinceMs: number;
  /** When it was passed on last; never while a host is sought. */
  askedMs: number;
  answer: Uint8Array | undefined;
}

const [header, req, rep, ip] = [new MadHeader(), new SidrReq(), new SidrRep(), new IpCm()];

/** The exchanges of one bridge. */
export class Sidr {
  /** Exchanges that ended without an answer. */
  unanswered = 0;
  readonly #hosts: Hosts;
  readonly #sessions: Sessions;
  readonly #events: SidrEvents;
  readonly #ports: ReadonlySet<number> | undefined;
  readonly #pKey: number;
  readonly #byId = new Map<number, Exchange>();
  readonly #byRequest = new Map<number, Exchange>();
  #nextId: number;

  /** `ports`: the services that may be asked for; all where undefined. `firstId`: so that answers to a process before are known for that. */
  constructor(
    hosts: Hosts,
    sessions: Sessions,
    events: SidrEvents,
    options: { ports?: readonly number[]; pKey: number; firstId: number },
  ) {
    this.#hosts = hosts;
    this.#sessions = sessions;
    this.#events = events;
    this.#ports = options.ports === undefined ? undefined : new Set(options.ports);
    this.#pKey = options.pKey;
    this.#nextId = options.firstId >>> 0;
  }

  get count(): number {
    return this.#byId.size;
  }

  /** Whether a datagram is one of these: a request or an answer for a queue pair. */
  static attributeOf(mad: Uint8Array): number {
    if (mad.length !== MAD_BYTES) return -1;
    readMadHeader(mad, 0, header);
    const { baseVersion, managementClass, classVersion, method, answer, attribute } = header;
    if (baseVersion !== 1 || managementClass !== MANAGEMENT_CLASS.cm || classVersion !== CM_CLASS_VERSION) return -1;
    if (method !== METHOD.send || answer) return -1;
    return attribute === CM_ATTRIBUTE.sidrReq || attribute === CM_ATTRIBUTE.sidrRep ? attribute : -1;
  }

  /** Client and server that a request names: IP addresses of 4 or 16 bytes. Undefined when it names none. */
  static namesOf(mad: Uint8Array): { source: Uint8Array; destination: Uint8Array } | undefined {
    if (!readIpCm(mad, SIDR_REQ_PRIVATE, ip)) return undefined;
    const from = ip.ipVersion === 4 ? 12 : 0;
    return { source: ip.source.slice(from), destination: ip.destination.slice(from) };
  }

  /** Takes a request of 256 bytes. PASSED, or why nothing comes of it. */
  request(client: Host, server: Host, mad: Uint8Array, nowMs: number): number {
    if (!takeRequest(client, nowMs)) return DROP.flood;
    readMadHeader(mad, 0, header);
    readSidrReq(mad, 0, req);
    const port = ipServicePort(req.serviceIdLow);
    if (ipServiceProtocol(req.serviceIdHigh, req.serviceIdLow) !== PROTOCOL.udp) return DROP.service;
    if (this.#ports !== undefined && !this.#ports.has(port)) return DROP.service;
    const known = this.#byRequest.get(keyOf(client, req.requestId));
    let exchange = known;
    if (known !== undefined && !(known.server === server && isSame(known.request, mad))) {
      this.#end(known);
      exchange = undefined;
    }
    if (exchange === undefined) {
      if (this.#byId.size >= MOST_EXCHANGES || client.requests >= MOST_OF_CLIENT) return DROP.full;
      exchange = this.#begin(client, server, mad, port, nowMs);
    }
    if (exchange.answer !== undefined) this.#events.send(client, server, exchange.answer);
    else this.#ask(exchange, nowMs);
    return PASSED;
  }

  /** Takes an answer of 256 bytes that a host gives. PASSED, or why nothing comes of it. */
  answer(server: Host, client: Host | undefined, mad: Uint8Array, nowMs: number): number {
    readSidrRep(mad, 0, rep);
    const exchange = this.#byId.get(rep.requestId);
    if (exchange === undefined || exchange.answer !== undefined) return DROP.late;
    // On Ethernet the answer names the client; on InfiniBand it is for the bridge.
    if (exchange.server !== server || (client !== undefined && exchange.client !== client)) return DROP.spoofed;
    readSidrReq(exchange.request, 0, req);
    if (rep.serviceIdHigh !== req.serviceIdHigh || rep.serviceIdLow !== req.serviceIdLow) return DROP.spoofed;
    // Where it redirects to is a place on its own side.
    if (rep.status === STATUS.redirected) rep.status = STATUS.rejected;
    if (rep.status === STATUS.valid) this.#open(exchange, nowMs);
    else rep.qpn = rep.qKey = 0;
    const answer = mad.slice();
    rep.requestId = exchange.requestId;
    rep.informationBytes = 0;
    writeSidrRep(answer, 0, rep);
    writeHeader(answer, CM_ATTRIBUTE.sidrRep, exchange.tidHigh, exchange.tidLow);
    exchange.answer = answer;
    exchange.sinceMs = nowMs;
    this.#events.send(exchange.client, exchange.server, answer);
    return PASSED;
  }

  /** A host was found: what waited for that goes on. */
  found(host: Host, nowMs: number): void {
    if (host.requests === 0 && host.asked === 0) return;
    for (const exchange of this.#byId.values()) {
      if (exchange.askedMs < 0 && (exchange.server === host || exchange.client === host)) this.#ask(exchange, nowMs);
    }
  }

  /** A host is not where it was: what it answered is worth nothing. */
  left(host: Host): void {
    if (host.asked === 0) return;
    for (const exchange of this.#byId.values()) if (exchange.server === host) this.#end(exchange);
  }

  /** Ends what is over. To be called every second or so. */
  expire(nowMs: number): void {
    for (const exchange of this.#byId.values()) {
      const age = nowMs - exchange.sinceMs;
      if (age < (exchange.answer === undefined ? SIDR_MS.given : SIDR_MS.answered)) continue;
      if (exchange.answer === undefined) this.unanswered++;
      this.#end(exchange);
    }
  }

  /** Opens the session that `rep` offers, and puts into `rep` what the client has to send to. */
  #open({ client, server, port }: Exchange, nowMs: number): void {
    const session = this.#sessions.open(client, server, rep.qpn, rep.qKey, nowMs, port);
    if (session === undefined) {
      rep.status = STATUS.rejected;
      rep.qpn = rep.qKey = 0;
    } else if (server.side === "ethernet") rep.qpn = session.server.alias;
  }

  #begin(client: Host, server: Host, mad: Uint8Array, port: number, nowMs: number): Exchange {
    while (this.#byId.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const { tidHigh, tidLow } = header;
    const exchange: Exchange = {
      id,
      client,
      server,
      request: mad.slice(),
      requestId: req.requestId,
      tidHigh,
      tidLow,
      port,
      sinceMs: nowMs,
      askedMs: -1,
      answer: undefined,
    };
    this.#byId.set(id, exchange);
    this.#byRequest.set(keyOf(client, req.requestId), exchange);
    client.requests++;
    server.asked++;
    return exchange;
  }

  #end(exchange: Exchange): void {
    const { id, client, server, requestId } = exchange;
    if (!this.#byId.delete(id)) return;
    this.#byRequest.delete(keyOf(client, requestId));
    client.requests--;
    server.asked--;
  }

  /** Passes a request on, if both hosts are known; otherwise they are sought. */
  #ask(exchange: Exchange, nowMs: number): void {
    const { client, server, request, id, askedMs } = exchange;
    if (askedMs >= 0 && nowMs - askedMs < SIDR_MS.again) return;
    for (const host of [client, server]) {
      host.usedMs = nowMs;
      if (!host.ready) this.#hosts.seek(host, nowMs);
    }
    // Where both turn out to be on one side, they need no bridge.
    if (!client.ready || !server.ready || client.side === server.side) return;
    exchange.askedMs = nowMs;
    const mad = request.slice();
    readSidrReq(mad, 0, req);
    req.requestId = id;
    req.pKey = server.side === "infiniband" ? this.#pKey : 0xffff;
    writeSidrReq(mad, 0, req);
    writeHeader(mad, CM_ATTRIBUTE.sidrReq, 0, id);
    this.#events.send(server, client, mad);
  }
}

function writeHeader(mad: Uint8Array, attribute: number, tidHigh: number, tidLow: number): void {
  Object.assign(header, {
    baseVersion: 1,
    managementClass: MANAGEMENT_CLASS.cm,
    classVersion: CM_CLASS_VERSION,
    method: METHOD.send,
    answer: false,
    status: 0,
    classSpecific: 0,
    tidHigh,
    tidLow,
    attribute,
    modifier: 0,
  });
  writeMadHeader(mad, 0, header);
}

function keyOf(client: Host, requestId: number): number {
  return client.index * 2 ** 32 + requestId;
}

/** Whether two requests ask the same: everything behind the header. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 24; i < MAD_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}
