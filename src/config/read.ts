// Owns the reading of heddle.yaml where the start counts: the YAML library is loaded for the files that take it.
import type { Outcome } from "../model/diagnostic.ts";
import type { Role } from "../roles/role.ts";
import { checkConfig } from "./check.ts";
import type { Config } from "./check.ts";
import { readPlainYaml } from "./plain-yaml.ts";

/** What parseConfig says, in two halves of which most files need one. */
export async function readConfig(text: string, file: string, roles: readonly Role[]): Promise<Outcome<Config>> {
  const plain = readPlainYaml(text, file);
  if (plain) return checkConfig(plain, file, roles);
  const { parseConfig } = await import("./config.ts");
  return parseConfig(text, file, roles);
}
