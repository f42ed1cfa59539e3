// Owns what is made of names that the name service does not know at the moment, and knew before: at boot it may come up
// late, and chosen users must not go the ordinary way meanwhile.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { OwnerNames, Owners } from "../model/owners.ts";

/** Ids of users and groups as they were found last, to be remembered over a reboot. */
export type KnownOwners = Pick<Owners, "users" | "groups">;

/** Nobody is remembered. */
export function noKnownOwners(): KnownOwners {
  return { users: {}, groups: {} };
}

/**
 * The owners with what is remembered of those who are asked for and not found, a warning for each of them, and what is
 * to be remembered from now on: only of those who are asked for.
 */
export function recallOwners(
  asked: OwnerNames,
  found: Owners,
  remembered: KnownOwners,
): { owners: Owners; remember: KnownOwners; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const recall = (kind: "users" | "groups"): Record<string, number> =>
    Object.fromEntries(
      asked[kind].flatMap((name) => {
        const now = Object.hasOwn(found[kind], name) ? found[kind][name] : undefined;
        const before = Object.hasOwn(remembered[kind], name) ? remembered[kind][name] : undefined;
        if (now === undefined && before !== undefined) diagnostics.push(recalled(kind, name, before));
        const id = now ?? before;
        return id === undefined ? [] : [[name, id] as const];
      }),
    );
  const remember = { users: recall("users"), groups: recall("groups") };
  return { owners: { ...remember, cgroups: found.cgroups }, remember, diagnostics };
}

function recalled(kind: "users" | "groups", name: string, id: number): Diagnostic {
  const what = kind === "users" ? "user" : "group";
  return {
    code: "recalled-owner",
    severity: "warning",
    summary: `the ${what} "${name}" is not known at the moment; its last id ${id} is used`,
    detail:
      "The system's name service does not know the name, or is not ready yet. It was known when heddle last applied.",
    remedy: `If the ${what} is gone for good, take the name out of the file.`,
  };
}
