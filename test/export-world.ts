// Owns the two hosts of an export's test: one that heddle made, and one that another manager is to make alike.
import { join } from "node:path";
import { expect } from "vitest";
import { openHost } from "../src/host/kernel.ts";
import type { Observed } from "../src/model/objects.ts";
import { KERNEL_PROTOCOL } from "../src/model/protocol.ts";
import { describeObject } from "../src/plan/kinds/index.ts";
import { until } from "./contract-steps.ts";
import { ManagerStage } from "./manager-stage.ts";
import type { Ended } from "./manager-stage.ts";
import { TestNamespace } from "./namespace.ts";

const program = join(import.meta.dirname, "../bin/heddle");

/** What a kernel has, but for whose it is and for what it makes by itself; a line an object, sorted. */
export async function objectsOf(namespace: TestNamespace): Promise<string[]> {
  const host = openHost(namespace.fd);
  try {
    const links = await host.links();
    const scope = { sysctls: [] };
    const { address, neighbour, nexthop, route, rule } = host.drivers;
    const all: Observed[] = [
      ...(await address.list(links, scope)),
      ...(await neighbour.list(links, scope)),
      ...(await nexthop.list(links, scope)),
      ...(await route.list(links, scope)),
      ...(await rule.list(links, scope)),
    ];
    const kept = all.filter(({ spec }) => !("protocol" in spec && spec.protocol === KERNEL_PROTOCOL));
    return kept
      .map(describeObject)
      .filter((line) => !/fe80::|ff00::|127\.0\.0\.1|::1\/128/.test(line))
      .toSorted();
  } finally {
    host.close();
  }
}

/** The values of switches, by their paths below /proc/sys. */
export function switchesOf(namespace: TestNamespace, paths: readonly string[]): string[] {
  return paths.map((path) => `${path} = ${namespace.run("cat", `/proc/sys/${path}`).trim()}`);
}

/** A host whose links are there, some with addresses already, with a stage for a manager. */
export class ExportWorld implements AsyncDisposable {
  readonly namespace: TestNamespace;
  readonly stage: ManagerStage;

  private constructor(namespace: TestNamespace, stage: ManagerStage) {
    this.namespace = namespace;
    this.stage = stage;
  }

  /** `files`: what the site has in /etc, by absolute path, besides the file for heddle. */
  static async open(
    heddleYaml: string,
    links: Readonly<Record<string, readonly string[]>>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<ExportWorld> {
    const namespace = new TestNamespace();
    for (const [name, addresses] of Object.entries(links)) namespace.addLink(name, addresses);
    const stage = await ManagerStage.open(namespace, { ...files, "/etc/heddle/heddle.yaml": heddleYaml });
    return new ExportWorld(namespace, stage);
  }

  /** Runs the built program on the stage. */
  heddle(...words: string[]): Ended {
    return this.stage.run(program, ...words);
  }

  /** Exports, and gives the directory below which the files are. */
  exportAs(format: string): string {
    const directory = join(this.stage.place, "exported");
    const { code, out, err } = this.heddle("export", "--as", format, "-o", directory);
    if (code !== 0) throw new Error(`heddle export ended with ${code}: ${err}${out}`);
    return directory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    this.namespace[Symbol.dispose]();
  }
}

/** The host as heddle makes it from the file: its objects, and its switches at the paths. */
export async function madeByHeddle(
  heddleYaml: string,
  links: Readonly<Record<string, readonly string[]>>,
  switches: readonly string[],
): Promise<{ objects: string[]; switches: string[] }> {
  await using world = await ExportWorld.open(heddleYaml, links);
  const { code, out, err } = world.heddle("apply");
  if (code !== 0) throw new Error(`heddle apply ended with ${code}: ${err}${out}`);
  return { objects: await objectsOf(world.namespace), switches: switchesOf(world.namespace, switches) };
}

/** Waits until the host has exactly those objects; `said` is what the manager has said, for the one who reads a failure. */
export async function settlesAs(
  world: ExportWorld,
  objects: readonly string[],
  said = (): string => "",
): Promise<void> {
  const wanted = objects.join("\n");
  try {
    await until(async () => (await objectsOf(world.namespace)).join("\n") === wanted);
  } catch {
    // The difference says more than that there is one.
    expect(await objectsOf(world.namespace), said().slice(-6000)).toEqual(objects);
  }
}
