// Owns what a running bridge tells of messages between hosts, as plain data: hosts with all their addresses, sessions,
// stated queue pairs.
import { formatAddress } from "../../model/ip.ts";
import type { Endpoint } from "../bridge/endpoint.ts";
import type { Host, HostState, Side } from "../bridge/hosts.ts";
import type { Session } from "../bridge/sessions.ts";
import { macText } from "../codec/ethernet.ts";
import type { Messenger } from "./messenger.ts";
import type { RegistrationStatus } from "./registrations.ts";
import type { TallyStatus } from "./status.ts";

/** Queue pairs of a client that are told of; the others are counted. */
const MOST_CLIENT_QUEUE_PAIRS = 8;

export interface HostStatus {
  address: string;
  side: Side;
  state: HostState;
  /** On Ethernet. Of a host on InfiniBand it is the bridge's. */
  mac?: string;
  /** Its own: on Ethernet that of RoCE, which is made of the address. */
  gid?: string;
  /** On InfiniBand. Of a host on Ethernet it is the bridge's. */
  lid?: number;
  /** Seconds since it answered. */
  heardSeconds?: number;
  queuePairs: number;
  /** As a client. */
  sessions: number;
}

export interface QueuePairStatus {
  qpn: number;
  /** Its number on InfiniBand, of one on Ethernet. */
  alias?: number;
}

export interface SessionStatus {
  client: string;
  server: string;
  /** The side of the server. */
  side: Side;
  /** UDP port of the service; 0 for a queue pair that the file states. */
  port: number;
  queuePair: QueuePairStatus & { qKey: number };
  clientQueuePairs: QueuePairStatus[];
  idleSeconds: number;
  toInfiniband: TallyStatus;
  toEthernet: TallyStatus;
}

export interface MessageStatus {
  hosts: HostStatus[];
  sessions: SessionStatus[];
  /** Those that the file states. */
  queuePairs: (QueuePairStatus & { address: string; side: Side; qKey: number })[];
  /** Hosts that the file wants the subnet administrator to be told of. */
  registered: RegistrationStatus[];
  /** Requests for queue pairs that are under way or were answered a moment ago, and those that nobody answered. */
  requests: { open: number; unanswered: number };
  /** Questions for hosts, answers that came, answers that were given for others. */
  questions: { asked: number; heard: number; answered: number; tooMany: number };
}

/** How messages are, at a bridge with this MAC and LID. */
export function messageStatus(messenger: Messenger, own: Own): MessageStatus {
  const { hosts, sessions, sidr, questions, registrations } = messenger;
  const stated = [...sessions.endpoints].filter(({ origin }) => origin === "file");
  return {
    hosts: [...hosts].map((host) => hostStatus(host, own)),
    sessions: [...sessions].map((session) => sessionStatus(session, own.nowMs)),
    queuePairs: stated.map((one) => ({
      address: one.host.name,
      side: one.host.side,
      ...queuePair(one),
      qKey: one.qKey,
    })),
    registered: registrations.status,
    requests: { open: sidr.count, unanswered: sidr.unanswered },
    questions: { ...questions.wanted.counts },
  };
}

interface Own {
  mac: Uint8Array;
  lid: number;
  nowMs: number;
}

function hostStatus(host: Host, own: Own): HostStatus {
  const { name: address, side, state, sessions, endpoints, heardMs } = host;
  const rest = { queuePairs: endpoints.size, sessions };
  if (state !== "found") return { address, side, state, ...rest };
  const heardSeconds = seconds(own.nowMs - heardMs);
  const places =
    side === "ethernet"
      ? { mac: macText(host.mac), gid: formatAddress(mapped(host.address)), lid: own.lid }
      : { mac: macText(own.mac), gid: formatAddress(host.gid), lid: host.lid };
  return { address, side, state, ...places, heardSeconds, ...rest };
}

function sessionStatus(session: Session, nowMs: number): SessionStatus {
  const { client, server, usedMs } = session;
  const own = [...client.endpoints.values()].filter(({ origin }) => origin === "message");
  return {
    client: client.name,
    server: server.host.name,
    side: server.host.side,
    port: server.port,
    queuePair: { ...queuePair(server), qKey: server.qKey },
    clientQueuePairs: own.slice(0, MOST_CLIENT_QUEUE_PAIRS).map(queuePair),
    idleSeconds: seconds(nowMs - usedMs),
    toInfiniband: session.toInfiniband.toJSON(),
    toEthernet: session.toEthernet.toJSON(),
  };
}

function queuePair({ qpn, alias, host }: Endpoint): QueuePairStatus {
  return host.side === "ethernet" ? { qpn, alias } : { qpn };
}

/** The GID of a RoCEv2 port: its IP address, IPv4 as IPv6 knows it (IBA vol 1, A17.4.1). */
function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const gid = new Uint8Array(16);
  gid.fill(0xff, 10, 12);
  gid.set(address, 12);
  return gid;
}

function seconds(ms: number): number {
  return Math.max(Math.round(ms / 1000), 0);
}
