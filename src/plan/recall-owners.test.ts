// Owns the proof that names that cannot be looked up for a while keep their last ids, and that nobody else is remembered.
import { expect, test } from "vitest";
import { noOwners } from "../model/owners.ts";
import { noKnownOwners, recallOwners } from "./recall-owners.ts";

const asked = { users: ["alice", "bob"], groups: ["atlas"], cgroups: [] };
const all = { users: { alice: 1, bob: 2 }, groups: { atlas: 3 }, cgroups: {} };

test("who is found is found, and remembered", () => {
  expect(recallOwners(asked, all, noKnownOwners())).toEqual({
    owners: all,
    remember: { users: all.users, groups: all.groups },
    diagnostics: [],
  });
});

test("who is not found keeps the last id, with a warning", () => {
  const { owners, diagnostics } = recallOwners(asked, { ...all, users: { bob: 7 } }, all);
  expect(owners.users).toEqual({ alice: 1, bob: 7 });
  expect(diagnostics.map(({ code, summary }) => [code, summary])).toEqual([
    ["recalled-owner", 'the user "alice" is not known at the moment; its last id 1 is used'],
  ]);
});

test("who was never known is not invented, and who is no longer asked for is forgotten", () => {
  const { owners, remember, diagnostics } = recallOwners(
    { users: ["carol"], groups: [], cgroups: [] },
    noOwners(),
    all,
  );
  expect([owners, remember, diagnostics]).toEqual([noOwners(), noKnownOwners(), []]);
});
