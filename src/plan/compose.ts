// Owns the step from what the roles want to what the host shall have: normalised, merged, each conflict named.
import type { Diagnostic, Outcome } from "../model/diagnostic.ts";
import type { Key, Kind, Specs } from "../model/kinds.ts";
import { KINDS } from "../model/kinds.ts";
import type { Desired, DesiredState, RoleId, Wanted } from "../model/objects.ts";
import { describeObject, rulesOf } from "./kinds/index.ts";

/** What one role instance wants. */
export interface Wish {
  owner: RoleId;
  wanted: Wanted[];
}

/**
 * Puts the wishes of all role instances together. Two that want the same object share it; two that want different
 * objects under one key are an error that names both lines, and the first one is kept so that more can be reported.
 */
export function composeDesired(wishes: readonly Wish[]): Outcome<DesiredState> {
  const byKey = new Map<Key, Desired>();
  const diagnostics: Diagnostic[] = [];
  for (const { owner, wanted } of wishes) {
    // One list for all objects of a section: there may be a hundred thousand.
    const owners = [owner];
    for (const wish of wanted) {
      const candidate = desire(wish, owners);
      const present = byKey.get(candidate.key);
      if (!present) {
        byKey.set(candidate.key, candidate);
        continue;
      }
      const merged = merge(present, candidate);
      if (merged) byKey.set(candidate.key, merged);
      else diagnostics.push(conflict(present, candidate));
    }
  }
  return { value: { objects: inOrderOfCreation(byKey.values()) }, diagnostics };
}

function desire(wish: Wanted, owners: RoleId[]): Desired {
  return desireOne(wish.kind, wish.spec, wish, owners);
}

function desireOne<K extends Kind>(kind: K, raw: Specs[K], wish: Wanted, owners: RoleId[]): Desired {
  const rules = rulesOf(kind);
  const spec = rules.normalize(raw);
  // The kind and its spec come from one Wanted, a correlation that TypeScript cannot follow through generics.
  const { adopt, from } = wish;
  const desired = { kind, spec, key: rules.identify(spec), needs: rules.needs(spec), owners, from: [from] } as Desired;
  if (adopt) desired.adopt = true;
  return desired;
}

function merge(a: Desired, b: Desired): Desired | undefined {
  const spec = mergeSpecs(a.kind, a.spec, b.spec);
  if (!spec) return undefined;
  const owners = [...new Set([...a.owners, ...b.owners])];
  const adopt = a.adopt || b.adopt ? { adopt: true } : {};
  return { ...a, spec, owners, from: [...a.from, ...b.from], ...adopt } as Desired;
}

function mergeSpecs<K extends Kind>(kind: K, a: Specs[K], b: Specs[K]): Specs[K] | undefined {
  return rulesOf(kind).merge(a, b);
}

function conflict(kept: Desired, refused: Desired): Diagnostic {
  const [here, there] = [refused.from[0], kept.from[0]];
  const place = there ? `${there.file}:${there.start.line}` : "another line";
  return {
    code: "conflict",
    severity: "error",
    summary: `${refused.owners.join(", ")} and ${kept.owners.join(", ")} want different things`,
    detail: `Here: ${describeObject(refused)}. At ${place}: ${describeObject(kept)}. The kernel can hold only one of them.`,
    remedy: `Take one of the two away, or let them differ in what tells them apart (table, metric, link).`,
    ...(here ? { range: here } : {}),
  };
}

/** Objects as they are made: by kind, then as the kind says, then by key so that plans are stable. */
export function inOrderOfCreation<T extends OrderedObject>(objects: Iterable<T>): T[] {
  // By kind and rank first, without a word about each object: there may be a hundred thousand of one kind and rank.
  const groups = KINDS.map(() => new Map<number, T[]>());
  for (const object of objects) {
    const ofKind = groups[KINDS.indexOf(object.kind)] as Map<number, T[]>;
    const place = rank(object.kind, object.spec);
    const group = ofKind.get(place);
    if (group) group.push(object);
    else ofKind.set(place, [object]);
  }
  return groups.flatMap((ofKind) => {
    const ranks = [...ofKind.keys()].sort((a, b) => a - b);
    return ranks.flatMap((place) => (ofKind.get(place) ?? []).sort((a, b) => compareKeys(a.key, b.key)));
  });
}

function compareKeys(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type OrderedObject = Pick<Desired, "kind" | "spec" | "key">;

function rank<K extends Kind>(kind: K, spec: Specs[K]): number {
  return rulesOf(kind).rank(spec);
}
