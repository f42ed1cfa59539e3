// Owns the way of a request to change the host: to the agent, where one runs, and otherwise done here under the lock.
import { AgentClient, AgentRefusal } from "../agent/api/client.ts";
import type { ChangeRequest, Reply } from "../agent/api/schema.ts";
import { carryOut } from "../agent/carry-out.ts";
import { agentSockets, isHeldByAgent } from "../host/ledger/lock.ts";
import type { StateStore } from "../host/ledger/store.ts";
import { loginOf } from "../host/login.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Context } from "./context.ts";
import { openStore, openWriter } from "./session.ts";

/** How often an agent that starts, or ends, is tried again, and for how long, in milliseconds. */
const AGAIN_MS = 100;
const PATIENCE_MS = 5000;

/** Has a request done. `busy` says that another heddle, which is no agent, is changing the host. */
export async function ask(context: Context, request: ChangeRequest): Promise<Reply | { busy: Diagnostic }> {
  const store = await openStore(context);
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    // Whoever holds the lock decides: an agent for life, another command for a moment.
    await using session = await openWriter(context, store);
    if (session) {
      const { reply } = await carryOut(request, { uid: loginOf("self") ?? process.getuid?.() ?? 0 }, session);
      return { ...reply, diagnostics: [...session.diagnostics, ...reply.diagnostics] };
    }
    const reply = await fromAgent(store, (client) => client.change(request)).catch(refused);
    if (reply) return reply;
    // An agent that starts holds the lock before it answers, and one that dies has a socket for longer than the lock.
    const patient = performance.now() < until && (await isHeldByAgent(store.cookie, store.runFolder));
    if (!patient) return { busy: BUSY };
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Asks the agent of this network namespace something; undefined where none answers. Throws AgentRefusal. */
export async function fromAgent<T>(
  store: StateStore,
  question: (client: AgentClient) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const socket of agentSockets(store.cookie, store.runFolder)) {
    const answer = await question(new AgentClient(socket));
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** What the agent says no to is a request that failed. */
function refused(error: unknown): Reply {
  if (!(error instanceof AgentRefusal)) throw error;
  return { outcome: "failed", diagnostics: [], findings: error.diagnostics };
}

const BUSY: Diagnostic = {
  code: "busy",
  severity: "error",
  summary: "another heddle is changing this host",
  remedy: "Wait until it is done, then try again.",
};
