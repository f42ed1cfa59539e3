// Owns what /proc says of a process's packet sockets.
import { readdir, readlink } from "node:fs/promises";

/** Inodes of the sockets that a process holds. */
export async function socketInodes(pid: number): Promise<Set<number>> {
  const inodes = new Set<number>();
  for (const entry of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${entry}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(Number(inode));
  }
  return inodes;
}

/**
 * Bytes that wait in the running packet socket among `inodes`, from the text of /proc/<pid>/net/packet (columns: sk,
 * RefCnt, Type, Proto, Iface, R, Rmem, User, Inode). Undefined when none of them is bound to an interface. Pure.
 */
export function packetQueue(table: string, inodes: ReadonlySet<number>): number | undefined {
  for (const line of table.split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/);
    const bound = Number(columns[4]) > 0 && columns[5] === "1";
    if (bound && inodes.has(Number(columns[8]))) return Number(columns[6]);
  }
  return undefined;
}

/** Frames that packet sockets had no room for, by inode, from the text of `ss -0Hnme`. Pure. */
export function packetDrops(text: string): Map<number, number> {
  const drops = new Map<number, number>();
  for (const match of text.matchAll(/ ino:(\d+) [^]*?skmem:\([^)]*\bd(\d+)\)/g))
    drops.set(Number(match[1]), Number(match[2]));
  return drops;
}
