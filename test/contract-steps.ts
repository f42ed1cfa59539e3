// Owns what the parts of the host contract share: the stage that it is played on, and steps.
import type { Host } from "../src/host/host.ts";
import type { Kind, Specs } from "../src/model/kinds.ts";
import type { Desired, Observed } from "../src/model/objects.ts";
import type { Step } from "../src/model/plan.ts";
import { rulesOf } from "../src/plan/kinds/index.ts";

/** A host that a test can change from outside. */
export interface Stage extends AsyncDisposable {
  host: Host;
  addLink: (name: string, addresses: readonly string[]) => void;
  setUp: (name: string, up: boolean) => void;
  /** Gives the far end of a link up, and back. The kernel says so to everybody some time later. */
  setCarrier: (name: string, carrier: boolean) => void;
  /** Adds an address as somebody else would. */
  addAddress: (link: string, address: string) => void;
  /** Makes the host learn a neighbour by itself. */
  learn: (link: string, address: string) => void;
}

/** RTPROT_STATIC: what other programs make. */
export const OTHERS = 4;

function object<K extends Kind>(kind: K, spec: Specs[K]): Desired {
  const normal = rulesOf(kind).normalize(spec);
  return { kind, spec: normal, key: rulesOf(kind).identify(normal), needs: [], owners: [], from: [] } as Desired;
}

/** A step that makes an object. */
export function create<K extends Kind>(kind: K, spec: Specs[K]): Step {
  return { action: "create", after: object(kind, spec), why: "new" };
}

/** A step that takes an object away. */
export function remove<K extends Kind>(kind: K, spec: Specs[K]): Step {
  return { action: "delete", before: object(kind, spec) as Observed, why: "unwanted" };
}

/** A step that puts an object in another's place. */
export function replace<K extends Kind>(kind: K, before: Specs[K], after: Specs[K]): Step {
  return { action: "replace", before: object(kind, before) as Observed, after: object(kind, after), why: "changed" };
}

/** A step that makes another's object heddle's, or the other way round. */
export function adopt<K extends Kind>(kind: K, before: Specs[K], after: Specs[K]): Step {
  return { action: "adopt", before: object(kind, before) as Observed, after: object(kind, after), why: "asked" };
}

/** The result of each step: the name of its errno, or undefined when it was done. */
export async function perform(host: Host, kind: Kind, ...steps: Step[]): Promise<(string | undefined)[]> {
  const results = await host.drivers[kind].perform(steps, await host.links());
  return results.map((result) => result.error?.code);
}

/** The specs of all objects of a kind, in the host's order. */
export async function listed<K extends Kind>(host: Host, kind: K): Promise<Specs[K][]> {
  const all = await host.drivers[kind].list(await host.links(), { sysctls: [] });
  // Each object's spec is of its kind, which TypeScript cannot follow through the union.
  return all.map((one) => one.spec as Specs[K]);
}

/** Waits until the condition holds, for what the kernel does in its own time. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 25_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("what was waited for did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Two links up: ib0 with an address of either family, ib1 with one in the same IPv4 subnet. */
export async function withStage(open: () => Promise<Stage>, run: (stage: Stage) => Promise<void>): Promise<void> {
  await using stage = await open();
  stage.addLink("ib0", ["172.16.34.1/16", "fd00:16::1/64"]);
  stage.addLink("ib1", ["172.16.34.2/16"]);
  await run(stage);
}
