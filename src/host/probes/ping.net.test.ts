// Owns the proof that a target that answers is found to answer, whatever has become of the link meanwhile.
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/contract-steps.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import { startPing } from "./ping.ts";

// Pings run where this process is, which other tests share: names and addresses are of this file alone.
const LINK = "ping-near";
const FAR = "ping-far";

let namespace: TestNamespace;
let stop: () => void = () => {};
beforeEach(() => {
  namespace = new TestNamespace();
});
afterEach(() => {
  stop();
  ip("link", "del", LINK);
  namespace[Symbol.dispose]();
});

function ip(...words: string[]): void {
  execFileSync("ip", words);
}

/** A link with the target behind it. */
function addLink(): void {
  ip("link", "add", "name", LINK, "type", "veth", "peer", "name", FAR);
  ip("link", "set", FAR, "netns", `/proc/${process.pid}/fd/${namespace.fd}`);
  ip("address", "add", "10.251.7.1/24", "dev", LINK);
  ip("link", "set", LINK, "up");
  namespace.ip(`address add 10.251.7.2/24 dev ${FAR}`);
  namespace.ip(`link set ${FAR} up`);
}

test("a target behind a link that is made anew is asked over again", async () => {
  addLink();
  let [answers, lacks] = [0, 0];
  stop = startPing({ target: "10.251.7.2", from: LINK, intervalMs: 50 }, (answered) => {
    if (answered) answers++;
    else lacks++;
  });
  await until(async () => answers > 2);
  ip("link", "del", LINK);
  await until(async () => lacks > 0);
  addLink();
  const earlier = answers;
  await until(async () => answers > earlier);
  expect(lacks).toBeGreaterThan(0);
});
