// Owns the way by which somebody without root runs a lab: the same command again, in namespaces of its own.
import { spawn } from "node:child_process";
import { LabError } from "./lab-error.ts";

// A tmpfs over /run hides the machine's, where nobody but root may write; it goes away with the mount namespace. The
// words of this script are arguments, never text of the script. The death signal is set after the credentials have
// changed, which would clear it: when the outer process is killed, the inner one must not stay.
const INSIDE = 'mount -t tmpfs tmpfs /run && exec setpriv --pdeathsig=SIGKILL -- "$@"';

/** Words before a command that run it as root of a user namespace with a network and a /run of its own. */
export const USER_NAMESPACE: readonly string[] = [
  "unshare",
  "--user",
  "--map-root-user",
  "--net",
  "--mount",
  "--",
  "sh",
  "-c",
  INSIDE,
  "sh",
];

/** Runs a command in a user namespace, with this process's terminal and signals, to its end; gives its exit code. */
export async function runInUserNamespace(argv: readonly string[]): Promise<number> {
  const [program, ...args] = [...USER_NAMESPACE, ...argv];
  const child = spawn(program as string, args, { stdio: "inherit" });
  // At a terminal Ctrl-C reaches the child by itself; a signal that was sent to this process alone is passed on.
  const pass = (signal: NodeJS.Signals): boolean => child.kill(signal);
  const ignore = (): void => {};
  process
    .on("SIGTERM", pass)
    .on("SIGHUP", pass)
    .on("SIGINT", process.stdin.isTTY ? ignore : pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", (cause) => reject(new LabError(`cannot start ${program}: ${cause.message}`, { cause })));
      child.once("close", (code, signal) => resolve(code ?? (signal ? 1 : 0)));
    });
  } finally {
    process.off("SIGTERM", pass).off("SIGHUP", pass).off("SIGINT", ignore).off("SIGINT", pass);
  }
}
