// Owns the proof of plan and apply on the model of a host.
import { expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { FakeHost } from "../host/fake/fake-host.ts";

const open = async () => {
  const host = new FakeHost();
  return {
    host,
    addLink: (name: string, addresses: readonly string[]) => host.addLink(name, addresses),
    setUp: (name: string, up: boolean) => host.setUp(name, up),
    setCarrier: (name: string, carrier: boolean) => host.setCarrier(name, carrier),
    addAddress: (link: string, address: string) => host.addAddress(link, address),
    // A model of stated entries has no place for what is learned.
    learn: () => {},
    [Symbol.asyncDispose]: async () => host.close(),
  };
};

test("applying twice, changing, failing and removing keep their promises", { timeout: 120_000 }, async () => {
  await checkApplyProperty(open, 150);
  expect.hasAssertions();
});
