// Owns the reading of heddle.yaml: text in, checked sections with their places out.
import type { Outcome } from "../model/diagnostic.ts";
import type { Role } from "../roles/role.ts";
import { checkConfig } from "./check.ts";
import type { Config } from "./check.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { pathKey, readYaml } from "./yaml.ts";

export type { Config } from "./check.ts";

/** Reads and checks a file against the schemas of the roles. Every finding is collected; `value` is absent on errors. */
export function parseConfig(text: string, file: string, roles: readonly Role[]): Outcome<Config> {
  const plain = readPlainYaml(text, file);
  if (plain) return checkConfig(plain, file, roles);
  const yaml = readYaml(text, file);
  if (!yaml.value) return { diagnostics: yaml.diagnostics };
  const { value, places } = yaml.value;
  return checkConfig({ value, place: (path) => places.get(pathKey(path)) }, file, roles);
}
