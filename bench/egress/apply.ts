// Owns how long `heddle apply` takes as a whole where many users are chosen, by id and by name.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../src/lab/lab.ts";
import { parseRun } from "../measure.ts";
import type { Sample } from "../measure.ts";

const HEDDLE = join(import.meta.dirname, "../../bin/heddle");
const RUN = join(import.meta.dirname, "../../build/bench-run");
const NAMES = 1000;
const nameOf = (n: number): string => `user${n}`;

/** The host of the lab on which it is applied. */
export const APPLY_HOST = "apply";

/** Who is chosen, by the name of the row. */
const CHOSEN: Readonly<Record<string, readonly (string | number)[]>> = {
  "10 ids": numbers(10),
  "10,000 ids": numbers(10_000),
  "1,000 names": Array.from({ length: NAMES }, (_, n) => nameOf(n)),
};

export const APPLIES = Object.keys(CHOSEN);

/** Every other one, so that they are no range. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => 20_001 + 2 * n);
}

/** The host's users, as lines of the topology: those that are chosen by name are in its passwd file. */
export function applyUsers(): string {
  const lines = Array.from({ length: NAMES }, (_, n) => `      ${nameOf(n)}: { uid: ${100_000 + 2 * n} }\n`);
  return `    users:\n${lines.join("")}    config: |\n      version: 1\n`;
}

const fileOf = (lab: Lab, row: string): string => join(lab.folder, `${row.replaceAll(/\W/g, "-")}.yaml`);

/** Writes the files, and gives the host its link. */
export async function prepareApply(lab: Lab): Promise<void> {
  for (const [row, users] of Object.entries(CHOSEN)) {
    const lines = users.map((user) => `        - ${user}\n`).join("");
    const section = `    link: d0\n    gateways: [192.0.2.2]\n    match:\n      users:\n${lines}`;
    writeFileSync(fileOf(lab, row), `version: 1\negress:\n  bench:\n${section}`);
  }
  for (const words of [
    "link add d0 type veth peer name d1",
    "address add 192.0.2.1/24 dev d0",
    "link set d0 up",
    "link set d1 up",
  ]) {
    const { code, stderr } = await lab.exec(APPLY_HOST, ["ip", ...words.split(" ")]);
    if (code !== 0) throw new Error(stderr);
  }
}

/** Applies to the empty host, and takes it back, unmeasured. */
export async function apply(lab: Lab, row: string): Promise<Sample> {
  // What run.c says on descriptor 3 is all that is read.
  const words = ["sh", "-c", 'exec "$@" 3>&1 >/dev/null', "sh", RUN, HEDDLE, "-f", fileOf(lab, row), "apply"];
  const { stdout, stderr } = await lab.exec(APPLY_HOST, words);
  const { exit, sample } = parseRun(stdout);
  if (exit !== 0) throw new Error(`heddle apply, ${row}: exit ${exit}\n${stderr}`);
  await lab.exec(APPLY_HOST, [HEDDLE, "remove"]);
  return sample;
}
