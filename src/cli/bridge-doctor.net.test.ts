// Proves that the doctor finds what is wrong about a running bridge: with the real OpenSM, a port with one lane, groups that
// hosts have made otherwise, a manager that ends, and a key that is another's.
import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "../doctor/finding.ts";
import { until } from "../rdma/fabric/until.ts";
import { GROUP } from "../rdma/hosts/hosts.ts";
import type { InfinibandHost } from "../rdma/hosts/hosts.ts";
import type { BridgeProcess } from "../rdma/run/testing/bridge-process.ts";
import { bytesOf, Stand } from "../rdma/run/testing/stand.ts";

/** Group and MGID, as the file has them. */
const FAST = ["239.42.0.1", "ff12:4001:ffff::f2a:1"] as const;
const OTHER_KEY = ["239.42.0.2", "ff12:4001:ffff::f2a:2"] as const;
const PLAIN = "239.42.0.3";
/** "Exactly" and "10 Gbit/s", four lanes; a port with one has 2.5 (IBA vol 1, 15.2.5.17). */
const FOUR_LANES = { ...GROUP, rateSelector: 2, rate: 3, mtuSelector: 2, mtu: 4 };
const ONE_LANE = { ...FOUR_LANES, rate: 2 };

/** OpenSM's is 1. */
const WRONG_KEY = "0x5a1ad5a1ad5a1ad5";

let stand: Stand;
let bridge: BridgeProcess;
let ib: InfinibandHost;

beforeAll(async () => {
  stand = await Stand.build(9, 3, [2]);
  ib = await stand.infinibandHost("H3");
  await ib.join(bytesOf(FAST[1]), 1, FOUR_LANES);
  await ib.join(bytesOf(OTHER_KEY[1]), 1, { ...ONE_LANE, qKey: 7 });
  const groups = [FAST[0], OTHER_KEY[0], PLAIN].map((group) => `{ group: ${group} }`);
  bridge = stand.bridgeProcess("db1", "H2", `[${groups.join(", ")}]`, WRONG_KEY);
  bridge.start();
  await bridge.active();
  return () => stand[Symbol.asyncDispose]();
});

/** What a command says on standard output, whatever it ends with. */
function out(...words: string[]): string {
  const [program, ...rest] = bridge.words(...words) as [string, ...string[]];
  return spawnSync(program, rest, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 27 })
    .stdout;
}

/** What the doctor finds about bridges. */
function findings(): Finding[] {
  const { findings: all } = JSON.parse(out("--json", "doctor")) as { findings: Finding[] };
  return all.filter(({ code }) => code.startsWith("bridge-"));
}

async function finds(code: string): Promise<Finding> {
  let found: Finding | undefined;
  await until(`${code} is found`, () => (found = findings().find((one) => one.code === code)) !== undefined);
  return found as Finding;
}

describe("the doctor finds", () => {
  test("a group that is faster than the port, which OpenSM does not let in", async () => {
    expect(await finds("bridge-group-rate")).toMatchObject({
      severity: "error",
      summary: `${FAST[0]} on InfiniBand has a larger rate than the port of bridge/fabrics`,
      found: ["the group's rate is 10 Gbit/s, the port's 2.5 Gbit/s"],
    });
  });

  test("a group with another Q_Key", async () => {
    expect(await finds("bridge-group-differs")).toMatchObject({
      severity: "warning",
      found: [`${OTHER_KEY[0]}: Q_Key is 0x7, wanted is 0x1234567`],
    });
  });

  test("nothing about the group that is as it should be", () => {
    expect(JSON.stringify(findings())).not.toContain(PLAIN);
  });

  test("a key that is not OpenSM's, which is in nothing that is told", async () => {
    expect((await finds("bridge-members-untold")).found[0]).toContain("did not answer");
    expect(out("bridge")).toContain("members are not told: the subnet administrator does not answer to the key");
    const told = [
      ["--json", "bridge"],
      ["bridge", "--all"],
      ["--json", "facts"],
      ["--json", "report"],
      ["--json", "doctor"],
    ];
    for (const words of told) {
      const said = out(...words);
      expect(said, words.join(" ")).not.toBe("");
      for (const key of [WRONG_KEY.slice(2), String(BigInt(WRONG_KEY))]) expect(said.includes(key)).toBe(false);
    }
  });

  test("a manager that has ended, though the port keeps its LID", async () => {
    expect(findings().map(({ code }) => code)).not.toContain("bridge-no-manager");
    await stand.fabric.stopManager();
    expect((await finds("bridge-no-manager")).found[0]).toMatch(/^no answer from LID \d+ for \d+ s$/);
  });
});
