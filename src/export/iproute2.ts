// Owns the format `iproute2`: one script that makes the routing and takes it away again.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Desired } from "../model/objects.ts";
import { familyOf } from "../model/ip.ts";
import { header, ownersOf, routingObjects, SYSCTL_FILE } from "./common.ts";
import type { ExportedFile, ExportInput } from "./exported.ts";
import { dropLine, makeLine, shellWord, SHELL_DROP, SHELL_FUNCTIONS, SHELL_SETTLE } from "./shell.ts";

/** The script. It may be run any number of times, and by any POSIX shell. */
export function exportIproute2(input: ExportInput): { files: ExportedFile[]; diagnostics: Diagnostic[] } {
  const objects = routingObjects(input);
  const settling = linksToSettle(objects);
  const addresses = objects.filter(({ kind }) => kind === "address");
  const others = objects.filter(({ kind }) => kind !== "address");
  const hasSwitches = input.want.objects.some(({ kind }) => kind === "sysctl");
  const start = [
    ...(hasSwitches ? [`[ ! -e ${SYSCTL_FILE} ] || sysctl -q -e -p ${SYSCTL_FILE} || failed=1`] : []),
    ...addresses.flatMap(makeLine),
    ...settling.map((link) => `settle ${shellWord(link)}`),
    ...others.flatMap(makeLine),
  ];
  const stop = objects.toReversed().flatMap(dropLine);
  const text = `#!/bin/sh
${header("iproute2", input.origin)}# For ${ownersOf(objects) || "nothing"}. Usage: heddle-routes [start|stop]; it may be run again at any time.
# Exit codes: 0 all is made, 1 something was refused (ip says what), 64 the usage is wrong.
# Switches of the kernel (sysctl) keep their values after \`stop\`.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

${SHELL_FUNCTIONS}
${SHELL_DROP}${settling.length > 0 ? SHELL_SETTLE : ""}
start() {
${body(start)}
}

stop() {
${body(stop)}
}

case \${1:-start} in
start) start ;;
stop) stop ;;
*)
  echo "usage: $0 [start|stop]" >&2
  exit 64
  ;;
esac
exit "$failed"
`;
  return { files: [{ path: "/usr/local/sbin/heddle-routes", mode: 0o755, text }], diagnostics: [] };
}

/** Links whose IPv6 addresses are named as sources, or put there by the script itself. */
function linksToSettle(objects: readonly Desired[]): string[] {
  const links = objects.flatMap((object) => {
    if (object.kind === "address" && object.spec.family === 6) return [object.spec.link];
    if (object.kind !== "route" || object.spec.source === undefined || familyOf(object.spec.source) !== 6) return [];
    return object.spec.hops.flatMap((hop) => hop.link ?? []);
  });
  return [...new Set(links)];
}

function body(lines: readonly string[]): string {
  return (lines.length > 0 ? lines : [":"]).map((text) => `  ${text}`).join("\n");
}
