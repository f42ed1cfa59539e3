// Owns the kernel work alone, without heddle around it: adds, lists or deletes the routes and rules over a socket of
// heddle's, or lists them with `ip -j` and JSON.parse. Says how long it took inside, without the start of Node. It is
// bundled as heddle is (bench/stand.ts): Node's reading of TypeScript would stay in the heap and be measured with it.
// Usage: node build/kernel-work.cjs add|dump|delete|ip-dump ROUTES RULES
import { execFileSync } from "node:child_process";
import { write } from "../src/cli/output.ts";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import { openRouteSocket } from "../src/host/netlink/client.ts";
import type { RouteSocket } from "../src/host/netlink/client.ts";
import { VERB } from "../src/host/netlink/requests.ts";
import type { Request } from "../src/host/netlink/requests.ts";
import { destination, TABLE } from "./inputs.ts";

const [work, routes, rules] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

/** Resolves when the work is done and its time is said. */
export const finished: Promise<void> = run();

async function run(): Promise<void> {
  const start = performance.now();
  if (work === "ip-dump") listWithIp();
  else {
    const socket = openRouteSocket();
    await (work === "dump" ? list(socket) : change(socket, work === "add" ? "new" : "delete"));
    socket.close();
  }
  const ms = performance.now() - start;
  // As heddle writes: the streams that process.stdout brings along are none of the work.
  write(1, `${JSON.stringify({ ms })}\n`);
}

async function change(socket: RouteSocket, type: "new" | "delete"): Promise<void> {
  const flags = type === "new" ? VERB.create : 0;
  const oif = (await socket.listLinks()).find(({ name }) => name === "bench0")?.index ?? 0;
  const requests: Request[] = [];
  for (let i = 0; i < routes; i++) {
    const to = `${destination(i)}/32`;
    const way = { tos: 0, scope: 0, type: "unicast", flags: 0, gateway: "192.0.2.2", oif } as const;
    const message = { family: 4, table: TABLE, to, protocol: HEDDLE_PROTOCOL, ...way } as const;
    requests.push({ object: "route", type, flags, message });
  }
  for (let i = 0; i < rules; i++) {
    const from = `10.${i >> 8}.${i & 255}.0/24`;
    const message = { family: 4, flags: 0, action: "table", table: TABLE, from, priority: 10_000 + i } as const;
    requests.push({ object: "rule", type, flags, message });
  }
  const failed = (await socket.perform(requests)).find((result) => result !== undefined);
  if (failed) throw failed;
}

async function list(socket: RouteSocket): Promise<void> {
  const found = [await socket.listRoutes({ table: TABLE }), await socket.listRules()];
  check(found[0]?.length ?? 0, found[1]?.length ?? 0);
}

function listWithIp(): void {
  const options = { maxBuffer: 64 * 1024 * 1024, encoding: "utf8" } as const;
  const list = (...words: string[]): number => (JSON.parse(execFileSync("ip", words, options)) as unknown[]).length;
  check(list("-j", "route", "show", "table", String(TABLE)), list("-j", "rule", "show"));
}

function check(foundRoutes: number, foundRules: number): void {
  if (foundRoutes !== routes || foundRules < rules) throw new Error(`found ${foundRoutes} routes, ${foundRules} rules`);
}
