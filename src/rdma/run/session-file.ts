// Owns the sessions of a bridge in a file, so that they outlive its process: one line for each change, written before
// anybody is told of it.
//
// The file is of this boot (it lies below /run). A line that a crash cut off is passed over; what nobody could be told.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import type { Endpoint } from "../bridge/endpoint.ts";
import type { Host, Hosts, Side } from "../bridge/hosts.ts";
import type { Session, Sessions } from "../bridge/sessions.ts";

const HEADER = '{"heddle":"bridge sessions","version":1}';
/** The file is written anew when it has more lines than this and four times as many as things that last. */
const LEAST_LINES = 1024;
/** A longer file is none of ours: as many hosts, sessions and queue pairs as there may be, four times over. */
const MOST_BYTES = 64 * 1024 * 1024;

type Line =
  | ["host", string, Side, string, number, number, number]
  | ["queue-pair", string, number, number, number, "sidr" | "message", number]
  | ["open", string, string, number]
  | ["close", string, string, number]
  | ["forget", string, number];

/** Told when the file cannot be written: sessions go on, and are not kept. */
export type FileTrouble = (error: Error) => void;

export class SessionFile {
  readonly #path: string;
  readonly #trouble: FileTrouble;
  #lines = 0;
  #pending = "";

  constructor(path: string, trouble: FileTrouble) {
    this.#path = path;
    this.#trouble = trouble;
  }

  /** Takes in what was written before, as far as it can be read, and writes the file anew. Gives how many sessions. */
  restore(hosts: Hosts, sessions: Sessions, nowMs: number): number {
    for (const line of readLines(this.#path)) restoreLine(line, hosts, sessions, nowMs);
    this.rewrite(hosts, sessions);
    return sessions.count;
  }

  /** Where a host is. It is written with the next change that somebody is told of. */
  host(host: Host): void {
    this.#pending += lineOf(hostLine(host));
    this.#lines++;
  }

  opened(session: Session): void {
    const { client, server } = session;
    this.#append([queuePairLine(server), ["open", client.name, server.host.name, server.qpn]]);
  }

  learned(endpoint: Endpoint): void {
    this.#append([queuePairLine(endpoint)]);
  }

  closed({ client, server }: Session): void {
    this.#append([["close", client.name, server.host.name, server.qpn]]);
  }

  forgotten({ host, qpn }: Endpoint): void {
    this.#append([["forget", host.name, qpn]]);
  }

  /** Writes the file anew when most of it is over. */
  tidy(hosts: Hosts, sessions: Sessions): void {
    const lasting = hosts.count + sessions.count + sessions.endpoints.count;
    if (this.#lines > LEAST_LINES && this.#lines > 4 * lasting) this.rewrite(hosts, sessions);
  }

  rewrite(hosts: Hosts, sessions: Sessions): void {
    const lines: Line[] = [];
    for (const host of hosts) if (host.ready) lines.push(hostLine(host));
    for (const endpoint of sessions.endpoints) if (endpoint.origin !== "file") lines.push(queuePairLine(endpoint));
    for (const { client, server } of sessions) lines.push(["open", client.name, server.host.name, server.qpn]);
    this.#lines = lines.length;
    this.#pending = "";
    this.#try(() => {
      writeFileSync(`${this.#path}.new`, `${HEADER}\n${lines.map(lineOf).join("")}`, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    });
  }

  #append(lines: readonly Line[]): void {
    const text = this.#pending + lines.map(lineOf).join("");
    this.#pending = "";
    this.#lines += lines.length;
    this.#try(() => appendFileSync(this.#path, text, { mode: 0o600 }));
  }

  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#trouble(error);
    }
  }
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}

function hostLine(host: Host): Line {
  return ["host", host.name, host.side, Buffer.from(host.place).toString("hex"), host.lid, host.sl, host.mtu];
}

function queuePairLine({ host, qpn, qKey, alias, origin, port }: Endpoint): Line {
  return ["queue-pair", host.name, qpn, qKey, alias, origin === "message" ? "message" : "sidr", port];
}

function readLines(path: string): Line[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  const [header, ...lines] = text.split("\n");
  if (header !== HEADER || text.length > MOST_BYTES) return [];
  return lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isLine(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

/** What each line has behind its name. */
const SHAPES: Readonly<Record<Line[0], readonly ("address" | "side" | "text" | "number")[]>> = {
  host: ["address", "side", "text", "number", "number", "number"],
  "queue-pair": ["address", "number", "number", "number", "text", "number"],
  open: ["address", "address", "number"],
  close: ["address", "address", "number"],
  forget: ["address", "number"],
};

function isLine(value: unknown): value is Line {
  if (!Array.isArray(value) || typeof value[0] !== "string" || !Object.hasOwn(SHAPES, value[0])) return false;
  const shape = SHAPES[value[0] as Line[0]];
  return (
    value.length === shape.length + 1 &&
    shape.every((want, i) => {
      const one: unknown = value[i + 1];
      if (want === "number") return Number.isInteger(one) && (one as number) >= -1 && (one as number) <= 0xffffffff;
      if (typeof one !== "string") return false;
      if (want === "address") return parseAddress(one) !== undefined && formatAddress(bytesOf(one)) === one;
      return want === "text" || one === "ethernet" || one === "infiniband";
    })
  );
}

function restoreLine(line: Line, hosts: Hosts, sessions: Sessions, nowMs: number): void {
  const address = bytesOf(line[1]);
  if (line[0] === "host") {
    const [, , side, text, lid, sl, mtu] = line;
    const place = Uint8Array.from(Buffer.from(text, "hex"));
    const host = hosts.take(address, side, nowMs);
    if (host === undefined || place.length !== (side === "ethernet" ? 6 : 16)) return;
    hosts.restore(host, side, place, nowMs);
    if (side === "infiniband" && lid > 0 && lid < 0xc000) hosts.setPath(host, host.gid, { lid, sl: sl & 15, mtu });
    return;
  }
  const host = hosts.find(address, 0, address.length);
  if (host === undefined) return;
  if (line[0] === "queue-pair") {
    const [, , qpn, qKey, alias, origin, port] = line;
    const endpoint = sessions.endpoints.add(host, qpn, origin === "message" ? "message" : "sidr", qKey, nowMs, alias);
    const known = endpoint ?? host.endpoints.get(qpn);
    if (known !== undefined && known.origin !== "file") Object.assign(known, { qKey, port });
  } else if (line[0] === "forget") {
    const endpoint = host.endpoints.get(line[2]);
    if (endpoint !== undefined && endpoint.origin !== "file") sessions.endpoints.remove(endpoint);
  } else {
    const server = hosts.find(bytesOf(line[2]), 0, bytesOf(line[2]).length)?.endpoints.get(line[3]);
    if (server === undefined) return;
    if (line[0] === "open") sessions.openWith(host, server, nowMs);
    else {
      const session = sessions.find(host, server);
      if (session !== undefined) sessions.close(session);
    }
  }
}

function bytesOf(address: string): Uint8Array {
  return parseAddress(address) as Uint8Array;
}
