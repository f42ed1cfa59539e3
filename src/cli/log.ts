// Owns the log of --debug: one JSON object a line on standard error, for a bug report or a slow day.
import type { Trace } from "../agent/trace.ts";
import { noTrace } from "../agent/trace.ts";

/** A trace that is logged, or one that says nothing; the logger is loaded only where it is wanted. */
export async function openTrace(wanted: boolean): Promise<Trace> {
  if (!wanted) return noTrace;
  const { default: pino } = await import("pino");
  // Written at once: the last line before a crash is the one that matters.
  const logger = pino({ level: "debug", base: null }, pino.destination({ dest: 2, sync: true }));
  return (event, fields) => logger.debug(fields, event);
}
