// Owns the proof of plan and apply on the model of a host.
import { expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { checkNftProperty } from "../../test/nft-property.ts";
import { FakeHost } from "../host/fake/fake-host.ts";

const open = async () => {
  const host = new FakeHost();
  return {
    host,
    addLink: (name: string, addresses: readonly string[]) => host.addLink(name, addresses),
    setUp: (name: string, up: boolean) => host.setUp(name, up),
    [Symbol.asyncDispose]: async () => host.close(),
  };
};

test("applying twice, changing, failing and removing keep their promises", async () => {
  await checkApplyProperty(open, 300);
  expect.hasAssertions();
});

test("nft tables that come, drift, are refused and go keep them too", async () => {
  await checkNftProperty(open, 300);
  expect.hasAssertions();
});
