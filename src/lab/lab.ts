// Owns a lab that stands: hosts as network namespaces, and what can be done with them.
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { namespacesOf, placeLinks, type PlacedLink } from "./batches.ts";
import { buildLab } from "./build.ts";
import { Capture, type CaptureOptions } from "./capture.ts";
import { CEILING_MS, killGroup, must, run, type Ended } from "./child.ts";
import { confinesPrefix, planConfines } from "./confines.ts";
import { enterNamespace, hostEnvironment } from "./environment.ts";
import { LabError } from "./lab-error.ts";
import { changeLink } from "./link-state.ts";
import { hostNamespace, namespacePath, switchNamespace } from "./names.ts";
import { Served, type ServeOptions } from "./served.ts";
import type { LinkState } from "./step-schema.ts";
import { createState, labFolder, readState, type LabRecord } from "./state.ts";
import { takeDown } from "./take-down.ts";
import type { Topology } from "./topology.ts";
import { assertOtherUsers, becomeUserPrefix, hasUsers } from "./users.ts";

export interface UpOptions {
  /** Instance name, so that several labs stand side by side; the default is the topology's name. */
  name?: string;
  /** Aborts the building, and later every command of this lab. */
  signal?: AbortSignal;
  /** The lab ends with this process: should that be killed, the next lab of the name takes its place. */
  transient?: boolean;
}

export interface ExecOptions {
  /** A user of the host (`users:` in the topology); root otherwise. */
  as?: string;
  /** A control group below that of the host, which must have users. */
  cgroup?: string;
  input?: string;
  /** Ceiling in milliseconds; the default is 30 s. LabError when it is reached. */
  timeoutMs?: number;
  /** Added to the host's environment (environment.ts). */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * Builds a lab. LabError when the machine refuses something; then nothing of it is left. It stands until `down`, also
 * after this process has ended.
 */
export async function upLab(topology: Topology, options: UpOptions = {}): Promise<Lab> {
  const name = options.name ?? topology.name;
  const { transient = false } = options;
  const stale = await readState(name);
  if (stale?.transient === true && !existsSync(`/proc/${stale.pid}`)) await takeDown(name);
  const draft = { name, topology: topology.file, namespaces: namespacesOf(topology, name), transient };
  const anybody = Object.values(topology.hosts).some(hasUsers);
  const record = await createState(draft, async (id) => (anybody ? planConfines(id) : undefined));
  try {
    await buildLab(topology, record, options.signal);
    return new Lab(topology, record, options.signal);
  } catch (error) {
    await takeDown(name);
    throw error;
  }
}

/** A lab that stands. `await using` takes it down at the end of the block. */
export class Lab implements AsyncDisposable {
  readonly name: string;
  readonly topology: Topology;
  /** Every link, in the topology's order, with its port on the switch and its hardware address. */
  readonly links: readonly PlacedLink[];
  readonly #record: LabRecord;
  readonly #signal: AbortSignal | undefined;
  readonly #running = new Set<ChildProcess>();
  #sourcePort = 20_000;

  constructor(topology: Topology, record: LabRecord, signal?: AbortSignal) {
    this.name = record.name;
    this.topology = topology;
    this.links = placeLinks(topology);
    this.#record = record;
    this.#signal = signal;
  }

  /** Folder of this lab's files. */
  get folder(): string {
    return labFolder(this.name);
  }

  get hosts(): string[] {
    return Object.keys(this.topology.hosts);
  }

  /** Path of a host's network namespace. */
  netns(host: string): string {
    this.#assertHost(host);
    return namespacePath(hostNamespace(this.name, host));
  }

  /** Path of the namespace that holds the bridges and the ports. */
  get switchNetns(): string {
    return namespacePath(switchNamespace(this.name));
  }

  /** A link with what is known of it. LabError when the host has no such link. */
  link(host: string, name: string): PlacedLink {
    this.#assertHost(host);
    const found = this.links.find((link) => link.host === host && link.name === name);
    if (!found) throw new LabError(`host ${host} has no link ${name}`);
    return found;
  }

  /** Name of the switch's end of a link. */
  port(host: string, link: string): string {
    return this.link(host, link).port;
  }

