// Proves nexthop objects against iproute2 and the kernel, both ways, as routes.net.test.ts does for routes.
import { afterEach, beforeEach, expect, it } from "vitest";
import { openRouteSocket, type RouteSocket } from "./client.ts";
import type { NexthopMessage } from "./nexthop.ts";
import { VERB, type Request } from "./requests.ts";
import { indexOf, testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";

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

const base = { scope: 0, protocol: 72, flags: 0 } as const;

/** Each as our message, as ip's command, and the scope that the kernel gives it. */
const OBJECTS: readonly { message: NexthopMessage; command: string; scope: number }[] = [
  {
    message: { ...base, id: 101, family: 4, oif: indexOf(0), gateway: "10.9.0.7" },
    command: "via 10.9.0.7 dev v0",
    scope: 253,
  },
  {
    message: { ...base, id: 102, family: 4, oif: indexOf(2), gateway: "192.0.2.1", onlink: true },
    command: "via 192.0.2.1 dev v2 onlink",
    scope: 253,
  },
  { message: { ...base, id: 103, family: 4, oif: indexOf(1) }, command: "dev v1", scope: 254 },
  {
    message: { ...base, id: 104, family: 6, oif: indexOf(0), gateway: "fe80::7" },
    command: "via fe80::7 dev v0",
    scope: 253,
  },
  { message: { ...base, id: 105, family: 4, blackhole: true }, command: "blackhole", scope: 0 },
  {
    message: { ...base, id: 4294967295, family: 6, oif: indexOf(1), gateway: "fd00:1::7" },
    command: "via fd00:1::7 dev v1",
    scope: 253,
  },
  {
    message: {
      ...base,
      id: 201,
      groupType: 0,
      members: [
        { id: 101, weight: 256 },
        { id: 102, weight: 1 },
      ],
    },
    command: "group 101,256/102",
    scope: 0,
  },
  {
    message: {
      ...base,
      id: 202,
      groupType: 1,
      members: [
        { id: 101, weight: 2 },
        { id: 104, weight: 1 },
      ],
      resilience: { buckets: 24, idleTimer: 1200, unbalancedTimer: 34500 },
    },
    command: "group 101,2/104 type resilient buckets 24 idle_timer 12 unbalanced_timer 345",
    scope: 0,
  },
];

const create = (message: NexthopMessage): Request => ({ object: "nexthop", type: "new", flags: VERB.create, message });
const remove = (message: NexthopMessage): Request => ({ object: "nexthop", type: "delete", flags: 0, message });
const failures = (results: readonly unknown[]): unknown[] => results.filter((result) => result !== undefined);

/** What a request says of an object, without what only answers say. */
function asked({ answerFlags: _flags, resilience, oif, ...rest }: NexthopMessage): NexthopMessage {
  const { unknown: _unknown, ...timers } = resilience ?? {};
  return {
    ...rest,
    ...(resilience ? { resilience: timers } : {}),
    ...(oif === undefined || rest.blackhole ? {} : { oif }),
  };
}

it("are the same by our hand and by ip's, to our eyes and to ip's", async () => {
  expect(failures(await us.perform(OBJECTS.map(({ message }) => create(message))))).toEqual([]);
  theirs.batch(OBJECTS.map(({ message, command }) => `nexthop add id ${message.id} ${command} proto 72`));
  const wanted = OBJECTS.map(({ message, scope }) => ({ ...message, scope })).toSorted((a, b) => a.id - b.id);
  for (const socket of [us, them]) {
    const own = (await socket.listNexthops()).filter(({ protocol }) => protocol === 72);
    expect(own.map(asked)).toEqual(wanted);
  }
  const shown = ours.json("nexthop");
  expect(shown.length).toBeGreaterThan(OBJECTS.length);
  expect(shown).toEqual(theirs.json("nexthop"));
  const gone = OBJECTS.toReversed().map(({ message }) => remove(message));
  expect(failures(await us.perform(gone))).toEqual([]);
  expect((await us.listNexthops()).filter(({ protocol }) => protocol === 72)).toEqual([]);
});

it("have weights above 256 on a kernel that knows them, and are refused by one that does not", async () => {
  const wide: NexthopMessage = {
    ...base,
    id: 300,
    groupType: 0,
    members: [
      { id: 10, weight: 65535 },
      { id: 11, weight: 257 },
    ],
  };
  const [refused] = await us.perform([create(wide)]);
  if (refused !== undefined) {
    expect(refused.kernelMessage).not.toContain("weight");
    return expect(refused.code).toBe("EINVAL");
  }
  expect((await us.listNexthops()).find(({ id }) => id === 300)?.members).toEqual(wide.members);
});
