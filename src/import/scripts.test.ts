// Owns the promise of importing files: whatever the text, the file that comes out passes `heddle check`.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseConfig } from "../config/config.ts";
import { ROLES } from "../roles/index.ts";
import { draftFromScripts } from "./scripts.ts";
import { writeDraft } from "./write.ts";

const WORDS = [
  "ip|rule|route|add|del|flush|from|10.0.0.1|to|default|via|dev|ib0|table|9|alinat|pref|-6|fd00::1",
  "if|then|else|fi|for|in|do|done|case|esac|while|function|{|}|(|)|;|&&|;;|#|$IFACE|${X}|$(x|`",
  "<<EOF|EOF|>|[|]|=|X=1|201 name|[Service]|ExecStart=-|iface ib0 inet static|up|fwmark|0x1/0xff",
  "nexthop|mtu|lock|1400|iptables|-t mangle|-A OUTPUT|--uid-owner|-j MARK --set-mark 1|#!/bin/sh",
  "constructor|__proto__|toString|null|~|- a: b|*x|&x|%",
].flatMap((line) => line.split("|"));

/** Pieces of scripts, so that random texts come near to real ones. */
const piece = fc.oneof(
  fc.constantFrom(...WORDS, "|", "||", "\n", "\\\n", '"', "'", "\u2028", "\u0085"),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const text = fc
  .array(fc.tuple(piece, fc.constantFrom(" ", " ", " ", "\n", "")), { maxLength: 80 })
  .map((parts) => parts.flat().join(""));

test("any text gives a file that passes the check", () => {
  const property = fc.property(text, (script) => {
    const yaml = writeDraft(draftFromScripts([{ file: "a.sh", text: script }], { alinat: 201 }));
    const { diagnostics } = parseConfig(yaml, "heddle.yaml", ROLES);
    expect(
      diagnostics.filter(({ code }) => code !== "no-roles"),
      yaml,
    ).toEqual([]);
  });
  fc.assert(property, { seed: 20231124, numRuns: 2000 });
  fc.assert(property, { numRuns: 2000 });
});

test("loops in loops come to an end, and what was not read is said", () => {
  for (const body of ["ip rule add from 10.0.0.1 table 9 pref $i", ":", "X=1"]) {
    const loops = "for i in 1 2 3 4 5 6 7 8 9 10; do ".repeat(12);
    const script = `${loops} ${body}; ${"done; ".repeat(12)}`;
    const { findings } = draftFromScripts([{ file: "a.sh", text: script }], {});
    expect(findings.at(-1)?.summary).toContain("loops that go on for too long");
  }
});
