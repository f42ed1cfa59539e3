// Owns the question which keys a schema knows at a path, so that an unknown one can be answered with a near one.
import type * as z from "zod/mini";

/** Keys of the strict object at the path; empty where the schema has none there. */
export function knownKeys(schema: z.ZodMiniType, path: readonly PropertyKey[]): string[] {
  let types: z.core.$ZodType[] = unwrap(schema);
  for (const part of path) types = types.flatMap((type) => inner(type, part)).flatMap(unwrap);
  return [...new Set(types.flatMap((type) => Object.keys(shapeOf(type))))];
}

function definition(type: z.core.$ZodType): z.core.$ZodTypes["_zod"]["def"] {
  return (type as z.core.$ZodTypes)._zod.def;
}

function unwrap(type: z.core.$ZodType): z.core.$ZodType[] {
  const def = definition(type);
  if (def.type === "optional") return unwrap(def.innerType);
  if (def.type === "union") return def.options.flatMap(unwrap);
  return [type];
}

function shapeOf(type: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  const def = definition(type);
  return def.type === "object" ? def.shape : {};
}

function inner(type: z.core.$ZodType, part: PropertyKey): z.core.$ZodType[] {
  const def = definition(type);
  if (def.type === "record") return [def.valueType];
  if (def.type === "array") return [def.element];
  const field = shapeOf(type)[String(part)];
  return field ? [field] : [];
}
