// Owns what is measured on: files for heddle and for `ip -batch` that ask for the same objects.
import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Number of the routing table that the routes go to. */
export const TABLE = 100;
const FIRST_PRIORITY = 10_000;

/** The n-th destination: host routes below 10.0.0.0/8. */
export function destination(n: number): string {
  return `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
}

/** A file of the role `static`, one line a route or rule, as a program would write it. */
export function writeHeddleFile(path: string, routes: number, rules: number): void {
  const lines = ["version: 1", "static:", "  bench:", "    routes:"];
  for (let i = 0; i < routes; i++) {
    lines.push(`      - { to: ${destination(i)}, table: ${TABLE}, via: 192.0.2.2, link: bench0 }`);
  }
  if (rules > 0) lines.push("    rules:");
  for (let i = 0; i < rules; i++) {
    lines.push(`      - { from: 10.${i >> 8}.${i & 255}.0/24, table: ${TABLE}, priority: ${FIRST_PRIORITY + i} }`);
  }
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/** The same routes in a file beside heddle.yaml, whose path this is with the ending `.routes`. */
export function writeRoutesBeside(path: string, routes: number): void {
  const name = basename(path).replace(/\.yaml$/, ".routes");
  writeFileSync(path, `version: 1\nstatic:\n  bench:\n    routes_from: ${name}\n`);
  const lines: string[] = [];
  for (let i = 0; i < routes; i++) lines.push(`${destination(i)} via 192.0.2.2 link bench0 table ${TABLE}`);
  writeFileSync(join(dirname(path), name), `${lines.join("\n")}\n`);
}

/** The same for `ip -batch`. */
export function writeBatch(path: string, verb: "add" | "del", routes: number, rules: number): void {
  const lines: string[] = [];
  for (let i = 0; i < routes; i++) {
    lines.push(`route ${verb} ${destination(i)} via 192.0.2.2 dev bench0 table ${TABLE}`);
  }
  for (let i = 0; i < rules; i++) {
    lines.push(`rule ${verb} from 10.${i >> 8}.${i & 255}.0/24 table ${TABLE} priority ${FIRST_PRIORITY + i}`);
  }
  writeFileSync(path, `${lines.join("\n")}\n`);
}
