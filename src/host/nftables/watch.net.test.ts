// Owns the proof that every transaction of nftables is heard of, once, whatever is in it.
import { expect, test } from "vitest";
import { until } from "../../../test/contract-steps.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import { watchTables } from "./watch.ts";

test("a transaction is one word, a flush as well, and silence after the end", async () => {
  using namespace = new TestNamespace();
  let heard = 0;
  const stop = watchTables(namespace.fd, () => heard++);
  const rules = Array.from({ length: 100 }, () => "add rule ip a b counter").join("; ");
  namespace.run("nft", `add table ip a; add chain ip a b; ${rules}`);
  await until(async () => heard === 1);
  namespace.run("nft", "flush ruleset");
  await until(async () => heard === 2);
  stop?.();
  const again: number[] = [];
  const stopAgain = watchTables(namespace.fd, () => again.push(1));
  namespace.run("nft", "add table ip a");
  await until(async () => again.length === 1);
  stopAgain?.();
  expect(heard).toBe(2);
});
