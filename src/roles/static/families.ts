// Owns the question which IP versions a rule or route is for: what its addresses say, or what the file says.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";

/** The families meant; undefined, with a diagnostic, where nothing tells or two things contradict each other. */
export function familiesOf(
  stated: "ipv4" | "ipv6" | "both" | undefined,
  addresses: readonly (string | undefined)[],
  range: SourceRange,
  diagnostics: Diagnostic[],
): Family[] | undefined {
  const found = new Set(addresses.filter((text) => text !== undefined).map(familyOf));
  const wanted: Family[] | undefined = stated && (stated === "both" ? [4, 6] : [stated === "ipv4" ? 4 : 6]);
  const [only] = found;
  if (found.size > 1 || (only !== undefined && wanted && (wanted.length > 1 || wanted[0] !== only))) {
    diagnostics.push({
      code: "mixed-families",
      severity: "error",
      summary: "IPv4 and IPv6 are mixed",
      detail: `Its addresses are ${[...found].map((family) => `IPv${family}`).join(" and ")}${stated ? `, and it says family: ${stated}` : ""}.`,
      remedy: "Write one entry for each IP version.",
      range,
    });
    return undefined;
  }
  if (only !== undefined) return [only];
  if (wanted) return wanted;
  diagnostics.push({
    code: "family-unknown",
    severity: "error",
    summary: "nothing tells whether this is for IPv4 or IPv6",
    remedy: "Add family: ipv4, family: ipv6 or family: both.",
    range,
  });
  return undefined;
}
