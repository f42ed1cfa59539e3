// Owns where the programs that spread packets are kept: at which links, and pinned under which names.
//
// A pin for each link that a program is at, called by hook and index; and one for the program itself, which keeps the
// maps though no link is left.
import { readdirSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { NamespaceFd } from "../native.ts";
import { describe, openPinned, pin } from "./call.ts";
import type { Descriptor } from "./call.ts";
import { attachToInterface, detach, lookAtInterfaceLink, swapProgram } from "./link.ts";
import { removeFolders } from "./pins.ts";

/** A hook of links for packets. */
export type PacketHook = "tcx/ingress" | "tcx/egress";

/** A hook of links: those for packets, and that for frames of which no packets have been made. */
export type LinkHook = PacketHook | "xdp";

/** A program at a link. */
export interface Attachment<Hook extends LinkHook = LinkHook> {
  hook: Hook;
  /** The link's index. */
  index: number;
}

/** A pinned attachment, and the id of the program that runs there; the index is 0 where the link has gone. */
export interface PinnedAttachment extends Attachment {
  path: string;
  program: number;
}

const PROGRAM = "program";
const NEW = "-new";
const HOOK_OF: ReadonlyMap<string, LinkHook> = new Map([
  ["ingress", "tcx/ingress"],
  ["egress", "tcx/egress"],
  ["xdp", "xdp"],
]);

/** Id of a program: struct bpf_prog_info has it behind the type. */
export function programId(program: Descriptor): number {
  return describe(program.fd, 8, "BPF program").getUint32(4, true);
}

/** The id of the pinned program, undefined where there is none. */
export function pinnedProgram(folder: string): number | undefined {
  using program = openPinned(join(folder, PROGRAM));
  return program && programId(program);
}

/** Puts a program in the place of the pinned one. */
export function pinProgram(folder: string, program: Descriptor): void {
  const path = join(folder, PROGRAM);
  dropPin(path + NEW);
  pin(program, path + NEW);
  renameSync(path + NEW, path);
}

/** All attachments that are pinned. */
export function pinnedAttachments(folder: string): PinnedAttachment[] {
  return entriesOf(folder).flatMap((name): PinnedAttachment[] => {
    const hook = HOOK_OF.get(name.slice(0, name.indexOf("-")));
    if (!hook) return [];
    const path = join(folder, name);
    using link = openPinned(path);
    const held = link && lookAtInterfaceLink(link);
    return held ? [{ hook, path, index: held.index, program: held.program }] : [];
  });
}

/** Indices of links where filters are ours (spread-clsact.ts), as far as pins tell. */
export function markedIndices(folder: string): number[] {
  const found = entriesOf(folder).flatMap((name) => /^(?:clsact|filter)-(\d+)$/.exec(name)?.[1] ?? []);
  return [...new Set(found.map(Number))];
}

/** Names of everything that is pinned in the folder, for who wants to hear of its being taken away. */
export function pinNames(folder: string): string[] {
  return [PROGRAM, ...entriesOf(folder).filter((name) => name !== PROGRAM)];
}

/** Whether the program is pinned, and every pinned attachment is at a link. */
export function isPlaced(folder: string): boolean {
  return pinnedProgram(folder) !== undefined && pinnedAttachments(folder).every(({ index }) => index !== 0);
}

/** Makes the program run at the link: at once where another one of ours does. */
export function placeAtLink(folder: string, place: Attachment, program: Descriptor, namespace: NamespaceFd): void {
  const path = join(folder, `${place.hook.slice(place.hook.indexOf("/") + 1)}-${place.index}`);
  using old = openPinned(path);
  if (old && lookAtInterfaceLink(old)?.index === place.index && swapProgram(old, program)) return;
  if (old) unlinkSync(path);
  using link = attachToInterface(program, place.hook, place.index, namespace);
  pin(link, path);
}

/** Ends an attachment. */
export function dropAttachment(path: string): void {
  using link = openPinned(path);
  if (!link) return;
  // Its link may have gone, and with it what there was to end.
  if (lookAtInterfaceLink(link)?.index) detach(link);
  unlinkSync(path);
}

/** Ends everything that is pinned in the folder, and takes it away with the empty ones above, up to `top`, which goes too. */
export function dropAll(folder: string, top: string): void {
  for (const { path } of pinnedAttachments(folder)) dropAttachment(path);
  for (const name of entriesOf(folder)) dropPin(join(folder, name));
  removeFolders(folder, top);
}

/** Takes a pin away, if it is there. */
export function dropPin(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
