// Owns the log: one JSON object a line on standard error, for a bug report, a slow day, or the journal.
import type { Log } from "../agent/news.ts";
import type { Trace } from "../agent/trace.ts";
import { noTrace } from "../agent/trace.ts";

/** A trace that is logged, or one that says nothing; the logger is loaded only where it is wanted. */
export async function openTrace(wanted: boolean): Promise<Trace> {
  if (!wanted) return noTrace;
  const log = await openLog(true);
  return (event, fields) => log("debug", event, fields);
}

/** The agent's log; with `debug` all of it. */
export async function openLog(debug: boolean): Promise<Log> {
  const { default: pino } = await import("pino");
  // Written at once: the last line before a crash is the one that matters.
  const logger = pino({ level: debug ? "debug" : "info", base: null }, pino.destination({ dest: 2, sync: true }));
  return (level, event, fields) => logger[level](fields, event);
}
