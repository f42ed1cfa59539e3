// Owns what is done about sockets that are open already: those whose way goes are closed, the others are counted.
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupProgramSpec, MarkRange, SocketCounts } from "../../model/socket-marks.ts";
import type { NamespaceFd } from "../native.ts";
import { openSocketTable, PROTOCOL, STATE } from "./diag.ts";
import type { OpenSocket } from "./diag.ts";

/**
 * Closes connections whose mark has any of the bits: nothing sends them their way any more, and by another one they would
 * leave with a source address that is not of it. Sockets that are not connected get their source anew with every packet.
 */
export async function closeMarked(namespace: NamespaceFd, bits: number): Promise<void> {
  const table = openSocketTable(namespace);
  try {
    const marked = await table.list(bits);
    for (const socket of marked) if (isConnected(socket)) await table.destroy(socket);
  } finally {
    table.close();
  }
}

function isConnected({ protocol, state }: OpenSocket): boolean {
  return protocol === PROTOCOL.udp ? state === STATE.established : state !== STATE.listen && state !== STATE.close;
}

/**
 * Counts by bit: connections that have it, and connections of those it is for that were opened before and have it not.
 * What a listener accepted is nobody's outgoing connection and is left out. Rejects with HostError.
 */
export async function countSockets(
  namespace: NamespaceFd,
  program: CgroupProgramSpec,
): Promise<Record<number, SocketCounts>> {
  const table = openSocketTable(namespace);
  let sockets: OpenSocket[];
  try {
    sockets = await table.list();
  } finally {
    table.close();
  }
  const listening = new Set(
    sockets.filter(({ state }) => state === STATE.listen).map(({ family, sourcePort }) => `${family} ${sourcePort}`),
  );
  const groups = program.groups.length + program.members.length > 0 ? await groupsBySocket() : undefined;
  const counts: Record<number, SocketCounts> = {};
  for (let bit = 0; bit < 32; bit++) {
    if ((program.mask >>> bit) & 1) counts[bit] = { open: 0, earlier: 0 };
  }
  for (const socket of sockets) {
    if (!isConnected(socket) || listening.has(`${socket.family} ${socket.sourcePort}`)) continue;
    const has = socket.mark ?? 0;
    const shall = bitsOf(socket, program, groups?.get(socket.inode));
    for (const [bit, count] of Object.entries(counts)) {
      const value = (1 << Number(bit)) >>> 0;
      if ((has & value) !== 0) count.open++;
      // A connection that only waits for its end belongs to nobody any more.
      else if ((shall & value) !== 0 && socket.inode !== 0) count.earlier++;
    }
  }
  return counts;
}

function bitsOf(socket: OpenSocket, program: CgroupProgramSpec, groups: ProcessGroups | undefined): number {
  let bits = bitsFor(program.users, socket.uid);
  if (groups) {
    bits |= bitsFor(program.groups, groups.own);
    for (const group of groups.supplementary) bits |= bitsFor(program.members, group);
  }
  for (const { id, bits: own } of program.cgroups) if (id === socket.cgroup) bits |= own;
  return bits >>> 0;
}

function bitsFor(ranges: readonly MarkRange[], id: number): number {
  return ranges.reduce((bits, { first, last, bits: own }) => (id >= first && id <= last ? bits | own : bits), 0);
}

interface ProcessGroups {
  /** Of the file system, as a socket's is. */
  own: number;
  supplementary: number[];
}

/** Groups of the processes that hold sockets, by the sockets' inodes; the kernel tells them of no socket. */
async function groupsBySocket(): Promise<Map<number, ProcessGroups>> {
  const found = new Map<number, ProcessGroups>();
  for (const pid of await readdir("/proc").then((names) => names.filter((name) => /^\d+$/.test(name)))) {
    try {
      const status = await readFile(join("/proc", pid, "status"), "utf8");
      const numbers = (name: string): number[] =>
        (new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "").split(/\s+/).filter(Boolean).map(Number);
      const groups = { own: numbers("Gid")[3] ?? 0, supplementary: numbers("Groups") };
      for (const fd of await readdir(join("/proc", pid, "fd"))) {
        const target = await readlink(join("/proc", pid, "fd", fd)).catch(() => "");
        const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
        if (inode !== undefined && !found.has(Number(inode))) found.set(Number(inode), groups);
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}
