// Owns the words that the agent and its clients exchange: requests, replies, what the agent says of itself.
import * as z from "zod/mini";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { Plan } from "../../model/plan.ts";

/** Version of these words, the first part of every path ("/v1/status"). */
export const API_VERSION = 1;

/** The longest request, in bytes: the texts, and a saved plan. */
export const MOST_REQUEST = 256 * 1024 * 1024;

const fileText = z.string().check(z.maxLength(8 * 1024 * 1024));
const path = z.string().check(z.maxLength(4096));

/** Undo unless confirmed. The client draws the token, since its guard must know it before anything is done. */
const confirmation = z.object({
  token: z.string().check(z.regex(/^[A-Za-z0-9-]{8,64}$/)),
  /** Milliseconds since the boot. */
  until: z.number().check(z.nonnegative()),
});

const common = {
  /** Do it though it cuts somebody's way. */
  force: z.optional(z.boolean()),
  /** SSH_CONNECTION of whoever asks: addresses and ports of the client and of the server. */
  ssh: z.optional(z.string().check(z.maxLength(128))),
};

/** What can be asked for. Each is a POST to /v1/NAME. */
export const REQUESTS = {
  apply: z.object({
    do: z.literal("apply"),
    file: path,
    text: fileText,
    /** The texts of the files that it names, by path. */
    beside: z.optional(z.record(path, z.string().check(z.maxLength(64 * 1024 * 1024)))),
    /** A saved plan: its steps, and the path that it was read from. */
    agreed: z.optional(z.object({ path, steps: z.array(z.unknown()) })),
    confirm: z.optional(confirmation),
    ...common,
  }),
  remove: z.object({ do: z.literal("remove"), ...common }),
  confirm: z.object({ do: z.literal("confirm") }),
  rollback: z.object({
    do: z.literal("rollback"),
    /** Number of a confirmed file; absent means the one before the last. */
    to: z.optional(z.number().check(z.int(), z.positive())),
    confirm: z.optional(confirmation),
    ...common,
  }),
} as const;

export type RequestName = keyof typeof REQUESTS;
export type RequestOf<N extends RequestName> = z.output<(typeof REQUESTS)[N]>;
/** A request to change the host. */
export type ChangeRequest = { [N in RequestName]: RequestOf<N> }[RequestName];

const diagnostics = z.array(z.custom<Diagnostic>(isObject));

/** What came of a request. Plans and diagnostics are believed: they come from the process that holds the lock. */
export const replySchema = z.object({
  outcome: z.enum(["done", "waiting", "failed", "stale", "refused"]),
  plan: z.optional(z.custom<Plan>(isObject)),
  diagnostics,
  findings: diagnostics,
  /** Texts that the diagnostics point into, by path, where the client has not sent them. */
  sources: z.optional(z.record(z.string(), z.string())),
  /** What was done, in a line for a person, where it is no plan. */
  said: z.optional(z.string()),
});
export type Reply = z.output<typeof replySchema>;

const standing = z.object({
  object: z.string(),
  why: z.enum(["fight", "refused"]),
  /** ISO 8601. */
  since: z.string(),
  count: z.number(),
  /** Seconds until the next attempt; 0 when it may come now. */
  restsS: z.number(),
  /** Who does it, as far as it is known. */
  culprit: z.optional(z.string()),
  remedy: z.optional(z.string()),
});
export type StandingJson = z.output<typeof standing>;

/** What the agent says of itself. */
export const statusSchema = z.object({
  version: z.string(),
  pid: z.number(),
  /** ISO 8601. */
  since: z.string(),
  /** The file that it keeps the host by. */
  file: z.optional(
    z.object({
      path: z.string(),
      serial: z.optional(z.number()),
      text: z.optional(z.string()),
      beside: z.optional(z.record(z.string(), z.string())),
    }),
  ),
  /** Seconds until it is undone unless it is confirmed. */
  pendingS: z.optional(z.number()),
  looks: z.object({ count: z.number(), last: z.optional(z.string()), lastMs: z.optional(z.number()) }),
  repairs: z.object({ count: z.number(), last: z.optional(z.string()) }),
  steps: z.number(),
  waiting: z.array(z.object({ object: z.string(), waitsFor: z.string(), why: z.string() })),
  standing: z.array(standing),
  /** What keeps it from its work: the state cannot be written, the kernel cannot be read. */
  troubles: z.array(z.string()),
  memoryKb: z.number(),
});
export type AgentStatus = z.output<typeof statusSchema>;

/** One line of the stream of events. */
export const eventSchema = z.looseObject({ at: z.string(), event: z.string() });
export type AgentEvent = z.output<typeof eventSchema>;

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
