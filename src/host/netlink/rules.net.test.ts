// Proves rules against iproute2 and the kernel, both ways, as routes.net.test.ts does for routes.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRouteSocket, type RouteSocket } from "./client.ts";
import { VERB, type Request } from "./requests.ts";
import type { RuleMessage } from "./rule.ts";
import { kernelRules, TARGET } from "./testing/kernel-rules.ts";
import { holdsAsync } from "./testing/seeds.ts";
import { testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";

let ours: TestNamespace;
let theirs: TestNamespace;
let us: RouteSocket;
let them: RouteSocket;

beforeEach(() => {
  ours = testNamespace(THREE_LINKS);
  theirs = testNamespace(THREE_LINKS);
  us = openRouteSocket({ namespace: ours.fd });
  them = openRouteSocket({ namespace: theirs.fd });
});

afterEach(() => {
  us.close();
  them.close();
  ours.close();
  theirs.close();
});

const create = (message: RuleMessage): Request => ({ object: "rule", type: "new", flags: VERB.create, message });
const remove = (message: RuleMessage): Request => ({ object: "rule", type: "delete", flags: 0, message });
const failures = (results: readonly unknown[]) => results.filter((result) => result !== undefined);
const ofTest = (rules: readonly RuleMessage[]) =>
  rules.filter(({ priority = 0 }) => priority >= 1000 && priority < 30_000).map(withoutFullMasks);

/** Kernels from 6.15 list a single port, and from 6.16 a DSCP, with a mask of all ones that nobody asked for. */
function withoutFullMasks(rule: RuleMessage): RuleMessage {
  const { sourcePortMask, destinationPortMask, dscpMask, ...rest } = rule;
  return {
    ...rest,
    ...(sourcePortMask !== undefined && sourcePortMask !== 0xffff && { sourcePortMask }),
    ...(destinationPortMask !== undefined && destinationPortMask !== 0xffff && { destinationPortMask }),
    ...(dscpMask !== undefined && dscpMask !== 0x3f && { dscpMask }),
  };
}

describe.each([4 as const, 6 as const])("random IPv%i rules", (family) => {
  it("are the same by our hand and by ip's, to our eyes and to ip's", async () => {
    for (const namespace of [ours, theirs]) namespace.batch([`rule add pref ${TARGET} table 9`], family);
    await holdsAsync(
      fc.asyncProperty(kernelRules(family, 150), async (rules) => {
        expect(failures(await us.perform(rules.map(({ message }) => create(message))))).toEqual([]);
        theirs.batch(
          rules.map(({ command }) => command),
          family,
        );
        const wanted = rules.map(({ listed }) => listed);
        expect(ofTest(await us.listRules({ family }))).toEqual(wanted);
        expect(ofTest(await them.listRules({ family }))).toEqual(wanted);
        const shown = ours.json(`-${family} rule show`);
        expect(shown.length).toBeGreaterThan(rules.length);
        expect(shown).toEqual(theirs.json(`-${family} rule show`));
        for (const socket of [us, them]) {
          const listed = ofTest(await socket.listRules({ family }));
          expect(failures(await socket.perform(listed.map((rule) => remove({ ...rule, flags: 0 }))))).toEqual([]);
          expect(ofTest(await socket.listRules({ family }))).toEqual([]);
        }
      }),
      3,
    );
  });
});

describe("selectors that ip 6.1 does not know", () => {
  const base = { priority: 1000, action: "table", table: 100, flags: 0, protocol: 72 } as const;
  const mine: RuleMessage[] = [
    { family: 4, ...base, dscp: 46, dscpMask: 0x3f },
    { family: 4, ...base, dscp: 8, dscpMask: 0x38 },
    { family: 4, ...base, sourcePorts: { first: 80, last: 80 }, sourcePortMask: 0xff0 },
    { family: 4, ...base, destinationPorts: { first: 53, last: 53 }, destinationPortMask: 0xffff },
    { family: 6, ...base, flowLabel: 0x12345, flowLabelMask: 0xfffff },
  ];

  it.each(mine)("%j comes back from a kernel that knows it", async (rule) => {
    const [refused] = await us.perform([create(rule)]);
    // Kernels before 6.13 to 6.16 refuse them, and say which one.
    if (refused !== undefined) {
      expect(refused.code).toMatch(/^E(INVAL|OPNOTSUPP)$/);
      return;
    }
    expect(ofTest(await us.listRules({ family: rule.family }))).toEqual([withoutFullMasks(rule)]);
    expect(failures(await us.perform([remove(rule)]))).toEqual([]);
  });
});

describe("verbs", () => {
  it("create refuses a rule that is there, and one that is not there cannot be deleted", async () => {
    const rule: RuleMessage = { family: 4, priority: 1000, action: "table", table: 100, flags: 0, protocol: 72 };
    const results = await us.perform([create(rule), create(rule), remove(rule), remove(rule)]);
    expect(results.map((result) => result?.code)).toEqual([undefined, "EEXIST", undefined, "ENOENT"]);
  });
});
