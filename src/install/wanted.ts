// Owns what an installation consists of, given what the host has.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { ManagerName } from "../model/manager.ts";
import { MANAGER_NAMES } from "../model/manager.ts";
import { hookOf } from "./hooks.ts";
import type { Placement } from "../model/placement.ts";
import { agentUnit, bootUnit, bridgeUnit, gatewayUnit, limitsDropIn, networkdDropIn, routingTarget } from "./units.ts";
import type { UnitChoices } from "./units.ts";

/** What is known of the host that an installation is for. */
export interface InstallSite {
  /** By link: the manager that has it; absent where nobody says so. */
  managerOf: Readonly<Record<string, ManagerName | undefined>>;
  /** The managers whose programs are there. */
  present: readonly ManagerName[];
  /** networkd runs no hooks; networkd-dispatcher does that in its place. */
  dispatcher: boolean;
}

/** What the operator asks for. */
export interface InstallChoices extends UnitChoices {
  /** No agent: a unit at boot, and hooks of the network managers. */
  oneShot: boolean;
  /** The process of a gateway that stands in for others, too. */
  gateway: boolean;
  /** The process that bridges, too. */
  bridge: boolean;
}

const UNITS = "/etc/systemd/system";

/** Everything that is to stand there, in the order in which it is placed, and what is to be said of it. */
export function wantInstallation(
  choices: InstallChoices,
  site: InstallSite,
): { wanted: Placement[]; diagnostics: Diagnostic[] } {
  const wanted: Placement[] = [];
  const diagnostics: Diagnostic[] = [];
  if (site.present.includes("networkd")) {
    wanted.push({ path: "/etc/systemd/networkd.conf.d/50-heddle.conf", mode: 0o644, text: networkdDropIn() });
  }
  if (choices.oneShot) {
    for (const manager of hookedManagers(site)) {
      const { path, text } = hookOf(manager, choices.program);
      wanted.push({ path, mode: 0o755, text });
      if (manager === "networkd" && !site.dispatcher) diagnostics.push(noDispatcher(site));
    }
    const unmanaged = Object.keys(site.managerOf).filter((link) => site.managerOf[link] === undefined);
    if (unmanaged.length > 0) diagnostics.push(nobodyTells(unmanaged));
  }
  const units: [string, string][] = [
    ["heddle-boot.service", bootUnit(choices)],
    ["heddle-routing.target", routingTarget()],
    ...(choices.oneShot ? [] : [["heddle-agent.service", agentUnit(choices)] satisfies [string, string]]),
    ...(choices.gateway ? [["heddle-gateway.service", gatewayUnit(choices)] satisfies [string, string]] : []),
    ...(choices.bridge ? [["heddle-bridge.service", bridgeUnit(choices)] satisfies [string, string]] : []),
  ];
  for (const [name, text] of units) wanted.push({ path: `${UNITS}/${name}`, mode: 0o644, text });
  const limits = choices.oneShot ? undefined : limitsDropIn(choices);
  if (limits !== undefined) {
    wanted.push({ path: `${UNITS}/heddle-agent.service.d/50-limits.conf`, mode: 0o644, text: limits });
  }
  // What `systemctl enable` makes of WantedBy=, which an image has no systemd for.
  for (const [name] of units)
    wanted.push({ path: `${UNITS}/multi-user.target.wants/${name}`, link: `${UNITS}/${name}` });
  return { wanted, diagnostics };
}

/** Those that have a link; where nothing tells of links, as in an image, all that are there. */
function hookedManagers({ managerOf, present }: InstallSite): ManagerName[] {
  const having = new Set(Object.values(managerOf));
  return present.filter((manager) => Object.keys(managerOf).length === 0 || having.has(manager));
}

function noDispatcher({ managerOf }: InstallSite): Diagnostic {
  const links = Object.keys(managerOf).filter((link) => managerOf[link] === "networkd");
  return {
    code: "no-dispatcher",
    severity: "warning",
    summary: `nothing tells heddle when ${links.join(", ") || "a link of systemd-networkd"} comes up`,
    detail: "systemd-networkd runs no hooks by itself, and networkd-dispatcher, which does so, is not installed.",
    remedy: "Install networkd-dispatcher, or run the agent (heddle install without --one-shot).",
  };
}

function nobodyTells(links: readonly string[]): Diagnostic {
  return {
    code: "no-manager",
    severity: "warning",
    summary: `nothing tells heddle when ${links.join(", ")} comes up`,
    detail: `None of ${Object.values(MANAGER_NAMES).join(", ")} has the link, so it is looked at when the host boots.`,
    remedy: "Run `heddle apply --boot` where the link is brought up, or run the agent.",
  };
}
