// Owns how hosts and sessions of a running bridge look to people: columns, and what a section lacks in a word.
import type { HostStatus, MessageStatus, QueuePairStatus, SessionStatus } from "../../rdma/run/message-status.ts";
import type { TallyStatus } from "../../rdma/run/status.ts";
import type { Paint } from "./style.ts";

const STATES = { found: "", sought: "not found", doubled: "two hosts have it" } as const;

/** The hosts of one bridge, with all addresses of each. */
export function renderHosts(name: string, messages: MessageStatus | undefined, paint: Paint): string {
  const title = paint("bold", `bridge/${name}`);
  if (messages === undefined) return `${title}  passes no messages between hosts\n`;
  const rows = messages.hosts.map(({ address, side, state, mac, gid, lid, heardSeconds, ...rest }) => [
    address,
    side,
    mac ?? "-",
    gid ?? "-",
    lid === undefined || lid === 0 ? "-" : String(lid),
    String(rest.sessions),
    String(rest.queuePairs),
    heardSeconds === undefined ? STATES[state] : `${heardSeconds} s ago`,
  ]);
  const head = ["address", "side", "mac", "gid", "lid", "sessions", "queue pairs", "answered"];
  return `${title}  ${count(messages.hosts)}\n${columns([head, ...rows])}`;
}

/** The sessions of one bridge, and the queue pairs that the file states. */
export function renderSessions(name: string, messages: MessageStatus | undefined, paint: Paint): string {
  const title = paint("bold", `bridge/${name}`);
  if (messages === undefined) return `${title}  passes no messages between hosts\n`;
  const { sessions, queuePairs, requests } = messages;
  const rows = sessions.map((session) => [
    session.client,
    session.clientQueuePairs.map(numberOf).join(" ") || "-",
    session.server,
    numberOf(session.queuePair),
    session.port === 0 ? "-" : String(session.port),
    packets(session, "toInfiniband"),
    packets(session, "toEthernet"),
    `${session.idleSeconds} s`,
  ]);
  const head = ["client", "queue pairs", "server", "queue pair", "port", "to infiniband", "to ethernet", "idle"];
  const lines = [
    `${title}  sessions ${sessions.length}, requests ${requests.open}, unanswered ${requests.unanswered}\n`,
  ];
  if (rows.length > 0) lines.push(columns([head, ...rows]));
  if (queuePairs.length > 0) {
    const stated = queuePairs.map((one) => [one.address, one.side, numberOf(one), `0x${one.qKey.toString(16)}`]);
    lines.push(columns([["stated", "side", "queue pair", "q_key"], ...stated]));
  }
  return lines.join("");
}

function count(hosts: readonly HostStatus[]): string {
  const of = (side: string): number => hosts.filter((one) => one.state === "found" && one.side === side).length;
  return `hosts on ethernet ${of("ethernet")}, on infiniband ${of("infiniband")}`;
}

/** Its own number, and the one on InfiniBand where that is another. */
function numberOf({ qpn, alias }: QueuePairStatus): string {
  return alias === undefined ? hex(qpn) : `${hex(qpn)}=${hex(alias)}`;
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

function packets(session: SessionStatus, way: "toInfiniband" | "toEthernet"): string {
  const { packets: passed, drops }: TallyStatus = session[way];
  const lost = Object.values(drops).reduce((sum, one) => sum + one, 0);
  return lost === 0 ? String(passed) : `${passed} (${lost} dropped)`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows
    .map((row) => `  ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
