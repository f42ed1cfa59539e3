// Owns the proof that names become ids as the system's name service has them.
import { expect, test } from "vitest";
import { ownersLookUp, parseEntries } from "./owners.ts";

test("users and groups of this machine are found; those that nobody knows are left out", async () => {
  const names = { users: ["root", "no-such-user-here"], groups: ["daemon"], cgroups: [] };
  const { users, groups } = await ownersLookUp()(names);
  expect(users).toEqual({ root: 0 });
  expect(groups).toEqual({ daemon: 1 });
});

test("a name that is asked for among many strangers is found", async () => {
  const strangers = Array.from({ length: 3 }, (_, i) => `no-such-user-${i}`);
  const { users } = await ownersLookUp()({ users: [...strangers, "daemon", "root"], groups: [], cgroups: [] });
  expect(users).toEqual({ daemon: 1, root: 0 });
});

test("a line counts only for a name that was asked for, and the first of several counts", () => {
  const text = "alice:x:5001:600::/:\nalice:x:7:7::/:\nbob:x:5002:600::/:\nnonsense\ncarol:x:notanumber:1::\n";
  expect(parseEntries(text, ["alice", "carol"])).toEqual({ alice: 5001 });
});

test("names of directories are names, ids go up to the last that can be anybody's", () => {
  const text = "SITE\\alice:*:3000000000:1::/:\nbob@site.example:*:4294967294:1::/:\nhost$:*:4294967295:1::/:\n";
  const asked = ["SITE\\alice", "bob@site.example", "host$"];
  expect(parseEntries(text, asked)).toEqual({ "SITE\\alice": 3000000000, "bob@site.example": 4294967294 });
});
