// Owns the question whether a plan cuts a way that the host, or whoever works on it, needs.
import type { NetworkMount } from "../host/network-mounts.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { defaultPrefix, networkOf, parseAddress, prefixContains } from "../model/ip.ts";
import { TABLE } from "../model/kinds.ts";
import type { PictureHop } from "../model/picture.ts";
import type { Snapshot } from "../model/objects.ts";
import type { Step } from "../model/plan.ts";
import { describeStep } from "../plan/kinds/index.ts";
import type { Packet } from "../explain/packet.ts";
import { afterSteps } from "../explain/planned.ts";
import type { Routing } from "../explain/routing.ts";
import { sayLast } from "../explain/say.ts";
import { routingOf } from "../explain/snapshot.ts";
import { lastWay } from "../explain/verdict.ts";
import type { Verdict, Way } from "../explain/verdict.ts";
import { wayOf } from "../explain/way.ts";
import type { Look } from "./look.ts";

/** A way that must stay, and what hangs on it, to stand in a sentence. */
interface Lifeline {
  what: string;
  packet: Packet;
}

const TCP = 6;
/** Ports of the servers of network file systems, where rules ask for ports. */
const PORTS: Readonly<Record<string, number>> = { nfs: 2049, nfs4: 2049, lustre: 988, cifs: 445, smb3: 445 };

/**
 * What speaks against a plan: ways that are there before it and not after it, or that lead elsewhere. Where the change
 * is undone unless somebody confirms it (`guarded`), a way may lead elsewhere: whether it works, the confirmation tells.
 */
export function objectToCuts(
  look: Pick<Look, "snapshot" | "plan">,
  { ssh, mounts, guarded }: { ssh?: string | undefined; mounts: readonly NetworkMount[]; guarded: boolean },
): Diagnostic[] {
  const { snapshot, plan } = look;
  if (plan.steps.length === 0) return [];
  const before = routingOf(snapshot);
  const after = afterSteps(before, plan.steps);
  const lifelines = [...ofSsh(ssh), ...ofMounts(mounts), ...ofGateways(snapshot)];
  return lifelines.flatMap(({ what, packet }) => {
    const was = wayOf(before, packet);
    if (!leads(was)) return [];
    const now = wayOf(after, packet);
    if (leads(now) && (guarded || isSameWay(was, now, after))) return [];
    return [objection(what, was, now, causeOf(before, plan.steps, packet))];
  });
}

/** Whether it leads to another host. */
function leads(way: Way): boolean {
  const { is } = lastWay(way).verdict;
  return is === "sent" || is === "assumed";
}

/** SSH_CONNECTION of ssh(1): the client's address and port, and the server's. */
function ofSsh(connection: string | undefined): Lifeline[] {
  const [to = "", destinationPort, from = "", sourcePort] = (connection ?? "").split(" ");
  if (!parseAddress(to)) return [];
  const ports = { uid: 0, destinationPort: Number(destinationPort), sourcePort: Number(sourcePort) };
  const packet = { to, ...(parseAddress(from) ? { from } : {}), ipProtocol: TCP, ...ports };
  return [{ what: `you, who came from ${to} by SSH`, packet }];
}

function ofMounts(mounts: readonly NetworkMount[]): Lifeline[] {
  return mounts.map(({ point, type, server }) => {
    const port = PORTS[type];
    const packet = { to: server, uid: 0, ipProtocol: TCP, ...(port === undefined ? {} : { destinationPort: port }) };
    return { what: `${server}, the server of ${point} (${type})`, packet };
  });
}

/** Gateways of the default routes in the main table, whoever made them. */
function ofGateways({ observed }: Snapshot): Lifeline[] {
  const gateways = observed.flatMap(({ kind, spec }) =>
    kind === "route" && spec.table === TABLE.main && spec.to === defaultPrefix(spec.family)
      ? spec.hops.flatMap(({ via }) => via ?? [])
      : [],
  );
  return [...new Set(gateways)]
    .filter((gateway) => !gateway.startsWith("fe80:"))
    .map((to) => ({ what: `${to}, the default gateway`, packet: { to, uid: 0 } }));
}

/**
 * Whether a packet comes to the same place by both ways: over a hop that it could take before, or straight to a
 * destination in the link's own subnet, as with several links in one.
 */
function isSameWay(was: Way, now: Way, after: Routing): boolean {
  const before = hopsOf(lastWay(was).verdict);
  return hopsOf(lastWay(now).verdict).every(
    (hop) => before.some((one) => one.link === hop.link && one.via === hop.via) || isDirect(hop, after, now.packet),
  );
}

function hopsOf(verdict: Verdict): PictureHop[] {
  if (verdict.is === "sent") return verdict.ways.map(({ hop }) => hop);
  return verdict.is === "assumed" ? [{ link: verdict.link }] : [];
}

function isDirect({ link: name, via }: PictureHop, { links }: Routing, { to }: Packet): boolean {
  const link = links.find((one) => one.name === name);
  if (via !== undefined || !link?.carrier) return false;
  return link.addresses.some(({ address }) => prefixContains(networkOf(address), to));
}

/** The first step without which the way would be as it was. */
function causeOf(before: Routing, steps: readonly Step[], packet: Packet): Step | undefined {
  // A plan of ten thousand steps is not walked ten thousand times: half of those that are left, again and again.
  const text = (count: number): string => sayLast(wayOf(afterSteps(before, steps.slice(0, count)), packet));
  const untouched = text(0);
  let [good, bad] = [0, steps.length];
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (text(middle) === untouched) good = middle;
    else bad = middle;
  }
  return steps[bad - 1];
}

function objection(what: string, was: Way, now: Way, cause: Step | undefined): Diagnostic {
  const verb = cause && { create: "add", replace: "change", delete: "remove", adopt: "take over" }[cause.action];
  const because = cause ? ` Because of this step: ${verb} ${describeStep(cause)}.` : "";
  const range = cause && cause.action !== "delete" ? cause.after.from[0] : undefined;
  const moves = leads(now);
  const from = was.packet.from === undefined ? "" : ` from ${was.packet.from}`;
  return {
    code: moves ? "moves-way" : "cuts-way",
    severity: "error",
    summary: moves ? `this would lead the way to ${what} elsewhere` : `this would cut the way to ${what}`,
    detail: `A packet${from} now ${sayLast(was)}. After this plan it ${sayLast(now)}.${because} Nothing was done.`,
    remedy: moves
      ? "Apply it with --confirm SECONDS, so that it is undone if it does not work, or with --force."
      : "Correct the file; or do it all the same, with --force.",
    ...(range === undefined ? {} : { range }),
  };
}
