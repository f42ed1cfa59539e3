// Owns what tshark says of the packets of a capture.
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";

/** Values of the fields for each packet of the file, in whose folder nothing of the user's is; "" where a packet has none. */
export function tshark(file: string, fields: readonly string[]): Record<string, string>[] {
  const words = ["-n", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"];
  const text = execFileSync("tshark", [...words, ...fields.flatMap((field) => ["-e", field])], {
    encoding: "utf8",
    env: { ...process.env, HOME: dirname(file) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => Object.fromEntries(line.split("|").map((value, i) => [fields[i] as string, value])));
}
