import { describe, expect, test } from "vitest";
import { diagnosticText } from "./diagnostic-text.ts";
import { missed, quoteOutput } from "./expect.ts";
import { settled, type ShownLink } from "./link-state.ts";
import { mustRead, smallText } from "./testing/small-lab.ts";
import { becomeUserPrefix, userFiles } from "./users.ts";

const ended = { code: 0, signal: null, stdout: "one\ntwo\n", stderr: "" };

describe("expectations", () => {
  test("that are met miss nothing", () => {
    expect(missed(undefined, ended)).toEqual([]);
    expect(
      missed({ stdout: { equals: "one\ntwo", contains: "two", lacks: "three", matches: "^two$" } }, ended),
    ).toEqual([]);
    expect(missed({ exit: 3 }, { ...ended, code: 3 })).toEqual([]);
    expect(missed({ exit: "failure" }, { ...ended, code: 7 })).toEqual([]);
  });

  test("that are missed say what there is", () => {
    expect(missed(undefined, { ...ended, code: 2 })).toEqual(["its exit code is 2, not 0"]);
    expect(missed(undefined, { ...ended, code: null, signal: "SIGSEGV" })).toEqual(["it was ended by SIGSEGV, not 0"]);
    expect(missed({ exit: "failure" }, ended)).toEqual(["its exit code is 0, but it was expected to fail"]);
    expect(
      missed({ stdout: { equals: "x", contains: "y", lacks: "one", matches: "^z" }, stderr: { contains: "w" } }, ended),
    ).toEqual([
      'stdout is not "x"',
      'stdout does not contain "y"',
      'stdout contains "one"',
      "stdout does not match /^z/",
      'stderr does not contain "w"',
    ]);
  });

  test("long output is cut", () => {
    expect(quoteOutput({ ...ended, stdout: "x\n".repeat(20), stderr: "e" }, 2)).toEqual([
      "stdout: x",
      "stdout: x",
      "stdout: … 18 more lines",
      "stderr: e",
    ]);
  });
});

test("a link has settled when both ends show it", () => {
  const link = (flags: string[], operstate: string, port?: string): ShownLink => ({ flags, operstate, port });
  const up = [link(["UP"], "UP"), link(["UP"], "UP", "forwarding")] as const;
  expect(settled("up", ...up)).toBe(true);
  expect(settled("carrier-back", up[0], link(["UP"], "UP", "disabled"))).toBe(false);
  expect(settled("carrier-lost", up[0], link([], "DOWN", "disabled"))).toBe(false);
  expect(settled("carrier-lost", link(["UP"], "LOWERLAYERDOWN"), link([], "DOWN", "disabled"))).toBe(true);
  expect(settled("removed", undefined, up[1])).toBe(false);
  expect(settled("removed", undefined, undefined)).toBe(true);
  expect(settled("replugged", link([], "DOWN"), up[1])).toBe(true);
});

test("users have the groups that the topology says, and one of their own without a primary one", () => {
  const text = smallText("small", "groups: { atlas: 6001, alice: 6002 }\n").replace(
    "  a:\n",
    "  a:\n    users: { ann: { uid: 5001, groups: [atlas, alice] }, bob: { uid: 5002, group: alice } }\n",
  );
  const topology = mustRead(text);
  expect(userFiles(topology, "a")).toEqual({
    passwd: "ann:x:5001:5001:ann:/:/bin/sh\nbob:x:5002:6002:bob:/:/bin/sh\n",
    group: "atlas:x:6001:ann\nalice:x:6002:ann\nann:x:5001:\n",
  });
  expect(userFiles(topology, "b")).toBeUndefined();
  expect(becomeUserPrefix(topology, "a", "bob").slice(0, 4)).toEqual([
    "setpriv",
    "--reuid=5002",
    "--regid=6002",
    "--init-groups",
  ]);
  expect(() => becomeUserPrefix(topology, "b", "bob")).toThrow("host b has no user bob");
});

test("a diagnostic shows its line and a caret", () => {
  const range = { file: "t.yaml", start: { line: 2, column: 3 }, end: { line: 2, column: 4 } };
  const text = diagnosticText([{ code: "x", severity: "error", summary: "wrong", remedy: "Mend it.", range }], {
    file: "t.yaml",
    text: "a:\n  b: 1\n",
  });
  expect(text).toBe("error: wrong\n  t.yaml:2:3\n  2 |   b: 1\n    |   ^\n  Mend it.");
});
