// Owns which trials there are of users who send to the same address, the command that tries one, and what it shows. Pure.
import type { CapturedFrame } from "./capture.ts";
import type { Owners } from "./judge.ts";
import type { StepOf } from "./step-schema.ts";
import { isAnsweredBy, literal, ownedBy, tryCommand } from "./trial.ts";
import type { Trial } from "./trial.ts";

/** Where the far end answers TCP and UDP: a port that xrootd servers use. */
export const WAY_PORT = 1094;

/** Somebody sends to an address by one method. */
export interface Way extends Trial {
  /** Absent for root. */
  as?: string;
  cgroup?: string;
}

/** What was seen of it. */
export interface WaySeen {
  way: Way;
  answered: boolean;
  /** Hosts whose cards its frames went to, with none twice; empty when nothing left. */
  by: string[];
  /** Source addresses that its frames had, before anybody translated them. */
  sources: string[];
}

/** Every user by every method, in the order of the step. */
export function listWays({ ways }: StepOf<"ways">, nextNumber: () => number): Way[] {
  const to = [ways.to].flat();
  return to.flatMap((address) =>
    (ways.by ?? ["ping", "tcp", "udp"]).flatMap((method) =>
      ways.as.map((who): Way => {
        const [as, cgroup] = who.split(" in ") as [string, string?];
        const user = as === "root" ? {} : { as };
        return { method, to: address, number: nextNumber(), ...user, ...(cgroup === undefined ? {} : { cgroup }) };
      }),
    ),
  );
}

/** Program, arguments and input that try a way; they take about a second when there is no answer. */
export function wayCommand(way: Way): { argv: string[]; input?: string } {
  return tryCommand(way, WAY_PORT, {});
}

/** The programs that answer TCP and UDP at an address: they send back what comes. */
export function echoCommands(address: string): { argv: string[]; protocol: "tcp" | "udp" }[] {
  const family = address.includes(":") ? 6 : 4;
  const options = `bind=${literal(address)},reuseaddr,fork`;
  return (["tcp", "udp"] as const).map((protocol) => ({
    protocol,
    // One child for each datagram: a listener for UDP hands others' first datagrams to the wrong child.
    argv: [
      "socat",
      `${protocol === "tcp" ? `TCP${family}-LISTEN` : `UDP${family}-RECVFROM`}:${WAY_PORT},${options}`,
      "PIPE",
    ],
  }));
}

/** What the frames at the sender's ports show of a way. */
export function seeWay(
  way: Way,
  ended: { code: number | null; stdout: string },
  frames: readonly CapturedFrame[],
  owners: Owners,
): WaySeen {
  const own = frames.filter((frame) => frame.sentByHost && ownedBy(way, frame));
  const by = own.map(({ destinationMac }) => owners.byMac.get(destinationMac)?.host ?? destinationMac);
  const sources = own.flatMap((frame) => ("source" in frame ? [frame.source] : []));
  return { way, answered: isAnsweredBy(way, ended), by: [...new Set(by)], sources: [...new Set(sources)] };
}

/** "aliprod tcp → 192.0.2.80" */
export function wayText({ as = "root", cgroup, method, to }: Way): string {
  return `${as}${cgroup === undefined ? "" : ` in ${cgroup}`} ${method} → ${to}`;
}

/** What the ways miss of what was expected of their users, as clauses. */
export function missedWays(seen: readonly WaySeen[], expectation: StepOf<"ways">["expect"]): string[] {
  return seen.flatMap(({ way, answered, by, sources }) => {
    const who = `${way.as ?? "root"}${way.cgroup === undefined ? "" : ` in ${way.cgroup}`}`;
    const wanted = expectation?.[who];
    if (!wanted) return [];
    const missed: string[] = [];
    const only = wanted.by === "nobody" ? [] : wanted.by === undefined ? undefined : [wanted.by];
    if (only && by.join() !== only.join()) {
      missed.push(`went by ${by.join(" and ") || "nobody"}, not by ${only[0] ?? "nobody"}`);
    }
    if (wanted.answered !== undefined && answered !== wanted.answered) {
      missed.push(answered ? "was answered" : "was not answered");
    }
    if (wanted.source !== undefined && sources.some((source) => source !== wanted.source)) {
      missed.push(`had the source ${sources.join(" and ")}, not ${wanted.source}`);
    }
    return missed.map((clause) => `${wayText(way)} ${clause}`);
  });
}

/** A column for each user, a row for each method and address: by whom it went, and whether it was answered. */
export function wayTable(seen: readonly WaySeen[]): string[] {
  const nameOf = ({ as = "root", cgroup }: Way): string => (cgroup === undefined ? as : `${as} in ${cgroup}`);
  const users = [...new Set(seen.map(({ way }) => nameOf(way)))];
  const rows = Map.groupBy(seen, ({ way }) => `${way.method} to ${way.to}`);
  const cells = [...rows].map(([name, row]) => [
    name,
    ...users.map((user) => {
      const found = row.find(({ way }) => nameOf(way) === user);
      if (!found) return "";
      const by = found.by.length > 0 ? `by ${found.by.join(" and ")}` : "nothing left";
      return `${found.answered ? "✓" : "✗"} ${by}${found.sources.length > 0 ? ` from ${found.sources.join(", ")}` : ""}`;
    }),
  ]);
  const table = [["", ...users], ...cells];
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
