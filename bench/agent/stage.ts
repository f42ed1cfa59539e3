// Owns the stage of the agent's measurements: a namespace with a link that can be damaged, somebody who mends it, and a
// watcher of its own that takes the times from the kernel's events.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newNamespace } from "../../src/host/native.ts";
import { watch } from "../../src/host/netlink/watch.ts";
import type { NetlinkEvent } from "../../src/host/netlink/watch.ts";
import { LINK_FLAG } from "../../src/host/netlink/link.ts";

/** Routes and rules that are taken away in turn: one that goes too often is fought over. */
export const SUBJECTS = 8;
const TABLE = 77;
const routeTo = (i: number): string => `10.${i + 1}.0.0/16`;
const ruleFrom = (i: number): string => `10.${i + 101}.0.0/16`;

/**
 * A dispatcher script as sites write them: it reads every line of `ip monitor`, and puts a route or a rule back when a
 * line says that it went, and all of them when a line speaks of the link. No process is started for the lines of others.
 */
const SCRIPT = `
ip monitor link route rule | while read -r line; do
  case $line in
  *ib0*state*) i=1; while [ $i -le ${SUBJECTS} ]; do ip route add 10.$i.0.0/16 dev ib0 table ${TABLE} proto static 2>/dev/null; i=$((i + 1)); done ;;
  *Deleted*lookup*${TABLE}*) from=\${line#*from }; ip rule add from \${from%% *} table ${TABLE} priority 500 2>/dev/null ;;
  *Deleted*table*${TABLE}*) to=\${line#Deleted }; ip route add \${to%% *} dev ib0 table ${TABLE} proto static 2>/dev/null ;;
  esac
done`;

/** Whoever mends. */
export type Mender = "heddle agent" | "dispatcher script" | "nobody";

/** One namespace with its mender. */
export class Stage implements AsyncDisposable {
  readonly fd = newNamespace();
  /** Takes commands while it runs, so that whoever measures does not stand still. */
  readonly #hand: ChildProcess;
  readonly #place = mkdtempSync(join(tmpdir(), "heddle-bench-agent-"));
  #mender: ChildProcess | undefined;

  constructor() {
    this.#hand = spawn("nsenter", [...this.inside, "ip", "-force", "-batch", "-"], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    this.ip("link set lo up");
    for (const name of ["ib0", "noise"]) {
      this.ip(`link add ${name} type veth peer name far-${name}`);
      this.ip(`link set far-${name} up`);
      this.ip(`link set ${name} up`);
    }
    this.ip("addr add 172.16.34.1/16 dev ib0");
    this.ip("addr add 192.0.2.1/24 dev noise");
  }

  get inside(): string[] {
    return [`--net=/proc/${process.pid}/fd/${this.fd}`, "--"];
  }

  ip(words: string): string {
    const { stdout, stderr, status } = spawnSync("nsenter", [...this.inside, "ip", ...words.split(" ")], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`ip ${words}: ${stderr}`);
    return stdout;
  }

  /** Has `ip` do something soon. */
  do(...commands: string[]): void {
    this.#hand.stdin?.write(commands.map((command) => `${command}\n`).join(""));
  }

  /** Starts the mender, and waits until the route and the rule are there and it listens. */
  async start(mender: Mender, options: readonly string[] = []): Promise<void> {
    if (mender === "nobody") return;
    if (mender === "dispatcher script") {
      for (let i = 0; i < SUBJECTS; i++) {
        this.ip(`route add ${routeTo(i)} dev ib0 table ${TABLE} proto static`);
        this.ip(`rule add from ${ruleFrom(i)} table ${TABLE} priority 500`);
      }
      this.#mender = spawn("nsenter", [...this.inside, "sh", "-c", SCRIPT], { stdio: "ignore", detached: true });
      await new Promise((resolve) => setTimeout(resolve, 500));
      return;
    }
    const file = join(this.#place, "heddle.yaml");
    const all = Array.from({ length: SUBJECTS }, (_, i) => i);
    const routes = all.map((i) => `{ to: ${routeTo(i)}, link: ib0, table: ${TABLE} }`).join(", ");
    const rules = all.map((i) => `{ from: ${ruleFrom(i)}, table: ${TABLE}, priority: 500 }`).join(", ");
    writeFileSync(file, `version: 1\nstatic: { s: { routes: [${routes}], rules: [${rules}] } }\n`);
    const words = [process.execPath, "dist/heddle.cjs", "-f", file, "--state", this.#place, "agent", ...options];
    const child = spawn("nsenter", [...this.inside, ...words], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    this.#mender = child;
    for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
      if (chunk.toString().includes('"started"')) break;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }

  /** Process of the mender; nsenter becomes the program. */
  get pid(): number {
    return this.#mender?.pid ?? 0;
  }

  /** Processes of the mender, the script's children among them. */
  get pids(): number[] {
    if (this.pid === 0) return [];
    const { stdout } = spawnSync("ps", ["-o", "pid=", "-g", String(this.pid)], { encoding: "utf8" });
    return stdout.trim().split(/\s+/).map(Number);
  }

  /** Events of the namespace, for the one who measures. */
  events(signal: AbortSignal): AsyncIterableIterator<NetlinkEvent> {
    return watch(
      { namespace: this.fd, groups: ["link", "route", "rule"], keepAlive: true, mostWaiting: 500_000 },
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#mender;
    if (child?.pid !== undefined && child.exitCode === null) {
      const ended = once(child, "exit");
      process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    const ended = once(this.#hand, "exit");
    this.#hand.stdin?.end();
    await ended;
    closeSync(this.fd);
    rmSync(this.#place, { recursive: true, force: true });
  }
}

/** What is done to the stage. */
export type Damage = "route" | "rule" | "flap";

/**
 * Milliseconds between the kernel's event that a route or a rule went (that its link is up again, for a flap, which
 * takes IPv4 routes along without a word) and its event that it is back, both as a watcher in this process gets them.
 * Undefined when it does not come back within ten seconds.
 */
export async function repairMs(stage: Stage, damage: Damage, subject: number): Promise<number | undefined> {
  const abort = new AbortController();
  const events = stage.events(abort.signal);
  const timer = setTimeout(() => abort.abort(), 10_000);
  const commands = {
    route: [`route del ${routeTo(subject)} dev ib0 table ${TABLE}`],
    rule: [`rule del from ${ruleFrom(subject)} table ${TABLE} priority 500`],
    flap: ["link set ib0 down", "link set ib0 up"],
  } as const satisfies Record<Damage, string[]>;
  stage.do(...commands[damage]);
  let gone: number | undefined;
  let down = false;
  try {
    for await (const event of events) {
      if (event.type === "lost-sync") throw new Error("the measurement lost events");
      if (event.object === "link" && event.message.name === "ib0" && damage === "flap") {
        const up = (event.message.flags & LINK_FLAG.up) !== 0;
        down ||= !up;
        if (down && up) gone ??= performance.now();
      }
      const subjects =
        (event.object === "route" && event.message.to === routeTo(subject) && damage !== "rule") ||
        (event.object === "rule" && event.message.from === ruleFrom(subject) && damage === "rule");
      if (!subjects) continue;
      if (event.type === "del") gone = performance.now();
      if (event.type === "new" && gone !== undefined) return performance.now() - gone;
    }
    return undefined;
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}
