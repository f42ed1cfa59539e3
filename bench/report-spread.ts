// Owns what the benches of spreading say in the same words: the machine, and the order of their rounds.
import { execFileSync } from "node:child_process";
import { cpus, release } from "node:os";

/** The machine, the program and the day. */
export function machine(): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const date = new Date().toISOString().slice(0, 10);
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, kernel ${release()}, Node ${process.version}, commit ${commit}, ${date}`;
}

/** The same in an order of chance. */
export function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T);
}
