// Owns the names of routing tables that a host has in iproute2's files.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "./ledger/files.ts";

/** Where iproute2 looks, later places winning: the distribution's file, the host's own (iproute2, lib/rt_names.c). */
export const TABLE_NAME_DIRECTORIES: readonly string[] = ["/usr/share/iproute2", "/usr/lib/iproute2", "/etc/iproute2"];

/** Table ids by name, from rt_tables and rt_tables.d; what cannot be read is as if it were not there. */
export async function readTableNames(
  directories: readonly string[] = TABLE_NAME_DIRECTORIES,
): Promise<Record<string, number>> {
  const names: Record<string, number> = {};
  for (const directory of directories) {
    const parts = await readdir(join(directory, "rt_tables.d")).catch(() => []);
    const files = [
      "rt_tables",
      ...parts.filter((file) => file.endsWith(".conf")).map((file) => join("rt_tables.d", file)),
    ];
    for (const file of files) {
      Object.assign(names, parseTableNames((await readIfThere(join(directory, file)).catch(() => undefined)) ?? ""));
    }
  }
  return names;
}

/** Lines of "id name", decimal or hexadecimal, with comments from # on. 0 is no table, and 253 to 255 are known. */
export function parseTableNames(text: string): Record<string, number> {
  const names: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*(0x[0-9a-fA-F]{1,8}|\d{1,10})\s+([^\s#]+)/.exec(line);
    const id = Number(match?.[1]);
    if (match?.[2] !== undefined && id > 0 && id <= 0xffffffff && (id < 253 || id > 255)) names[match[2]] = id;
  }
  return names;
}
