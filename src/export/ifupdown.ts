// Owns the format `ifupdown`: hooks that ifup and ifdown run for each link, and stanzas for links that have none.
//
// Hooks rather than `up` lines: Debian's /etc/network/interfaces reads interfaces.d first, so that lines of a stanza there
// would run before the site's own stanza has put the address on the link. The hooks run behind each stanza.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Family } from "../model/ip.ts";
import type { Desired } from "../model/objects.ts";
import { header, ownersOf, routingObjects, SYSCTL_FILE } from "./common.ts";
import type { ExportedFile, ExportInput } from "./exported.ts";
import { assignHomes, linksOf } from "./home.ts";
import { dropLine, makeLine, SHELL_DROP, SHELL_FUNCTIONS, SHELL_SETTLE } from "./shell.ts";

/** What is done when a link's stanza of one family comes up or goes down. */
interface Arm {
  link: string;
  family: Family;
  /** As the hook's `case` sees it: "ib0 inet6". */
  label: string;
  up: string[];
  down: string[];
}

/** The stanzas and hooks. */
export function exportIfupdown(input: ExportInput): { files: ExportedFile[]; diagnostics: Diagnostic[] } {
  const objects = routingObjects(input);
  const hasSwitches = input.want.objects.some(({ kind }) => kind === "sysctl");
  const arms = armsOf(objects);
  const opening = `#!/bin/sh\n${header("ifupdown", input.origin)}# For ${ownersOf(objects) || "nothing"}. `;
  const files = stanzas(input, arms);
  if (arms.length > 0) {
    files.push({
      path: "/etc/network/if-up.d/heddle",
      mode: 0o755,
      text: `${opening}ifup runs it behind each stanza of a link.\n${upHook(arms, hasSwitches)}`,
    });
    files.push({
      path: "/etc/network/if-down.d/heddle",
      mode: 0o755,
      text: `${opening}ifdown runs it before each stanza of a link.\n${downHook(arms)}`,
    });
  }
  return { files, diagnostics: [] };
}

function armsOf(objects: readonly Desired[]): Arm[] {
  const { byLink } = assignHomes(objects);
  const links = new Set([...byLink.keys(), ...objects.flatMap((object) => linksOf(object, objects))]);
  return [...links].flatMap((link) =>
    ([4, 6] as const).flatMap((family): Arm[] => {
      const ofFamily = (object: Desired): boolean => familyOfObject(object, objects) === family;
      const own = (byLink.get(link) ?? []).filter((object) => ofFamily(object) && linksOf(object, objects).length <= 1);
      // What goes by several links can be made when the last of them is up, so each tries. The kernel takes it away.
      const shared = objects.filter((object) => {
        const several = linksOf(object, objects);
        return several.length > 1 && several.includes(link) && ofFamily(object);
      });
      const addresses = own.filter(({ kind }) => kind === "address");
      const rules = own.filter(({ kind }) => kind === "rule");
      const others = own.filter(({ kind }) => kind !== "address" && kind !== "rule");
      const up = [
        ...addresses.flatMap(makeLine),
        ...(family === 6 && addresses.length > 0 ? [`settle ${link}`] : []),
        ...others.flatMap(makeLine),
        ...shared.flatMap(makeLine).map((line) => line.replace(/^make /, "later ")),
        ...rules.flatMap(makeLine),
      ];
      const down = own.toReversed().flatMap(dropLine);
      return up.length === 0 ? [] : [{ link, family, label: `${link} ${inet(family)}`, up, down }];
    }),
  );
}

const LATER = String.raw`
# What goes by several links is tried when each of them comes up; before the last one it is too early.
later() {
  ip "$@" 2>/dev/null || printf 'heddle: not yet: ip %s\n' "$*" >&2
}
`;

const LOAD_SWITCHES = `
# Switches of a link that has just appeared.
[ ! -e ${SYSCTL_FILE} ] || sysctl -q -e -p ${SYSCTL_FILE} || failed=1
`;

function upHook(arms: readonly Arm[], hasSwitches: boolean): string {
  const cases = arms.map(({ label, up }) => [label, up] as const);
  const load = hasSwitches ? LOAD_SWITCHES : "";
  const settling = arms.some(({ up }) => up.some((line) => line.startsWith("settle ")));
  return `${beginning(arms)}\n${SHELL_FUNCTIONS}${LATER}${settling ? SHELL_SETTLE : ""}${load}\n${caseOf(cases)}exit "$failed"\n`;
}

function downHook(arms: readonly Arm[]): string {
  const cases = arms.flatMap(({ label, down }) => (down.length > 0 ? [[label, down] as const] : []));
  return `${beginning(arms)}\n${SHELL_DROP}\n${caseOf(cases)}`;
}

/** Whom the hook concerns; for everybody else it is over. */
function beginning(arms: readonly Arm[]): string {
  return `set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

case "\${IFACE:-} \${ADDRFAM:-}" in
${arms.map(({ label }) => `"${label}"`).join(" | ")}) ;;
*) exit 0 ;;
esac
`;
}

function caseOf(cases: readonly (readonly [string, readonly string[]])[]): string {
  const arms = cases.map(([label, lines]) => `"${label}")\n${lines.map((line) => `  ${line}\n`).join("")}  ;;\n`);
  return `case "$IFACE $ADDRFAM" in\n${arms.join("")}esac\n`;
}

/** Which of a link's stanzas an object comes with; a group comes with the first of its members. */
function familyOfObject(object: Desired, all: readonly Desired[]): Family {
  if (object.kind === "nexthop" && object.spec.members !== undefined) {
    const [first] = object.spec.members;
    const member = all.find((other) => other.kind === "nexthop" && other.spec.id === first?.id);
    return member?.kind === "nexthop" ? (member.spec.family ?? 4) : 4;
  }
  return "family" in object.spec && object.spec.family === 6 ? 6 : 4;
}

/** Stanzas for what the site has none for, so that ifup knows the link and runs the hook. */
function stanzas({ site, origin }: ExportInput, arms: readonly Arm[]): ExportedFile[] {
  const missing = arms.filter(({ link, family }) => !site.ifupdown[link]?.includes(family));
  if (missing.length === 0) return [];
  const links = [...new Set(missing.map(({ link }) => link))];
  const text = links.map((link) => {
    const ofLink = missing.filter((arm) => arm.link === link);
    const lines = ofLink.map(
      ({ family }) => `iface ${link} ${inet(family)} manual\n    pre-up ip link set dev $IFACE up\n`,
    );
    return `\nauto ${link}\n${lines.join("")}`;
  });
  const path = "/etc/network/interfaces.d/heddle";
  return [{ path, mode: 0o644, text: `${header("ifupdown", origin)}${text.join("")}` }];
}

function inet(family: Family): "inet" | "inet6" {
  return family === 4 ? "inet" : "inet6";
}
