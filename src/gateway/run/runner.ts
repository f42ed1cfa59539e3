// Owns the process that makes one of several gateways work: it hears what happens, asks the machine, and does what it says.
import { watch, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../host/error.ts";
import { openRouteSocket } from "../../host/netlink/client.ts";
import type { RouteSocket } from "../../host/netlink/client.ts";
import { conntrackdFile } from "../conntrackd-file.ts";
import { keepalivedFile } from "../keepalived-file.ts";
import { begin, nextWake, step } from "../machine.ts";
import type { Gatekeeper, Input, Output } from "../machine.ts";
import type { GatewaySetup } from "../setup.ts";
import type { Daemon } from "./child.ts";
import { Connections } from "./connections.ts";
import { checkFile, hearNotices, startKeepalived } from "./keepalived.ts";
import { LentAddresses } from "./lent-addresses.ts";
import { weightFile } from "./place.ts";
import type { GatewayPlace } from "./place.ts";
import { Pulse } from "./pulse.ts";
import { SignalWriter } from "./signal-writer.ts";
import { Uplink } from "./uplink.ts";

/** How often it is looked whether everybody is alive, ms. */
const TICK_MS = 250;
/** How often conntrackd is asked for its counts, in ticks. */
const COUNT_TICKS = 12;
/** A process that was away for so long knows nothing any more: its addresses may be gone, and others active. */
const AWAY_MS = 5000;
/** How long to wait before a daemon that ended is started again, ms; doubled each time up to the second one. */
const AGAIN_MS = [50, 5000] as const;
/** How long a daemon has to run for the waiting to begin anew, ms. */
const SETTLED_MS = 10_000;
/** How long a gateway that is stopped waits for another one to take its place, ms. */
const HANDOVER_MS = 1000;

/** What a runner works with. */
export interface RunnerOptions {
  setup: GatewaySetup;
  place: GatewayPlace;
  signals: string;
  /** Addresses of this host whose connections stay with it. */
  ownAddresses: readonly string[];
  /** What the kernel has room for (nf_conntrack_max). */
  mostConnections: number;
  /** Told what an operator may want to know. */
  say: (text: string) => void;
  /** Told what its daemons say, which may be many lines. */
  quote: (text: string) => void;
}

/** One section at work. */
export class GatewayRunner {
  readonly #options: RunnerOptions;
  readonly #socket: RouteSocket = openRouteSocket();
  readonly #addresses = new LentAddresses(this.#socket);
  readonly #keeper: Gatekeeper;
  readonly #signals: SignalWriter;
  readonly #uplink: Uplink;
  /** Changes of addresses, one after the other. */
  #doing: Promise<void> = Promise.resolve();
  #wake: NodeJS.Timeout | undefined;
  #wakeAt = Infinity;
  #keepalived: Daemon | undefined;
  #pulse: Pulse | undefined;
  #connections: Connections | undefined;
  #stopping = false;
  #ticked = -Infinity;
  /** How often the running conntrackd missed changes. */
  #overruns = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    const { setup } = options;
    this.#keeper = begin(setup, performance.now());
    this.#uplink = new Uplink(setup, (well) => this.#happen({ kind: "uplink", well }));
    this.#signals = new SignalWriter(options.signals, setup, this.#keeper, this.#uplink);
  }

  /** Whether its regular part has been done of late. */
  get isAwake(): boolean {
    return performance.now() - this.#ticked < AWAY_MS;
  }

  /** Works until the signal is aborted, then hands over and ends; `begun` is called in between. Throws HostError. */
  async run(signal: AbortSignal, begun: () => void): Promise<void> {
    const { setup, place, say } = this.#options;
    this.#writeFiles();
    for (const share of setup.shares) await this.#addresses.release(share.moving);
    place.beat();
    const pipe = await place.openPipe("notices");
    const deafen = hearNotices(pipe, (share, state) => this.#happen({ kind: "vrrp", share, state }));
    const watcher = watch(place.folder, () => this.#lookForDrain());
    this.#lookForDrain();
    const ticking = this.#tick(signal);
    this.#uplink.start();
    const synchronising = this.#keepConnections();
    const electing = this.#keepKeepalived();
    say(`${setup.section}: one of ${setup.peers.length + 1} gateways, preferred ${placeOf(setup)}`);
    begun();
    await ticking;
    await this.#handOver();
    watcher.close();
    deafen();
    await Promise.all([synchronising, electing]);
    await this.#signals.clear();
    this.#addresses.close();
    this.#socket.close();
  }

  /** Something happened: the machine says what is to be done. */
  #happen(input: Input): void {
    const now = performance.now();
    for (const output of step(this.#keeper, this.#options.setup, input, now)) this.#perform(output);
    if (input.kind === "vrrp") {
      const share = this.#keeper.shares[input.share];
      this.#options.say(`${input.share}: ${input.state}${share ? ` (${share.why})` : ""}`);
    }
    this.#plan();
  }

  #plan(): void {
    const at = nextWake(this.#keeper, this.#options.setup);
    if (at === this.#wakeAt && this.#wake) return;
    clearTimeout(this.#wake);
    this.#wakeAt = at;
    if (!Number.isFinite(at)) return;
    this.#wake = setTimeout(
      () => {
        this.#wake = undefined;
        this.#happen({ kind: "wake", lateMs: performance.now() - at });
      },
      Math.max(0, at - performance.now()),
    );
  }

  #perform(output: Output): void {
    const moving = "share" in output ? this.#movingOf(output.share) : [];
    switch (output.do) {
      case "hold":
        return this.#queue(() => this.#addresses.hold(moving));
      case "release":
        return this.#queue(() => this.#addresses.release(moving));
      case "announce":
        return this.#queue(async () => this.#addresses.announce(moving));
      case "weigh":
        return this.#options.place.weigh(output.share, output.weight);
      case "ask-connections":
        void this.#connections?.askForAll();
        return undefined;
      case "gather-connections":
        void this.#connections?.gather();
        return undefined;
      case "forget-connections":
        void this.#connections?.forget();
        return undefined;
      case "publish":
        return this.#signals.soon();
    }
  }

  #movingOf(name: string): GatewaySetup["shares"][number]["moving"] {
    return this.#options.setup.shares.find((share) => share.name === name)?.moving ?? [];
  }

  #queue(run: () => Promise<void>): void {
    this.#doing = this.#doing.then(run).catch((error: unknown) => {
      if (!(error instanceof HostError)) throw error;
      this.#options.say(`${this.#options.setup.section}: ${error.message}`);
    });
  }

  #writeFiles(): void {
    const { setup, place, ownAddresses, mostConnections } = this.#options;
    for (const { name } of setup.shares) place.weigh(name, this.#keeper.shares[name]?.weight ?? 0);
    const paths = {
      fifo: place.path("notices"),
      alive: place.path("alive"),
      beat: place.path("beat"),
      weight: (share: string) => place.path(weightFile(share)),
    };
    writeFileSync(place.path("keepalived.conf"), keepalivedFile([setup], paths), { mode: 0o600 });
    writeFileSync(
      place.path("conntrackd.conf"),
      conntrackdFile(setup, ownAddresses, mostConnections, this.#connectionPaths()),
      { mode: 0o600 },
    );
    checkFile(place.path("keepalived.conf"));
  }

  #connectionPaths(): { file: string; lock: string; control: string } {
    const { place } = this.#options;
    return {
      file: place.path("conntrackd.conf"),
      lock: place.path("conntrackd.lock"),
      control: place.path("conntrackd.socket"),
    };
  }

  /** The regular part of its life: to say that it lives, and to see whether the others do. */
  async #tick(signal: AbortSignal): Promise<void> {
    let due = performance.now();
    for (let tick = 0; !signal.aborted; tick++) {
      this.#ticked = performance.now();
      const late = this.#ticked - due;
      if (late > AWAY_MS) this.#comeBack(late);
      this.#options.place.beat();
      this.#lookForDrain();
      if (this.#keepalived && this.#pulse?.isStuck(this.#keeper, performance.now())) {
        this.#options.say("keepalived no longer moves; it is killed and started again");
        this.#keepalived.kill("SIGKILL");
      }
      if (tick % COUNT_TICKS === 0) void this.#count();
      if (tick % 4 === 0) this.#signals.soon();
      due = performance.now() + TICK_MS;
      await sleep(TICK_MS, undefined, { signal }).catch(() => {});
    }
  }

  #comeBack(lateMs: number): void {
    this.#options.say(`heddle did not run for ${Math.round(lateMs)} ms; it begins anew`);
    this.#keepalived?.kill("SIGKILL");
    this.#connections?.daemon.kill("SIGKILL");
  }

  async #count(): Promise<void> {
    const connections = this.#connections;
    if (!connections || this.#keeper.connections === "absent") return;
    const counts = await connections.counts();
    const overruns = counts && (await connections.overruns());
    // Meanwhile another one may have been started, which counts from 0.
    if (connections !== this.#connections) return;
    if (overruns !== undefined && overruns > this.#overruns) this.#happen({ kind: "missed" });
    this.#overruns = overruns ?? this.#overruns;
    if (counts) this.#signals.counts = counts;
    else if (!connections.daemon.isOver && !this.#stopping) {
      this.#options.say("conntrackd does not answer; it is killed and started again");
      connections.daemon.kill("SIGKILL");
    }
  }

  #lookForDrain(): void {
    this.#happen({ kind: "drain", drained: this.#stopping || this.#options.place.isDrained });
  }

  async #keepConnections(): Promise<void> {
    await this.#keep("conntrackd", async (hear) => {
      const connections = await Connections.start(this.#connectionPaths(), hear);
      this.#connections = connections;
      this.#overruns = 0;
      if (!connections.daemon.isOver) {
        this.#happen({ kind: "connections", state: "asking" });
        void this.#askForAll(connections);
      }
      const how = await connections.daemon.ended;
      this.#happen({ kind: "connections", state: "absent" });
      return how;
    });
  }

  async #askForAll(connections: Connections): Promise<void> {
    await connections.askForAll();
    if (!connections.daemon.isOver) this.#happen({ kind: "connections", state: "current" });
  }

  async #keepKeepalived(): Promise<void> {
    const { place } = this.#options;
    await this.#keep("keepalived", async (hear) => {
      const daemon = startKeepalived(place.path("keepalived.conf"), place.path("keepalived.pid"), hear);
      this.#keepalived = daemon;
      this.#pulse = new Pulse(daemon, this.#options.setup.intervalMs, performance.now());
      const how = await daemon.ended;
      this.#happen({ kind: "keepalived-gone", why: `keepalived ended: ${how}` });
      return how;
    });
  }

  /** Has a daemon run, again and again; `run` resolves with how it ended. */
  async #keep(name: string, run: (hear: (lines: readonly string[]) => void) => Promise<string>): Promise<void> {
    let pause: number = AGAIN_MS[0];
    while (!this.#stopping) {
      const began = performance.now();
      const how = await run((lines) => this.#options.quote(lines.map((line) => `${name}: ${line}`).join("\n")));
      if (this.#stopping) return;
      if (performance.now() - began > SETTLED_MS) pause = AGAIN_MS[0];
      this.#options.say(`${name} ended: ${how}`);
      await sleep(pause);
      pause = Math.min(pause * 2, AGAIN_MS[1]);
    }
  }

  /** Leaves the place to another gateway where there is one, and takes everything off the links. */
  async #handOver(): Promise<void> {
    this.#stopping = true;
    this.#lookForDrain();
    const active = (): boolean => Object.values(this.#keeper.shares).some(({ vrrp }) => vrrp === "active");
    for (let waited = 0; waited < HANDOVER_MS && active(); waited += 20) {
      this.#options.place.beat();
      await sleep(20);
    }
    this.#uplink.stop();
    // Its last word is that it no longer wants the place; what it does after that is of no use.
    this.#keepalived?.kill("SIGTERM");
    await sleep(100);
    this.#keepalived?.kill("SIGKILL");
    await this.#keepalived?.ended;
    for (const share of this.#options.setup.shares) this.#queue(() => this.#addresses.release(share.moving));
    this.#connections?.daemon.kill("SIGTERM");
    await Promise.race([this.#connections?.daemon.ended, sleep(1000)]);
    this.#connections?.daemon.kill("SIGKILL");
    clearTimeout(this.#wake);
    await this.#doing;
    clearTimeout(this.#wake);
  }
}

function placeOf({ shares }: GatewaySetup): string {
  return shares.map(({ name, priority }) => `${name} with priority ${priority}`).join(", ");
}
