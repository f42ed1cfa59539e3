// Owns the daemon that elects: keepalived, its file checked by itself, its notices heard through a named pipe.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { HostError } from "../../host/error.ts";
import { findProgram } from "../../host/program.ts";
import type { Vrrp } from "../machine.ts";
import { NoticeReader } from "../notices.ts";
import { Daemon } from "./child.ts";

/** Has keepalived check its file. Throws HostError with what it says. */
export function checkFile(file: string): void {
  const checked = spawnSync(findProgram("keepalived", "keepalived"), ["-t", "-l", "-G", "-f", file], {
    encoding: "utf8",
  });
  if (checked.status === 0) return;
  const kernelMessage = `${checked.stdout}${checked.stderr}`.trim() || `exit code ${checked.status}`;
  throw new HostError({ errno: constants.errno.EINVAL, object: file, kernelMessage });
}

/**
 * Starts it in the foreground, VRRP only; what it says is passed on, and not written to the system's log by itself
 * (docs/adr/0109). Throws HostError.
 */
export function startKeepalived(file: string, pidFile: string, hear: (lines: readonly string[]) => void): Daemon {
  // One that was killed left them behind, and the number in them may be anybody's by now.
  for (const left of [pidFile, `${pidFile}-vrrp`]) rmSync(left, { force: true });
  const words = ["--dont-fork", "--log-console", "--no-syslog", "--vrrp", "--use-file", file];
  const pids = ["--pid", pidFile, "--vrrp_pid", `${pidFile}-vrrp`];
  return new Daemon([findProgram("keepalived", "keepalived"), ...words, ...pids], hear);
}

/** Hears the notices in a pipe from now on; the answer ends it. */
export function hearNotices(pipe: number, tell: (share: string, state: Vrrp) => void): () => void {
  const reader = new NoticeReader();
  const socket = new Socket({ fd: pipe, readable: true, writable: false });
  socket.setEncoding("utf8").on("data", (text: string) => {
    for (const { share, state } of reader.take(text)) tell(share, state);
  });
  return () => socket.destroy();
}
