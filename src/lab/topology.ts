// Owns the way from the text of a topology file to a Topology: every value checked, every complaint with its place.
import { dirname, resolve } from "node:path";
import { hasErrors, type Diagnostic, type Outcome, type SourceRange } from "../model/diagnostic.ts";
import { crossCheck, crossCheckStep } from "./cross-check.ts";
import { fileSchema, type HostPlace, type Segment, type TopologyFile } from "./schema.ts";
import { kindsOf, STEP_KINDS, stepSchema, type Step } from "./step-schema.ts";
import { YamlSource, type Path } from "./yaml-source.ts";

/** A host's heddle.yaml: text that stands in the topology, or a file beside it (absolute path). */
export type HostConfig = { text: string } | { path: string };

/** A step with its place in the file. */
export interface PlacedStep {
  step: Step;
  range: SourceRange;
}

export interface Scenario {
  name: string;
  about?: string;
  /** Values of the parameters of this run, as text. Empty for a scenario without parameters. */
  parameters: Record<string, string>;
  steps: PlacedStep[];
}

/** A checked topology. Hosts and links keep the order of the file, which numbers their ports. */
export interface Topology {
  file: string;
  name: string;
  about?: string;
  segments: Record<string, Segment>;
  hosts: Record<string, HostPlace>;
  /** Group names and gids that every host knows. */
  groups: Record<string, number>;
  configs: Record<string, HostConfig>;
  /** In the order of the file; one for each combination of parameters. */
  scenarios: Scenario[];
  /** Where a value of the file stands, for messages about what the kernel refused. */
  rangeOf(path: Path): SourceRange;
}

/** Reads a topology. `file` is its path: messages name it, and a relative `config` is looked up beside it. */
export function readTopology(text: string, file: string): Outcome<Topology> {
  const read = YamlSource.read(text, file);
  const source = read.value;
  if (!source) return { diagnostics: read.diagnostics };
  const parsed = fileSchema.safeParse(source.value);
  if (!parsed.success)
    return { diagnostics: [...read.diagnostics, ...source.complaints(fileSchema, source.value, [])] };
  const scenarios = readScenarios(source, parsed.data);
  const diagnostics = [...read.diagnostics, ...crossCheck(source, parsed.data), ...scenarios.diagnostics];
  if (hasErrors(diagnostics)) return { diagnostics };
  const { name, about, segments, hosts, groups } = parsed.data;
  return {
    value: {
      file,
      name,
      ...(about !== undefined && { about }),
      segments,
      hosts,
      groups: groups ?? {},
      configs: configsOf(parsed.data, file),
      scenarios: scenarios.value ?? [],
      rangeOf: (path) => source.rangeOf(path),
    },
    diagnostics,
  };
}

function configsOf(file: TopologyFile, path: string): Record<string, HostConfig> {
  const configs: Record<string, HostConfig> = {};
  for (const [host, { config }] of Object.entries(file.hosts)) {
    if (config === undefined) continue;
    configs[host] = config.includes("\n") ? { text: config } : { path: resolve(dirname(path), config) };
  }
  return configs;
}

function readScenarios(source: YamlSource, file: TopologyFile): Outcome<Scenario[]> {
  const diagnostics: Diagnostic[] = [];
  const scenarios: Scenario[] = [];
  for (const [name, scenario] of Object.entries(file.scenarios ?? {})) {
    for (const parameters of combinations(scenario.each ?? {})) {
      const steps: PlacedStep[] = [];
      for (const [index, raw] of scenario.steps.entries()) {
        const path = ["scenarios", name, "steps", index];
        const read = readStep(source, file, fillIn(raw, parameters), path);
        diagnostics.push(...read.diagnostics);
        if (read.value) steps.push({ step: read.value, range: source.rangeOf(path) });
      }
      scenarios.push({ name, ...(scenario.about !== undefined && { about: scenario.about }), parameters, steps });
    }
  }
  return { value: scenarios, diagnostics: unique(diagnostics) };
}

function readStep(source: YamlSource, file: TopologyFile, raw: object, path: Path): Outcome<Step> {
  const [kind, ...others] = kindsOf(raw);
  if (kind === undefined) {
    const [first] = Object.keys(raw);
    return { diagnostics: [source.unknownKey(path, first ?? "", STEP_KINDS)] };
  }
  if (others[0] !== undefined) {
    const summary = `a step is one thing, but this one has ${[kind, ...others].join(" and ")}`;
    const range = source.rangeOfKey([...path, others[0]]);
    return {
      diagnostics: [{ code: "two-steps-in-one", severity: "error", summary, remedy: "Make it two steps.", range }],
    };
  }
  const diagnostics = source.complaints(stepSchema(kind), raw, path);
  if (diagnostics.length > 0) return { diagnostics };
  const step = raw as Step; // What the schema of its kind has just accepted.
  return { value: step, diagnostics: crossCheckStep(source, file, step, path) };
}

/** Every combination of values, the last parameter turning fastest; one empty combination without parameters. */
function combinations(each: Record<string, readonly (string | number)[]>): Record<string, string>[] {
  return Object.entries(each).reduce<Record<string, string>[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: String(value) }))),
    [{}],
  );
}

/** Puts parameters in the place of `${name}` in every string of a value. Other `${…}` stay as they are. */
function fillIn<T>(value: T, parameters: Record<string, string>): T {
  const fill = (part: unknown): unknown => {
    if (typeof part === "string") {
      return part.replace(/\$\{([a-z][a-z0-9_]*)\}/g, (text, name: string) => parameters[name] ?? text);
    }
    if (Array.isArray(part)) return part.map(fill);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, fill(inner)]));
  };
  return fill(value) as T;
}

/** A step that is read once for each combination complains once. */
function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter((diagnostic) => {
    const key = JSON.stringify([diagnostic.code, diagnostic.summary, diagnostic.range]);
    return !seen.has(key) && seen.add(key);
  });
}
