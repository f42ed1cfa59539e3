// Owns what tests of the spreading programs stand on: a namespace with links, a bpffs of its own, and the programs in it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestNamespace } from "../../../../test/namespace.ts";
import type { LinkFact } from "../../../model/facts.ts";
import type { SpreadSpec, TcProgramSpec } from "../../../model/spread-program.ts";
import type { Host } from "../../host.ts";
import { openHost } from "../../kernel.ts";
import type { Descriptor } from "../call.ts";
import { needCgroupRoot } from "../mounts.ts";
import { openProgram } from "../program.ts";
import { readSpreads, spreadPackets } from "../spread.ts";
import type { Spreader } from "../spread.ts";
import type { StoredSpread } from "../spread-maps.ts";
import { pinnedAttachments } from "../spread-pins.ts";
import type { LinkHook } from "../spread-pins.ts";

/** A spread over two links by mark, with what is given instead. */
export function spreadOf(instead: Partial<SpreadSpec> = {}): SpreadSpec {
  return {
    name: "opa",
    mechanism: "mark",
    by: "hash",
    to: ["10.0.2.0/24", "fd00:2::/64"],
    mask: 0x3000000,
    shift: 24,
    gapMs: 20,
    members: [
      { number: 1, link: "ib1", weight: 1 },
      { number: 2, link: "ib2", weight: 1 },
    ],
    ...instead,
  };
}

/** A namespace with ib0, ib1 and ib2, until it is disposed of. */
export class SpreadStand implements AsyncDisposable {
  readonly namespace = new TestNamespace();
  readonly folder = mkdtempSync(join(tmpdir(), "heddle-spread-"));
  readonly bpffs = join(this.folder, "bpffs");
  readonly host: Host = openHost(this.namespace.fd);
  readonly spreader: Spreader;
  readonly cgroup: string;

  private constructor(root: string, attach: "tcx" | "clsact") {
    this.cgroup = join(root, `heddle-test-${process.pid}-${this.folder.slice(-6)}`);
    mkdirSync(this.cgroup);
    mkdirSync(this.bpffs);
    execFileSync("mount", ["-t", "bpf", "-o", "mode=700", "bpf", this.bpffs]);
    this.spreader = spreadPackets({ namespace: this.namespace.fd, bpffs: this.bpffs, cgroup: this.cgroup, attach });
    this.namespace.addLink("ib0", ["10.0.1.1/24", "fd00:1::1/64"]);
    this.namespace.addLink("ib1", ["10.0.2.1/24", "fd00:2::1/64"]);
    this.namespace.addLink("ib2", ["10.0.2.2/24", "fd00:2::2/64"]);
  }

  static async make(attach: "tcx" | "clsact" = "tcx"): Promise<SpreadStand> {
    return new SpreadStand(await needCgroupRoot(), attach);
  }

  links(): Promise<LinkFact[]> {
    return this.host.links();
  }

  async write(
    spreads: SpreadSpec[],
    places: Partial<Pick<TcProgramSpec, "ingress" | "egress" | "frames">> = {},
  ): Promise<void> {
    const { ingress = ["ib0"], egress = [], frames = [] } = places;
    await this.spreader.write({ program: "spread", ingress, egress, frames, spreads }, await this.links());
  }

  async read(): Promise<TcProgramSpec | undefined> {
    return this.spreader.read(await this.links());
  }

  /** Folder of the pins. */
  get pins(): string {
    const found = execFileSync("find", [this.bpffs, "-type", "d", "-name", "spread"], { encoding: "utf8" });
    return found.trim();
  }

  /** The program that runs at the hook of some link; the caller disposes of it. */
  program(hook: LinkHook): Descriptor {
    const attached = pinnedAttachments(this.pins).find((one) => one.hook === hook);
    const program = attached && openProgram(attached.program);
    if (!program) throw new Error(`no program is attached at ${hook}`);
    return program;
  }

  /** The one spread as the maps hold it, with its number and who has which bucket. */
  stored(): StoredSpread & { number: number; placement: Uint8Array } {
    using opened = this.spreader.open();
    const [first] = readSpreads(opened?.maps ?? new Map(), () => undefined);
    if (!first) throw new Error("the maps hold no spread");
    const [number, stored] = first;
    const key = new Uint8Array(4);
    key[0] = number;
    const placement = opened?.maps.get("placements")?.lookup(key);
    if (!placement) throw new Error("the spread has no placement");
    return { ...stored, number, placement };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spreader.remove();
    this.host.close();
    this.namespace[Symbol.dispose]();
    execFileSync("umount", [this.bpffs]);
    rmSync(this.folder, { recursive: true });
    rmdirSync(this.cgroup);
  }
}
