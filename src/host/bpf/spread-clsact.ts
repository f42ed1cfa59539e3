// Owns programs at links of kernels that have no BPF links there (before 6.6): as filters of the qdisc clsact, with a
// priority, handle and name that nobody else has.
//
// The kernel drops a filter with its link, so nothing of one that is made anew is left. The qdisc is shared with others'
// filters: it is made where it is not there, and taken away only where heddle made it, which a pin tells, and nobody
// else hangs on it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { constants } from "node:os";
import { pin } from "./call.ts";
import type { Descriptor } from "./call.ts";
import { dropPin } from "./spread-pins.ts";
import type { Attachment, PacketHook, PinnedAttachment } from "./spread-pins.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { ALL_PROTOCOLS, CLSACT } from "../netlink/traffic-control.ts";
import type { FilterMessage } from "../netlink/traffic-control.ts";

/** Ours among filters: behind those of most others, as attached links are. */
const OURS = { priority: 49_072, protocol: ALL_PROTOCOLS, handle: 0x48, kind: "bpf" } as const;
const NAME = "heddle-spread";
const PARENT: Readonly<Record<PacketHook, number>> = { "tcx/ingress": CLSACT.ingress, "tcx/egress": CLSACT.egress };

/** Our filters at the links of the indices. Throws HostError. */
export async function listFilters(socket: RouteSocket, indices: readonly number[]): Promise<PinnedAttachment[]> {
  const found: PinnedAttachment[] = [];
  for (const index of indices) {
    for (const hook of ["tcx/ingress", "tcx/egress"] as const) {
      const ours = (await socket.listFilters(index, PARENT[hook])).find(isOurs);
      if (ours) found.push({ hook, index, path: "", program: ours.program ?? 0 });
    }
  }
  return found;
}

/** Makes the program run at the link; one of ours that is there changes to it at once. Throws HostError. */
export async function placeFilter(
  socket: RouteSocket,
  folder: string,
  { hook, index }: Attachment<PacketHook>,
  program: Descriptor,
): Promise<void> {
  const qdiscs = await socket.listQdiscs(index);
  if (!qdiscs.some(({ kind }) => kind === "clsact" || kind === "ingress")) {
    const message = { index, parent: CLSACT.parent, handle: CLSACT.handle, kind: "clsact" };
    await perform(socket, { object: "qdisc", type: "new", flags: VERB.create, message });
    if (!existsSync(madeMark(folder, index))) pin(program, madeMark(folder, index));
  }
  // Where there are filters of ours is told by a pin before there are any.
  if (!existsSync(filterMark(folder, index))) pin(program, filterMark(folder, index));
  const message: FilterMessage = { index, parent: PARENT[hook], ...OURS, programFd: program.fd, name: NAME };
  const there = (await socket.listFilters(index, PARENT[hook])).some(isOurs);
  await perform(socket, { object: "filter", type: "new", flags: there ? VERB.change : VERB.create, message });
}

/** Takes our filter away, and the qdisc if it was made for it and nobody else uses it. Throws HostError. */
export async function dropFilter(
  socket: RouteSocket,
  folder: string,
  { hook, index }: Attachment<PacketHook>,
): Promise<void> {
  const message: FilterMessage = { index, parent: PARENT[hook], ...OURS };
  await perform(socket, { object: "filter", type: "delete", flags: 0, message });
  const ours = await listFilters(socket, [index]);
  if (ours.length > 0) return;
  dropPin(filterMark(folder, index));
  if (!existsSync(madeMark(folder, index))) return;
  const others = [
    ...(await socket.listFilters(index, CLSACT.ingress)),
    ...(await socket.listFilters(index, CLSACT.egress)),
  ];
  if (others.length > 0) return;
  const qdisc = { index, parent: CLSACT.parent, handle: CLSACT.handle, kind: "clsact" };
  await perform(socket, { object: "qdisc", type: "delete", flags: 0, message: qdisc });
  dropPin(madeMark(folder, index));
}

/** The pin that tells that a link has filters of heddle's. */
function filterMark(folder: string, index: number): string {
  return join(folder, `filter-${index}`);
}

/** The pin that tells that the qdisc of a link is heddle's. What is pinned does not matter. */
function madeMark(folder: string, index: number): string {
  return join(folder, `clsact-${index}`);
}

function isOurs({ kind, priority, handle, name }: FilterMessage): boolean {
  return kind === OURS.kind && priority === OURS.priority && handle === OURS.handle && name === NAME;
}

/** Does one request; what goes and is not there any more, or whose link has gone, is gone. */
async function perform(socket: RouteSocket, request: Request): Promise<void> {
  const [refused] = await socket.perform([request]);
  if (!refused) return;
  const { ENOENT, ENODEV, EINVAL } = constants.errno;
  if (request.type === "delete" && [ENOENT, ENODEV, EINVAL].includes(refused.errno)) return;
  throw refused;
}
