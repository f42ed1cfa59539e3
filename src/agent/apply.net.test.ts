// Owns the proof of plan and apply on the real kernel.
import { expect, test } from "vitest";
import { checkApplyProperty } from "../../test/apply-property.ts";
import { checkNftProperty } from "../../test/nft-property.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { openHost } from "../host/kernel.ts";

const open = async () => {
  const namespace = new TestNamespace();
  const host = openHost(namespace.fd);
  return {
    host,
    addLink: (name: string, addresses: readonly string[]) => namespace.addLink(name, addresses),
    setUp: (name: string, up: boolean) => void namespace.ip(`link set ${name} ${up ? "up" : "down"}`),
    async [Symbol.asyncDispose]() {
      host.close();
      namespace[Symbol.dispose]();
    },
  };
};

test("applying twice, changing, failing and removing keep their promises", { timeout: 120_000 }, async () => {
  await checkApplyProperty(open, 15);
  expect.hasAssertions();
});

test("nft tables that come, drift, are refused and go keep them too", { timeout: 120_000 }, async () => {
  await checkNftProperty(open, 12);
  expect.hasAssertions();
});
