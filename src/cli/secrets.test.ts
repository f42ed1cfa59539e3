// Owns the proof that secrets stay on the host.
import { expect, test } from "vitest";
import { LEFT_OUT, withoutSecrets } from "./secrets.ts";

test("what is secret by its key is left out, however deep it stands, and nothing else is", () => {
  const value = {
    gateway: { alinat: { inside: "ib0", failover: { id: 51, auth: { type: "pass", value: "swordfish" } } } },
    list: [{ Password: "swordfish", keys: 2, monkey: "keep" }, "text"],
    api_key: "swordfish",
    privateKey: ["swordfish"],
    nothing: null,
  };
  const told = withoutSecrets(value);
  expect(JSON.stringify(told)).not.toContain("swordfish");
  expect(told).toEqual({
    gateway: { alinat: { inside: "ib0", failover: { id: 51, auth: LEFT_OUT } } },
    list: [{ Password: LEFT_OUT, keys: 2, monkey: "keep" }, "text"],
    api_key: LEFT_OUT,
    privateKey: LEFT_OUT,
    nothing: null,
  });
});
