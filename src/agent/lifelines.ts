// Owns the question whether a plan cuts a way that the host needs.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Look } from "./look.ts";

/** What speaks against a plan: ways that are there before it and not after. */
export function objectToCuts(_look: Look, _client: string | undefined): Diagnostic[] {
  return [];
}