  /** Path of the host's heddle.yaml; LabError when the topology has none for it. */
  configOf(host: string): string {
    this.#assertHost(host);
    const config = this.topology.configs[host];
    if (!config) throw new LabError(`host ${host} has no config`);
    return "path" in config ? config.path : join(this.folder, "hosts", `${host}.yaml`);
  }

  /** Runs a program in a host to its end. An exit code other than 0 is a result; LabError when it takes too long. */
  async exec(host: string, argv: readonly string[], options: ExecOptions = {}): Promise<Ended> {
    const signal = this.#signals(options.signal);
    return run(await this.#inHost(host, argv, options), {
      timeoutMs: options.timeoutMs ?? CEILING_MS,
      env: { ...hostEnvironment(this.#record, this.folder, host, options.as), ...options.env },
      ...(options.input !== undefined && { input: options.input }),
      ...(signal && { signal }),
      track: (child) => this.#track(child),
    });
  }

  /** Starts a server in a host and waits until it is ready. It ends with the lab, or with this process. */
  async spawn(host: string, argv: readonly string[], options: ServeOptions = {}): Promise<Served> {
    const env = { ...hostEnvironment(this.#record, this.folder, host, options.as), ...options.env };
    const signal = this.#signals(options.signal);
    const words = await this.#inHost(host, argv, options);
    return Served.start(this.netns(host), argv, words, env, options, signal, (child) => this.#track(child));
  }

  /** Records the frames at links' ports on the switch, from now on. `capture.stop()` gives them. */
  async capture(links: readonly { host: string; link: string }[], options: CaptureOptions = {}): Promise<Capture> {
    const ports = links.map(({ host, link }) => this.link(host, link));
    return Capture.start(this.switchNetns, ports, this.#environment(), options, (child) => this.#track(child));
  }

  /** Changes a link and waits until both ends show it (unless `wait` is false). See link-state.ts for the states. */
  async setLink(host: string, name: string, state: LinkState, options: { wait?: boolean } = {}): Promise<void> {
    await changeLink(this, this.link(host, name), state, options.wait ?? true, this.#internal());
  }

  /** Empties the neighbour tables of a host, or of all. */
  async flushNeighbours(host?: string): Promise<void> {
    const flush = (each: string, family: "-4" | "-6"): Promise<string> =>
      must(["ip", family, "-n", hostNamespace(this.name, each), "neighbour", "flush", "all"], this.#internal());
    await Promise.all(
      (host === undefined ? this.hosts : [host]).flatMap((each) => [flush(each, "-4"), flush(each, "-6")]),
    );
  }

  /** A number that this lab has not given before, for source ports and echo identifiers: 20000–29999, then again. */
  nextNumber(): number {
    const number = this.#sourcePort;
    this.#sourcePort = number >= 29_999 ? 20_000 : number + 1;
    return number;
  }

  /** Ends the lab's processes and removes its namespaces and files. Twice is as good as once. */
  async down(): Promise<void> {
    for (const child of this.#running) if (child.pid !== undefined) killGroup(child.pid);
    await takeDown(this.name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  async #inHost(host: string, argv: readonly string[], { as, cgroup }: ExecOptions): Promise<string[]> {
    const enter = enterNamespace(this.netns(host));
    const place = this.topology.hosts[host];
    if (place && hasUsers(place)) enter.push(...confinesPrefix(this.#record, host, cgroup));
    if (as === undefined) return [...enter, ...argv];
    const become = becomeUserPrefix(this.topology, host, as);
    await assertOtherUsers(this.topology.hosts[host]?.users?.[as]?.uid ?? 0);
    return [...enter, ...become, ...argv];
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, HEDDLE_LAB: this.#record.id };
  }

  #internal(): { env: NodeJS.ProcessEnv; signal?: AbortSignal } {
    return { env: this.#environment(), ...(this.#signal && { signal: this.#signal }) };
  }

  #signals(own: AbortSignal | undefined): AbortSignal | undefined {
    if (own && this.#signal) return AbortSignal.any([own, this.#signal]);
    return own ?? this.#signal;
  }

  #track(child: ChildProcess): void {
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
  }

  #assertHost(host: string): void {
    if (!Object.hasOwn(this.topology.hosts, host)) throw new LabError(`the lab has no host ${host}`);
  }
}
