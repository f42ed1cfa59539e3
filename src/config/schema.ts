// Owns the schema of the whole file, put together from the roles, and its JSON Schema for editors.
import * as z from "zod/mini";
import { described, name, numberRange, optional } from "../roles/fields.ts";
import type { Role } from "../roles/role.ts";

/** Highest rule priority below main's own rule (32766), after which a rule would come too late. */
const LAST_PRIORITY_BEFORE_MAIN = 32765;

/** What stands in the file besides the roles' sections. */
const ranges = z.strictObject({
  tables: optional("Routing table ids, 7000-7999 unless you say otherwise.", numberRange(1, 0x7fffffff)),
  priorities: optional(
    "Rule priorities, 7000-7999 unless you say otherwise; below 32766, main's own.",
    numberRange(1, LAST_PRIORITY_BEFORE_MAIN),
  ),
  nexthops: optional("Ids of nexthop objects, 7000-7999 unless you say otherwise.", numberRange(1, 0x7fffffff)),
  marks: optional("Bits of the packet mark, counted from 0; 24-31 unless you say otherwise.", numberRange(0, 31)),
});

/** The schema of a file that these roles are written in; made once for each list of roles. */
export function fileSchema(roles: readonly Role[]): FileSchema {
  const made = schemas.get(roles) ?? { file: makeSchema(roles) };
  schemas.set(roles, made);
  return made.file;
}

type FileSchema = ReturnType<typeof makeSchema>;
const schemas = new WeakMap<readonly Role[], { file: FileSchema; json?: JsonSchema }>();

function makeSchema(roles: readonly Role[]) {
  const sections: Record<string, z.ZodMiniType> = {};
  for (const role of roles) sections[role.name] = optional(role.about, z.record(role.sectionName ?? name, role.schema));
  return z.strictObject({
    version: described("Version of the file's language: 1.", z.literal(1)),
    ranges: optional("Where the numbers come from that heddle draws.", ranges),
    ...sections,
  });
}

/** The file's language as JSON Schema (draft 2020-12), for editors and for looking up keys. */
export function jsonSchema(roles: readonly Role[]): JsonSchema {
  const file = fileSchema(roles);
  const made = schemas.get(roles) ?? { file };
  return (made.json ??= z.toJSONSchema(file, { io: "input" }) as JsonSchema);
}

/** The part of JSON Schema that is looked into. */
export interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  [key: string]: unknown;
}

/** The keys that may stand at a path of the file; none where no mapping can stand. */
export function keysAt(schema: JsonSchema, path: readonly PropertyKey[]): string[] {
  let level: JsonSchema[] = [schema];
  for (const step of path) {
    level = level.flatMap(alternatives).flatMap((at) => {
      if (typeof step === "number") return at.items ? [at.items] : [];
      const property = at.properties?.[String(step)];
      if (property) return [property];
      return typeof at.additionalProperties === "object" ? [at.additionalProperties] : [];
    });
  }
  return level.flatMap(alternatives).flatMap((at) => Object.keys(at.properties ?? {}));
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ? schema.anyOf.flatMap(alternatives) : [schema];
}
