// Owns what seed 001 writes on a worker: a rule of iptables for each user, a rule for the mark, and a table of six routes.

/** The two programs of that name: over nftables, as distributions ship it, and over the kernel's own older tables. */
export type Tool = "iptables" | "iptables-legacy";

const TABLE = "201";

/** Puts it up by \`run\`, with rules for these users. */
export async function markingTable(
  tool: Tool,
  users: readonly number[],
  gateway: string,
  run: (words: readonly string[], input?: string) => Promise<void>,
): Promise<void> {
  const rules = users.map((user) => `-A OUTPUT -p tcp -m owner --uid-owner ${user} -j MARK --set-mark 1`);
  await run([`${tool}-restore`, "-n"], `${["*mangle", ...rules, "COMMIT"].join("\n")}\n`);
  await run(["ip", "rule", "add", "fwmark", "1", "table", TABLE]);
  const routes = [
    ["10.20.0.0/16"],
    ["10.20.1.0/24"],
    ["10.10.24.0/24", "via", gateway],
    ["140.181.2.0/24", "via", gateway],
    ["140.181.60.0/24", "via", gateway],
    ["default", "via", gateway],
  ];
  for (const route of routes) await run(["ip", "route", "add", ...route, "dev", "d0", "table", TABLE]);
}
