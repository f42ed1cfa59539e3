// Owns the proof of which values may go into units.
import { expect, test } from "vitest";
import { isCpuList, isMemorySize } from "./unit-values.ts";

test.each(["0", "0,1", "0-3,8", "0 1"])("%s lists CPUs", (text) => expect(isCpuList(text)).toBe(true));
test.each(["", "a", "3-1", "0,,1", "0\n1", "-1", "99999", "0;1"])("%j lists no CPUs", (text) =>
  expect(isCpuList(text)).toBe(false),
);
test.each(["64M", "1G", "67108864", "48M"])("%s is enough", (text) => expect(isMemorySize(text)).toBe(true));
test.each(["", "47M", "64", "64MB", "64m", "-64M", "64M\nX=1", "infinity"])("%j is no size, or too little", (text) =>
  expect(isMemorySize(text)).toBe(false),
);
