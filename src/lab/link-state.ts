// Owns what can happen to a link of a lab: the administrator, the cable, the driver.
//
//   up, down           the administrator, at the host's end
//   carrier-lost, -back the cable: the switch's end goes down or up
//   removed            the driver lets go of the device: link, addresses and sysctls are gone
//   replugged          the driver takes it again: same name and hardware address, down and without addresses
import * as z from "zod/mini";
import { vethBatch, type PlacedLink } from "./batches.ts";
import { must, waitFor, type RunOptions } from "./child.ts";
import { runBatch } from "./ip-batch.ts";
import type { LinkState } from "./step-schema.ts";
import { hostNamespace, switchNamespace } from "./names.ts";
import type { Topology } from "./topology.ts";

const shownSchema = z.array(
  z.object({
    ifname: z.optional(z.string()),
    operstate: z.optional(z.string()),
    flags: z.optional(z.array(z.string())),
    linkinfo: z.optional(z.object({ info_slave_data: z.optional(z.object({ state: z.optional(z.string()) })) })),
  }),
);

/** What `ip link show` says of a link. */
export interface ShownLink {
  /** IF_OPER_* as iproute2 names it: "UP", "DOWN", "LOWERLAYERDOWN". */
  operstate: string | undefined;
  flags: string[];
  /** State of a bridge port: "forwarding", "disabled". */
  port: string | undefined;
}

/** The links of a namespace by name. */
export async function showLinks(namespace: string, options: RunOptions): Promise<Map<string, ShownLink>> {
  const text = await must(["ip", "-n", namespace, "-json", "-details", "link", "show"], options);
  const shown = new Map<string, ShownLink>();
  for (const link of shownSchema.parse(JSON.parse(text))) {
    const port = link.linkinfo?.info_slave_data?.state;
    if (link.ifname !== undefined) shown.set(link.ifname, { operstate: link.operstate, flags: link.flags ?? [], port });
  }
  return shown;
}

/** Changes a link and, with `wait`, returns when the host and the switch show the change. */
export async function changeLink(
  lab: { name: string; topology: Topology },
  link: PlacedLink,
  state: LinkState,
  wait: boolean,
  options: RunOptions,
): Promise<void> {
  const host = hostNamespace(lab.name, link.host);
  const bridges = switchNamespace(lab.name);
  const before = await showLinks(host, options);
  const set = (namespace: string, name: string, word: string): Promise<string> =>
    must(["ip", "-n", namespace, "link", "set", "dev", name, word], options);
  switch (state) {
    case "up":
    case "down":
      await set(host, link.name, state);
      break;
    case "carrier-lost":
      await set(bridges, link.port, "down");
      break;
    case "carrier-back":
      await set(bridges, link.port, "up");
      break;
    case "removed":
      await must(["ip", "-n", bridges, "link", "delete", "dev", link.port], options);
      break;
    case "replugged":
      if (before.has(link.name)) await changeLink(lab, link, "removed", true, options);
      await runBatch(lab.topology, bridges, vethBatch(link, lab.name), options);
      break;
  }
  if (!wait) return;
  await waitFor(`${link.name} of ${link.host} to be ${state}`, async () => {
    const [inHost, atSwitch] = await Promise.all([showLinks(host, options), showLinks(bridges, options)]);
    return settled(state, inHost.get(link.name), atSwitch.get(link.port)) ? true : undefined;
  });
}

/** Whether both ends of a link show the state. A link has a carrier when both ends are up. Pure. */
export function settled(state: LinkState, inHost: ShownLink | undefined, atSwitch: ShownLink | undefined): boolean {
  if (state === "removed") return !inHost && !atSwitch;
  if (!inHost || !atSwitch) return false;
  if (state === "replugged") return !inHost.flags.includes("UP") && atSwitch.flags.includes("UP");
  const bothUp = inHost.flags.includes("UP") && atSwitch.flags.includes("UP");
  if (bothUp) return inHost.operstate === "UP" && atSwitch.port === "forwarding";
  return inHost.operstate !== "UP" && atSwitch.port !== "forwarding";
}
