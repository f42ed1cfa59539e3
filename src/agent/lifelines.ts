// Owns the question whether a plan cuts a way that the host, or whoever works on it, needs.
import type { NetworkMount } from "../host/network-mounts.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { defaultPrefix, networkOf, parseAddress, parsePrefix, prefixContains } from "../model/ip.ts";
import type { Hop } from "../model/kinds.ts";
import { TABLE } from "../model/kinds.ts";
import type { Snapshot } from "../model/objects.ts";
import type { Step } from "../model/plan.ts";
import { describeStep } from "../plan/kinds/index.ts";
import { expectSnapshot } from "./expected-snapshot.ts";
import type { Look } from "./look.ts";
import { wayOf } from "./way.ts";
import type { Packet, Way } from "./way.ts";

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
  const { snapshot: before, plan } = look;
  if (plan.steps.length === 0) return [];
  const after = expectSnapshot(before, plan);
  const lifelines = [...ofSsh(ssh), ...ofMounts(mounts), ...ofGateways(before)];
  return lifelines.flatMap(({ what, packet }) => {
    const was = wayOf(before, packet);
    if (was?.type !== "unicast") return [];
    const { from } = packet;
    const lostAddress = from !== undefined && hasAddress(before, from) && !hasAddress(after, from);
    const now = lostAddress ? undefined : wayOf(after, packet);
    if (now && (guarded || isSameWay(was, now, after, packet))) return [];
    return [objection(what, packet, was, now, causeOf(before, plan.steps, packet))];
  });
}

/** SSH_CONNECTION of ssh(1): the client's address and port, and the server's. */
function ofSsh(connection: string | undefined): Lifeline[] {
  const [to = "", destinationPort, from = "", sourcePort] = (connection ?? "").split(" ");
  if (!parseAddress(to)) return [];
  const ports = { destinationPort: Number(destinationPort), sourcePort: Number(sourcePort) };
  const packet = { to, ...(parseAddress(from) ? { from } : {}), protocol: TCP, ...ports };
  return [{ what: `you, who came from ${to} by SSH`, packet }];
}

function ofMounts(mounts: readonly NetworkMount[]): Lifeline[] {
  return mounts.map(({ point, type, server }) => {
    const port = PORTS[type];
    const packet = { to: server, protocol: TCP, ...(port === undefined ? {} : { destinationPort: port }) };
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
    .map((to) => ({ what: `${to}, the default gateway`, packet: { to } }));
}

function hasAddress({ links }: Snapshot, address: string): boolean {
  return links.some((link) => link.addresses.some((one) => parsePrefix(one.address)?.address === address));
}

/**
 * Whether a packet comes to the same place by both ways: over a hop that it could take before, or straight to a
 * destination in the link's own subnet, as with several links in one.
 */
function isSameWay(was: Way, now: Way, after: Snapshot, packet: Packet): boolean {
  if (was.type !== "unicast" || now.type !== "unicast") return now.type === was.type;
  return now.hops.every(
    (hop) => was.hops.some((one) => one.link === hop.link && one.via === hop.via) || isDirect(hop, after, packet),
  );
}

function isDirect({ link: name, via }: Hop, { links }: Snapshot, { to }: Packet): boolean {
  const link = links.find((one) => one.name === name);
  if (via !== undefined || !link?.carrier) return false;
  return link.addresses.some(({ address }) => prefixContains(networkOf(address), to));
}

/** The first step without which the way would be as it was. */
function causeOf(before: Snapshot, steps: readonly Step[], packet: Packet): Step | undefined {
  // A plan of ten thousand steps is not walked ten thousand times: half of those that are left, again and again.
  const text = (count: number): string => {
    const then = expectSnapshot(before, { steps: steps.slice(0, count), blocked: [], settled: [] });
    return JSON.stringify([wayOf(then, packet), packet.from !== undefined && hasAddress(then, packet.from)]);
  };
  const untouched = text(0);
  let [good, bad] = [0, steps.length];
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (text(middle) === untouched) good = middle;
    else bad = middle;
  }
  return steps[bad - 1];
}

function objection(
  what: string,
  { from }: Packet,
  was: Way,
  now: Way | undefined,
  cause: Step | undefined,
): Diagnostic {
  const verb = cause && { create: "add", replace: "change", delete: "remove", adopt: "take over" }[cause.action];
  const because = cause ? ` because of this step: ${verb} ${describeStep(cause)}.` : ".";
  const range = cause && cause.action !== "delete" ? cause.after.from[0] : undefined;
  return {
    code: now ? "moves-way" : "cuts-way",
    severity: "error",
    summary: now ? `this would lead the way to ${what} elsewhere` : `this would cut the way to ${what}`,
    detail: `Packets${from === undefined ? "" : ` from ${from}`} go ${say(was)} now, and would ${now ? `go ${say(now)}` : "go nowhere"}${because} Nothing was done.`,
    remedy: now
      ? "Apply it with --confirm SECONDS, so that it is undone if it does not work, or with --force."
      : "Correct the file; or do it all the same, with --force.",
    ...(range === undefined ? {} : { range }),
  };
}

function say(way: Way): string {
  if (way.type === "local") return "to this host itself";
  return way.hops.map(({ link, via }) => `${via === undefined ? "" : `via ${via} `}over ${link}`).join(" or ");
}
