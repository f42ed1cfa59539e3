// Owns `heddle events`: the agent's news, as it tells them.
import { AgentClient, AgentRefusal } from "../../agent/api/client.ts";
import type { AgentEvent } from "../../agent/api/schema.ts";
import { agentSockets } from "../../host/ledger/lock.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { harmless } from "../render/diagnostics.ts";
import { openStore } from "../session.ts";

/** Follows the agent until it ends, or this command is told to. */
export async function events(context: Context): Promise<ExitCode> {
  const store = await openStore(context);
  const unread = new AbortController();
  for (const socket of agentSockets(store.cookie, store.runFolder)) {
    const stream = new AgentClient(socket).events(unread.signal);
    for (;;) {
      const { value, done } = await stream.next().catch((error: unknown) => {
        if (unread.signal.aborted) return { value: "over", done: true } as const;
        if (error instanceof AgentRefusal) return { value: error, done: true } as const;
        throw error;
      });
      if (done && value === "no agent") break;
      if (done && value instanceof AgentRefusal) return context.fail(value.diagnostics);
      if (done) return EXIT.ok;
      // Whoever reads may go away (`heddle events | head`): then there is nobody to follow for.
      const isRead = context.options.json ? context.sayJson(value) : context.say(render(value));
      if (!isRead) unread.abort();
    }
  }
  return context.fail([NO_AGENT]);
}

function render({ at, event, ...fields }: AgentEvent): string {
  const told = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  return harmless(`${at.slice(11, 23)} ${event} ${told.join("  ")}`.trimEnd());
}

const NO_AGENT = {
  code: "no-agent",
  severity: "error",
  summary: "no agent keeps this host",
  remedy: "Start one: heddle agent.",
} as const;
