// Owns the agent's socket: HTTP over a unix socket, who may ask what, and bounds on everything that comes in.
import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type * as z from "zod/mini";
import { peerOf } from "../../host/native.ts";
import type { Peer } from "../../host/native.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { News } from "../news.ts";
import { API_VERSION, MOST_REQUEST, REQUESTS } from "./schema.ts";
import type { ChangeRequest, Reply } from "./schema.ts";

/** What the socket serves. */
export interface Services {
  /** Answers to GET, by name. */
  read: Readonly<Record<string, (peer: Peer) => unknown>>;
  change(request: ChangeRequest, peer: Peer): Promise<Reply>;
  news: News;
}

/** Connections at a time, and streams of events among them. */
const MOST_CONNECTIONS = 128;
const MOST_STREAMS = 32;
/** A connection that is silent for so long is closed, in milliseconds; a request that is being done may take longer. */
const SILENCE_MS = 10_000;
/** A reader of events that leaves so much unread is let go, in bytes. */
const MOST_UNREAD = 1024 * 1024;

/** Serves until the function that it gives is called. A stale socket under the path is taken away. Throws errno errors. */
export async function serve(path: string, services: Services): Promise<() => Promise<void>> {
  const server: Server = createServer(
    // No timer while nobody is connected: silence is watched connection by connection.
    { connectionsCheckingInterval: 0x7fffffff, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 1000 },
    (request, response) => {
      answer(request, response, services).catch((error: unknown) => fail(response, 500, bug(error)));
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.timeout = SILENCE_MS;
  // The caller holds the lock, so whatever stands there is left from an agent that died.
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  // Everybody may ask how things stand; who may change something is decided by the peer's user id.
  chmodSync(path, 0o666);
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, services: Services): Promise<void> {
  response.setHeader("content-type", "application/json");
  const peer = peerOf(descriptorOf(request.socket));
  const match = /^\/v(\d{1,4})\/([a-z]{1,32})$/.exec(request.url ?? "");
  if (!match) return fail(response, 404, unknown(request));
  const [, version, name = ""] = match;
  if (Number(version) !== API_VERSION) return fail(response, 400, otherVersion(Number(version)));
  if (request.method === "GET" && name === "events") return stream(response, services.news);
  if (request.method === "GET" && Object.hasOwn(services.read, name))
    return send(response, services.read[name]?.(peer));
  if (request.method !== "POST" || !Object.hasOwn(REQUESTS, name)) return fail(response, 404, unknown(request));
  if (peer.uid !== 0 && peer.uid !== process.geteuid?.()) return fail(response, 403, NOT_ROOT);

  const text = await readBody(request);
  if (text === undefined) return fail(response, 413, TOO_LONG);
  const schema: z.ZodMiniType<ChangeRequest> = REQUESTS[name as keyof typeof REQUESTS];
  const parsed = schema.safeParse({ ...asObject(text), do: name });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail(response, 400, malformed(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not understood"}`));
  }
  // What is being done may take its time, and is done even if the client goes away.
  request.socket.setTimeout(0);
  return send(response, await services.change(parsed.data, peer));
}

async function send(response: ServerResponse, value: unknown): Promise<void> {
  response.end(`${JSON.stringify(await value)}\n`);
}

let streams = 0;

/** News as they come, one JSON value a line, those of the past first. */
function stream(response: ServerResponse, news: News): void {
  if (streams >= MOST_STREAMS) return fail(response, 503, TOO_MANY);
  streams++;
  response.setHeader("content-type", "application/x-ndjson");
  response.socket?.setTimeout(0);
  const write = (event: object): void => {
    response.write(`${JSON.stringify(event)}\n`);
    if (response.writableLength > MOST_UNREAD) response.destroy();
  };
  for (const event of news.recent) write(event);
  // A marker between what was and what comes, so that a reader knows that it listens.
  write({ at: new Date().toISOString(), event: "listening" });
  const forget = news.listen(write);
  response.on("close", () => {
    streams--;
    forget();
  });
}

/** The body as text; undefined when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MOST_REQUEST) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function asObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function fail(response: ServerResponse, status: number, diagnostic: Diagnostic): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = status;
  // What is left of the request is not waited for.
  response.setHeader("connection", "close");
  response.end(`${JSON.stringify({ diagnostics: [diagnostic] })}\n`);
}

/** Node keeps the descriptor of a connection in a place without a name of its own. */
function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

function bug(error: unknown): Diagnostic {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const system = error instanceof Error && (error.name === "HostError" || "syscall" in error);
  if (system) return { code: "system", severity: "error", summary: message };
  return { code: "bug", severity: "error", summary: message, detail: stack ?? "" };
}

function unknown(request: IncomingMessage): Diagnostic {
  return {
    code: "unknown-request",
    severity: "error",
    summary: `the agent knows no ${request.method ?? ""} ${(request.url ?? "").slice(0, 80)}`,
    remedy: "The client may be of a later version than the agent: restart the agent.",
  };
}

function otherVersion(version: number): Diagnostic {
  return {
    code: "api-version",
    severity: "error",
    summary: `the client speaks version ${version} of the agent's language, and the agent version ${API_VERSION}`,
    remedy:
      version > API_VERSION
        ? "heddle was upgraded while its agent ran: restart the agent."
        : "This client is older than the agent: use the heddle that the agent was started from.",
  };
}

function malformed(detail: string): Diagnostic {
  return { code: "malformed-request", severity: "error", summary: "the agent does not understand the request", detail };
}

const NOT_ROOT: Diagnostic = {
  code: "not-root",
  severity: "error",
  summary: "only root may change this host",
  remedy: "Run heddle as root.",
};

const TOO_LONG: Diagnostic = {
  code: "too-long",
  severity: "error",
  summary: `the request is longer than ${MOST_REQUEST} bytes`,
};

const TOO_MANY: Diagnostic = {
  code: "too-many",
  severity: "error",
  summary: `${MOST_STREAMS} others listen to the agent's events already`,
};
