// Owns the numbers of users and groups by their names, as the host's own databases have them, directories of a site too.
import { execFile } from "node:child_process";

/** getent may ask a server. */
const MOST_MS = 10_000;

/** The number of a user or a group; a number is its own. Undefined where there is nobody of the name. */
export async function accountNumber(database: "passwd" | "group", name: string): Promise<number | undefined> {
  if (/^\d{1,10}$/.test(name)) return Number(name) <= 0xfffffffe ? Number(name) : undefined;
  // A name that begins with a hyphen would be an option.
  if (!/^[^-:\s][^:\s]{0,255}$/.test(name)) return undefined;
  return new Promise((resolve) => {
    const options = { timeout: MOST_MS, encoding: "utf8" } as const;
    execFile("getent", [database, name], options, (error, stdout) => {
      const number = stdout.split("\n")[0]?.split(":")[2];
      resolve(error || number === undefined || !/^\d+$/.test(number) ? undefined : Number(number));
    });
  });
}
