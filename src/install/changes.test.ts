// Owns the proof that an installation knows what is its own: what it replaces, keeps, refuses and takes away.
import { describe, expect, test } from "vitest";
import type { Placement, Standing } from "../model/placement.ts";
import { compareInstallation, compareRemoval, rememberPlacement } from "./changes.ts";

const digest = (text: string): string => `digest of ${text}`;
const unit: Placement = { path: "/a.service", mode: 0o644, text: "new" };
const link: Placement = { path: "/wants/a.service", link: "/a.service" };
const nothing = { placed: [], directories: [] };
const file = (text: string, mode = 0o644): Standing => ({ text, mode });
const host = (there: Record<string, Standing>) => (path: string) => there[path];

/** The changes as words, and the codes of what is said. */
function compare(there: Record<string, Standing>, before: readonly Placement[], force = false): string[] {
  const record = { placed: before.map((placement) => rememberPlacement(placement, digest)), directories: [] };
  const { changes, settled, diagnostics } = compareInstallation([unit, link], record, host(there), digest, force);
  return [
    ...changes.map((one) => `${one.action} ${one.action === "delete" ? one.path : one.placement.path}`),
    ...settled.map((path) => `settled ${path}`),
    ...diagnostics.map(({ code, severity }) => `${severity} ${code}`),
  ];
}

describe("an installation", () => {
  const earlier: Placement = { ...unit, text: "old" };
  const asLink: Standing = { link: "/a.service" };

  test("places what is missing, and leaves alone what is right", () => {
    expect(compare({}, [])).toEqual(["create /a.service", "create /wants/a.service"]);
    expect(compare({ "/a.service": file("new"), "/wants/a.service": asLink }, [])).toEqual([
      "settled /a.service",
      "settled /wants/a.service",
    ]);
  });

  test("replaces its own, also when only the mode is another", () => {
    expect(compare({ "/a.service": file("old"), "/wants/a.service": asLink }, [earlier])).toContain(
      "replace /a.service",
    );
    expect(compare({ "/a.service": file("new", 0o600) }, [unit])).toContain("replace /a.service");
  });

  test("refuses what is somebody else's, or was edited, unless it is forced", () => {
    expect(compare({ "/a.service": file("theirs") }, [])).toContain("error file-exists");
    expect(compare({ "/a.service": file("edited") }, [earlier])).toContain("error file-edited");
    expect(compare({ "/a.service": "other" }, [earlier])).toContain("error file-edited");
    expect(compare({ "/wants/a.service": { link: "/dev/null" } }, [])).toContain("error file-exists");
    expect(compare({ "/a.service": file("edited") }, [earlier], true)).toContain("replace /a.service");
  });

  test("takes away what it no longer has, but not what was edited", () => {
    const hook: Placement = { path: "/hook", mode: 0o755, text: "hook" };
    expect(compare({ "/hook": file("hook", 0o755) }, [hook])).toContain("delete /hook");
    expect(compare({ "/hook": file("edited") }, [hook])).toContain("warning file-kept");
    expect(compare({}, [hook])).not.toContain("delete /hook");
  });
});

test("a removal takes the last first, keeps what was edited and says so, and has nothing to do twice", () => {
  const record = { placed: [unit, link].map((one) => rememberPlacement(one, digest)), directories: [] };
  const all = host({ "/a.service": file("new"), "/wants/a.service": { link: "/a.service" } });
  expect(compareRemoval(record, all, digest).changes).toEqual([
    { action: "delete", path: "/wants/a.service" },
    { action: "delete", path: "/a.service" },
  ]);
  const edited = compareRemoval(record, host({ "/a.service": file("edited") }), digest);
  expect(edited.changes).toEqual([]);
  expect(edited.diagnostics.map(({ code }) => code)).toEqual(["file-kept"]);
  expect(compareRemoval(nothing, all, digest)).toEqual({ changes: [], settled: [], diagnostics: [] });
});
