// Owns the keys of heddle.yaml as the manual lists them, read from the schema that checks the file.
import { jsonSchema } from "../../src/config/schema.ts";
import type { JsonSchema } from "../../src/config/schema.ts";
import type { Role } from "../../src/roles/role.ts";

/** One key that may stand in the file. */
export interface KeyEntry {
  /** Its place below the section: "match.users", "routes[].to", "nexthops.NAME.via". */
  path: string;
  required: boolean;
  /** What is written there: "an IP address", "a whole number from 1 to 256". */
  takes: string;
  /** The schema's sentence; empty where it has none, which a test refuses. */
  about: string;
}

/** The keys at the top of the file, or those of one role's sections. */
export interface KeyGroup {
  /** "The file", "multihome". */
  title: string;
  about: string;
  keys: KeyEntry[];
}

/** All keys that there are, the file's own first, then those of each role in the order of the manual. */
export function keyGroups(roles: readonly Role[]): KeyGroup[] {
  const { properties = {}, required } = jsonSchema(roles);
  const names = new Set(roles.map(({ name }) => name));
  const own = Object.fromEntries(Object.entries(properties).filter(([key]) => !names.has(key)));
  const file = { title: "The file", about: "", keys: keysOf({ properties: own, required }) };
  return [
    file,
    ...roles.map((role) => {
      const section = properties[role.name]?.additionalProperties;
      if (typeof section !== "object") throw new Error(`${role.name} is no mapping from names to sections`);
      return { title: role.name, about: role.about, keys: keysOf(section) };
    }),
  ];
}

/** The keys of a mapping, each followed by those below it. */
function keysOf(schema: JsonSchema, above = ""): KeyEntry[] {
  const required = (schema["required"] ?? []) as string[];
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const path = `${above}${key}`;
    const about = (value["description"] ?? "") as string;
    return [{ path, required: required.includes(key), takes: takes(value), about }, ...keysBelow(value, path)];
  });
}

/** Keys of the mappings that a value can hold, each once, however it can be written: one entry, or a list of them. */
function keysBelow(value: JsonSchema, path: string): KeyEntry[] {
  const list = alternatives(value).some(({ items }) => items !== undefined);
  const mappings = alternatives(value).flatMap((one) => {
    if (one.items) return alternatives(one.items).map((item) => keysOf(item, `${path}[].`));
    if (one.properties && !list) return [keysOf(one, `${path}.`)];
    const every = one.additionalProperties;
    return typeof every === "object" ? alternatives(every).map((item) => keysOf(item, `${path}.NAME.`)) : [];
  });
  return [...new Map(mappings.flat().map((entry) => [entry.path, entry])).values()];
}

function takes(value: JsonSchema): string {
  const ways = alternatives(value);
  const list = ways.find(({ items }) => items !== undefined);
  const single = [...new Set(ways.filter((way) => way !== list).map(takesOne))];
  if (!list?.items) return single.join(", or ");
  const items = takes(list.items);
  if (single.length > 0 && single.join(", or ") === items) return `${items}; a list for several`;
  return [...single, `a list of: ${items}`].join(", or ");
}

function takesOne(value: JsonSchema): string {
  const { title, minimum, maximum, enum: words, const: only } = value;
  if (typeof title === "string") return title;
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (Array.isArray(words)) return words.map((word) => `\`${String(word)}\``).join(", ");
  if (value.properties) return "a mapping";
  if (typeof value.additionalProperties === "object") {
    const each = takes(value.additionalProperties);
    return each === "a mapping" ? each : `a mapping from names to: ${each}`;
  }
  switch (value["type"]) {
    case "boolean":
      return "`true` or `false`";
    case "integer":
      return minimum === maximum
        ? `\`${String(minimum)}\``
        : `a whole number from ${String(minimum)} to ${String(maximum)}`;
    case "number":
      return `a number from ${String(minimum)} to ${String(maximum)}, in steps of ${String(value["multipleOf"])}`;
    case "string":
      return "text";
    default:
      throw new Error(`the manual has no words for ${JSON.stringify(value)}`);
  }
}

function alternatives(value: JsonSchema): JsonSchema[] {
  if (value["title"] !== undefined || !value.anyOf) return [value];
  return value.anyOf.flatMap(alternatives);
}

/** The keys as Markdown: a table for each group. */
export function renderKeys(groups: readonly KeyGroup[]): string {
  return groups.map(renderGroup).join("\n\n");
}

function renderGroup({ title, about, keys }: KeyGroup): string {
  const rows = keys.map(({ path, required, takes: what, about: sentence }) => {
    const meaning = required ? `${sentence} **Required.**` : sentence;
    return `| \`${path}\` | ${cell(what)} | ${cell(meaning)} |`;
  });
  const head = `### ${title === "The file" ? title : `\`${title}\``}`;
  return [
    head,
    "",
    ...(about ? [`${about} [More](roles/${title}.md).`, ""] : []),
    "| key | takes | |",
    "|---|---|---|",
    ...rows,
  ].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** Where the tables stand in a page, so that they can be written anew. */
const BEGIN = "<!-- Written by `make manual` from the schemas in src/. -->";
const END = "<!-- The end of what is written. -->";

/** The page with the tables in their place. */
export function putKeys(page: string, groups: readonly KeyGroup[]): string {
  const [before, rest] = cut(page, BEGIN);
  const [, after] = cut(rest, END);
  return `${before}${BEGIN}\n\n${renderKeys(groups)}\n\n${END}${after}`;
}

function cut(page: string, mark: string): [string, string] {
  const at = page.indexOf(mark);
  if (at < 0) throw new Error(`the page has no line ${mark}`);
  return [page.slice(0, at), page.slice(at + mark.length)];
}
