// Owns the proof of importing a host on the model of one.
import { expect, test } from "vitest";
import { checkImportProperty } from "../../test/import-property.ts";
import { FakeHost } from "../host/fake/fake-host.ts";

test("importing a host and applying it changes nothing but whose things are", async () => {
  await checkImportProperty(async () => {
    const host = new FakeHost();
    return {
      host,
      addLink: (name, addresses) => host.addLink(name, addresses),
      setUp: (name, up) => host.setUp(name, up),
      [Symbol.asyncDispose]: async () => host.close(),
    };
  }, 200);
  expect.hasAssertions();
});
