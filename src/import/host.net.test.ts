// Owns the proof of importing a host on the real kernel.
import { expect, test } from "vitest";
import { checkImportProperty } from "../../test/import-property.ts";
import { TestNamespace } from "../../test/namespace.ts";
import { openHost } from "../host/kernel.ts";

test("importing a host and applying it changes nothing but whose things are", { timeout: 120_000 }, async () => {
  await checkImportProperty(async () => {
    const namespace = new TestNamespace();
    const host = openHost(namespace.fd);
    return {
      host,
      addLink: (name, addresses) => namespace.addLink(name, addresses),
      setUp: (name, up) => void namespace.ip(`link set ${name} ${up ? "up" : "down"}`),
      async [Symbol.asyncDispose]() {
        host.close();
        namespace[Symbol.dispose]();
      },
    };
  }, 25);
  expect.hasAssertions();
});
