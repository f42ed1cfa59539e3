// Owns what the agent says of itself, and who may ask it for what.
import { readFileSync } from "node:fs";
import { loginOf } from "../host/login.ts";
import { describeObject } from "../plan/kinds/index.ts";
import { planJson } from "../plan/plan-json.ts";
import type { Agent } from "./agent.ts";
import type { AgentStatus } from "./api/schema.ts";
import type { Services } from "./api/server.ts";
import type { Office } from "./carry-out.ts";
import type { News } from "./news.ts";

/** Objects that a status names; of more it says how many. */
const MOST = 1000;

/** What the socket of an agent serves. */
export function services(agent: Agent, office: Office, news: News, version: string): Services {
  const since = new Date().toISOString();
  return {
    news,
    read: {
      status: () => statusOf(agent, version, since),
      plan: () => planJson(agent.account.plan),
      history: async () => office.confirmed.list(),
    },
    change: (request, peer) => agent.request(request, { uid: loginOf(peer.pid) ?? peer.uid }),
  };
}

/** How the agent is. */
function statusOf(agent: Agent, version: string, since: string): AgentStatus {
  const { looks, repairs, plan } = agent.account;
  const { file, text, beside, serial } = agent.course;
  const { pendingMs } = agent;
  return {
    version,
    pid: process.pid,
    since,
    file: { path: file, serial, text, beside },
    ...(pendingMs === undefined ? {} : { pendingS: Math.ceil(pendingMs / 1000) }),
    looks: {
      count: looks.count,
      ...(looks.last ? { last: looks.last.toISOString() } : {}),
      ...(looks.lastMs === undefined ? {} : { lastMs: Math.round(looks.lastMs * 10) / 10 }),
    },
    repairs: { count: repairs.count, ...(repairs.last ? { last: repairs.last.toISOString() } : {}) },
    steps: plan.steps.length,
    waiting: plan.blocked
      .slice(0, MOST)
      .map(({ desired, waitsFor, why }) => ({ object: describeObject(desired), waitsFor, why })),
    standing: agent.account
      .resting(performance.now())
      .slice(0, MOST)
      .map(({ key, why, ageMs, count, leftMs, culprit, remedy }) => ({
        object: key,
        why,
        since: new Date(Date.now() - ageMs).toISOString(),
        count,
        restsS: Math.ceil(leftMs / 1000),
        ...(culprit === undefined ? {} : { culprit }),
        ...(remedy === undefined ? {} : { remedy }),
      })),
    troubles: agent.troubles,
    memoryKb: residentKb(),
  };
}

/** The line of `systemctl status`. */
export function statusLine(agent: Agent): string {
  const { repairs, plan } = agent.account;
  const resting = agent.account.resting(performance.now());
  const parts = [`keeps ${agent.course.file || "nothing"}`, `${repairs.count} repairs`];
  if (plan.blocked.length > 0) parts.push(`${plan.blocked.length} waiting`);
  if (resting.length > 0) parts.push(`${resting.length} in a fight or refused`);
  if (agent.pendingMs !== undefined) parts.push("waits to be confirmed");
  return [...parts, ...agent.troubles].join("; ");
}

/** Resident memory of this process in KiB (VmRSS, proc_pid_status(5)). */
function residentKb(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
}
