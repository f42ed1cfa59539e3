// Owns the quick way through a schema: only the keys that stand in a mapping are looked at, where zod asks for every key
// that could. What is right comes out as zod would have it; of what is not certainly right this says nothing, and zod
// is asked for the findings.
import type { core, ZodMiniType } from "zod/mini";

/** What a schema makes of a value, or WRONG. */
type Read = (value: unknown) => unknown;

/** Not certainly right: no value that a schema could give. */
export const WRONG: unique symbol = Symbol("not certainly right");

const compiled = new WeakMap<core.$ZodType, Read>();

/** The value that the schema makes of a right one; WRONG where zod has to be asked. */
export function checkQuickly<T>(schema: ZodMiniType<T>, value: unknown): T | typeof WRONG {
  return readerOf(schema)(value) as T | typeof WRONG;
}

function readerOf(schema: core.$ZodType): Read {
  let read = compiled.get(schema);
  if (!read) compiled.set(schema, (read = compile(schema as core.$ZodTypes)));
  return read;
}

function compile(schema: core.$ZodTypes): Read {
  const { def } = schema._zod;
  if (def.checks && def.checks.length > 0) return askZod(schema);
  switch (def.type) {
    case "object":
      return def.catchall?._zod.def.type === "never" ? compileObject(def.shape) : askZod(schema);
    case "record":
      return def.keyType._zod.values === undefined ? compileRecord(def.keyType, def.valueType) : askZod(schema);
    case "array":
      return compileArray(def.element);
    case "optional": {
      const read = readerOf(def.innerType);
      return (value) => (value === undefined ? undefined : read(value));
    }
    default:
      return askZod(schema);
  }
}

function compileObject(shape: Readonly<Record<string, core.$ZodType>>): Read {
  const keys = Object.keys(shape);
  const readers = new Map(keys.map((key, place) => [key, { read: readerOf(shape[key] as core.$ZodType), place }]));
  const required = keys.filter((key) => shape[key]?._zod.optin === undefined);
  return (value) => {
    if (!isMapping(value)) return WRONG;
    const result: Record<string, unknown> = {};
    let last = -1;
    let inOrder = true;
    for (const key of Object.keys(value)) {
      const known = readers.get(key);
      const own = known ? known.read(value[key]) : WRONG;
      if (!known || own === WRONG) return WRONG;
      result[key] = own;
      inOrder &&= known.place > last;
      last = known.place;
    }
    for (const key of required) if (!(key in result)) return WRONG;
    return inOrder ? result : inOrderOf(keys, result);
  };
}

/** The same mapping with its keys in the order of the schema, which is the order that zod gives them. */
function inOrderOf(keys: readonly string[], value: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const key of keys) if (key in value) result[key] = value[key];
  return result;
}

function compileRecord(keyType: core.$ZodType, valueType: core.$ZodType): Read {
  const readKey = readerOf(keyType);
  const read = readerOf(valueType);
  return (value) => {
    if (!isMapping(value)) return WRONG;
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const own = readKey(key) === key ? read(value[key]) : WRONG;
      if (own === WRONG || own === undefined) return WRONG;
      result[key] = own;
    }
    return result;
  };
}

function compileArray(element: core.$ZodType): Read {
  const read = readerOf(element);
  return (value) => {
    if (!Array.isArray(value)) return WRONG;
    const result: unknown[] = [];
    for (const item of value) {
      const own = read(item);
      if (own === WRONG) return WRONG;
      result.push(own);
    }
    return result;
  };
}

/** Whatever has no parts that are worth the trouble. */
function askZod(schema: core.$ZodType): Read {
  return (value) => {
    const payload = schema._zod.run({ value, issues: [] }, { async: false });
    return payload instanceof Promise || payload.issues.length > 0 ? WRONG : payload.value;
  };
}

/** A mapping as it comes from a file, with no key that could be anything else. */
function isMapping(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !Object.hasOwn(value, "__proto__")
  );
}
