// Owns what is said of things that a format has no words for.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Desired } from "../model/objects.ts";
import { describeObject } from "../plan/kinds/index.ts";
import { linkOfSysctl } from "../plan/kinds/sysctl.ts";
import type { ExportFormat } from "./exported.ts";

/** How people write the name of the one that reads the format. */
export const READER: Record<ExportFormat, string> = {
  iproute2: "iproute2",
  networkd: "systemd-networkd",
  netplan: "netplan",
  networkmanager: "NetworkManager",
  ifupdown: "ifupdown",
};

/** What a format says of an object: undefined where it can say it, otherwise why it cannot, as a full sentence. */
export type Lacks = (object: Desired) => string | undefined;

/** A diagnostic for each object that the format cannot say. */
export function refuseUnsayable(format: ExportFormat, objects: readonly Desired[], lacks: Lacks): Diagnostic[] {
  return objects.flatMap((object) => {
    const why = lacks(object);
    return why === undefined ? [] : [refuse(format, object, why)];
  });
}

function refuse(format: ExportFormat, object: Desired, why: string): Diagnostic {
  const [range] = object.from;
  return {
    code: "not-exportable",
    severity: "error",
    summary: `${READER[format]} cannot have this: ${describeObject(object)}`,
    detail: `${object.owners.join(", ")} asks for it. ${why}`,
    remedy: format === "iproute2" ? "Let heddle make it." : "Export --as iproute2, or let heddle make it.",
    ...(range === undefined ? {} : { range }),
  };
}

/** What no export can say, whatever the format. */
export function lacksAnywhere(object: Desired): string | undefined {
  if (object.kind === "cgroupProgram") return "No other manager marks sockets by who makes them.";
  if (object.kind === "tcProgram") return "No other manager spreads packets over links.";
  if (object.kind === "nftTable") return "Tables of nftables are not exported: they have to be swapped as a whole.";
  if (object.kind === "rule" && object.spec.dscp !== undefined) {
    return "Most releases of its readers have no word for `dscp` in a rule.";
  }
  if (object.kind === "rule" && (object.spec.tunnelId !== undefined || object.spec.l3mdev)) {
    return "Rules for tunnels and VRFs are not exported.";
  }
  return undefined;
}

/**
 * Names of links that mean something else in shell scripts, glob patterns or specifiers of unit files. The kernel takes
 * nearly anything, and no host that is alive has such names.
 */
export function oddLinkNames(format: ExportFormat, objects: readonly Desired[]): Diagnostic[] {
  const said = new Set<string>();
  return objects.flatMap((object) => {
    const [odd] = linksNamedBy(object).filter((link) => !/^[A-Za-z0-9_.@-]+$/.test(link) && !said.has(link));
    if (odd === undefined) return [];
    said.add(odd);
    return [refuse(format, object, `The link's name "${odd}" has characters that mean something else there.`)];
  });
}

function linksNamedBy(object: Desired): string[] {
  const names: (string | undefined)[] = [];
  if (object.kind === "route") names.push(...object.spec.hops.map((hop) => hop.link));
  if (object.kind === "rule") names.push(object.spec.iif, object.spec.oif);
  if (object.kind === "address" || object.kind === "neighbour" || object.kind === "nexthop")
    names.push(object.spec.link);
  if (object.kind === "sysctl") names.push(linkOfSysctl(object.spec.path));
  return names.filter((name) => name !== undefined);
}

/** What is said of objects that no link can be found for, in formats that keep everything with a link. */
export function homelessObjects(format: ExportFormat, homeless: readonly Desired[]): Diagnostic[] {
  return homeless.map((object) =>
    refuse(format, object, `${READER[format]} keeps everything with a link, and nothing in the file names one.`),
  );
}
