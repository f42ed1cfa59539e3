// Owns the client of the agent's socket: questions and requests, and what it means that nobody answers.
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import type * as z from "zod/mini";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { API_VERSION, eventSchema, replySchema, statusSchema } from "./schema.ts";
import type { AgentEvent, AgentStatus, ChangeRequest, Reply } from "./schema.ts";

/** The longest answer that is read, in bytes: a plan of some hundred thousand steps. */
const MOST_ANSWER = 1024 * 1024 * 1024;
/** A question is answered at once, or the agent hangs; in milliseconds. */
const QUESTION_MS = 10_000;

/** The agent said no, in diagnostics. */
export class AgentRefusal extends Error {
  override name = "AgentRefusal";
  readonly diagnostics: Diagnostic[];

  constructor(diagnostics: Diagnostic[]) {
    super(diagnostics[0]?.summary ?? "the agent refused");
    this.diagnostics = diagnostics;
  }
}

/** A client of the agent behind a socket. Its calls give undefined where no agent answers there. */
export class AgentClient {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** How the agent is. Throws AgentRefusal. */
  async status(): Promise<AgentStatus | undefined> {
    return this.#ask("GET", "status", statusSchema);
  }

  /** Has the agent do something; takes as long as that. Throws AgentRefusal. */
  async change(request: ChangeRequest): Promise<Reply | undefined> {
    return this.#ask("POST", request.do, replySchema, request);
  }

  /** The agent's news, those of the past first; they end when the agent does. */
  async *events(signal?: AbortSignal): AsyncGenerator<AgentEvent, "no agent" | "over"> {
    const response = await this.#send("GET", "events", undefined, signal);
    if (!response) return "no agent";
    if (response.statusCode !== 200) throw refusal(await read(response));
    let rest = "";
    response.setEncoding("utf8");
    for await (const part of response as AsyncIterable<string>) {
      const lines = (rest + part).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield eventSchema.parse(JSON.parse(line));
    }
    return "over";
  }

  async #ask<T>(method: "GET" | "POST", name: string, schema: z.ZodMiniType<T>, body?: object): Promise<T | undefined> {
    const signal = method === "GET" ? AbortSignal.timeout(QUESTION_MS) : undefined;
    const response = await this.#send(method, name, body, signal);
    if (!response) return undefined;
    const text = await read(response);
    const parsed = response.statusCode === 200 ? schema.safeParse(parseJson(text)) : undefined;
    if (!parsed?.success) throw refusal(text);
    return parsed.data;
  }

  async #send(
    method: string,
    name: string,
    body: object | undefined,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage | undefined> {
    const path = `/v${API_VERSION}/${name}`;
    const headers = { host: "heddle" };
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#path, method, path, headers, agent: false, ...(signal ? { signal } : {}) };
      const request = httpRequest(options, resolve);
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(undefined);
        else if (error.code === "ECONNRESET") reject(new AgentRefusal([DIED]));
        else reject(signal?.aborted ? new AgentRefusal([SILENT]) : error);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > MOST_ANSWER) throw new AgentRefusal([NOT_UNDERSTOOD]);
      parts.push(part);
    }
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    if (code === "ECONNRESET") throw new AgentRefusal([DIED]);
    if (name === "TimeoutError" || name === "AbortError") throw new AgentRefusal([SILENT]);
    throw error;
  }
  return Buffer.concat(parts).toString("utf8");
}

function refusal(text: string): AgentRefusal {
  const { diagnostics } = (parseJson(text) ?? {}) as { diagnostics?: unknown };
  const said = Array.isArray(diagnostics) && diagnostics.length > 0 ? (diagnostics as Diagnostic[]) : [NOT_UNDERSTOOD];
  return new AgentRefusal(said);
}

/** undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const SILENT: Diagnostic = {
  code: "agent-silent",
  severity: "error",
  summary: `the agent did not answer within ${QUESTION_MS / 1000} s`,
  detail: "It may be busy with a large change, or stuck.",
  remedy: "Look at its log (`journalctl -u heddle`), and restart it if it does not come round.",
};

const DIED: Diagnostic = {
  code: "agent-gone",
  severity: "error",
  summary: "the agent ended before it answered",
  detail: "What it was asked for may or may not be done.",
  remedy: "Look at `heddle status` when it runs again.",
};

const NOT_UNDERSTOOD: Diagnostic = {
  code: "agent-not-understood",
  severity: "error",
  summary: "the agent's answer is not understood",
  detail: "It may be of another version than this heddle.",
  remedy: "Restart the agent.",
};
