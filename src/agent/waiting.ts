// Owns the question whether something waits: an object for a link, a section for an address.
import type { Look } from "./look.ts";
import type { Diagnostic } from "../model/diagnostic.ts";

/** Whether part of what the file asks for cannot be had now, and may be had later. */
export function isWaiting(look: Look, diagnostics: readonly Diagnostic[]): boolean {
  return look.plan.blocked.length > 0 || diagnostics.some(({ code }) => code.startsWith("waiting-"));
}
