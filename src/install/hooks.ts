// Owns the hooks by which network managers tell heddle, on hosts without the agent, that a link has come up.
import type { ManagerName } from "../model/manager.ts";

/** What a hook is, for each manager: where, when it has nothing to do, and which program has to be there to run it. */
const HOOKS: Readonly<Record<ManagerName, { path: string; guard: string }>> = {
  networkd: { path: "/etc/networkd-dispatcher/routable.d/50-heddle", guard: "" },
  networkmanager: {
    path: "/etc/NetworkManager/dispatcher.d/50-heddle",
    guard: 'case "${2:-}" in\nup | dhcp4-change | dhcp6-change | reapply) ;;\n*) exit 0 ;;\nesac\n\n',
  },
  // Not the name that an export's hook has.
  ifupdown: {
    path: "/etc/network/if-up.d/heddle-apply",
    guard: 'case "${IFACE:-}" in\n"" | lo | --all) exit 0 ;;\nesac\n\n',
  },
};

/** Where the manager's hook is, and what is in it. */
export function hookOf(manager: ManagerName, program: string): { path: string; text: string } {
  const { path, guard } = HOOKS[manager];
  return { path, text: `${HEADER}${guard}${body(program)}` };
}

const HEADER = `#!/bin/sh
# Made by heddle: \`heddle install --one-shot\`. A link has come up: what went with it, or waited for it, is made now.
`;

function body(program: string): string {
  const word = `'${program.replaceAll("'", String.raw`'\''`)}'`;
  return `tries=0
while :; do
  ${word} apply --boot >/dev/null
  code=$?
  # 4: another heddle is at work, and may have looked before this link was up.
  [ "$code" -eq 4 ] && [ "$tries" -lt 30 ] || break
  tries=$((tries + 1))
  sleep 1
done
# 3: something waits for another link. Whatever heddle says, the link is up: its manager is not to be told otherwise.
case $code in
0 | 3) ;;
*) echo "heddle: apply --boot ended with $code" >&2 ;;
esac
exit 0
`;
}
