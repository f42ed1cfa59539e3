// Owns the environment of the commands in a lab's hosts: little, and the same wherever the lab runs.
import { delimiter, dirname, join } from "node:path";
import type { LabRecord } from "./state.ts";

/** Where Debian and its kin have programs; root's folders too, whoever runs the lab. */
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * PATH begins with the folder of the Node that runs the lab, so that a heddle inside finds the same one. HEDDLE_STATE
 * is the host's own folder; HEDDLE_LAB marks the process as the lab's (take-down.ts ends what carries it).
 */
export function hostEnvironment(
  record: LabRecord,
  folder: string,
  host: string,
  user = "root",
): Record<string, string> {
  const path = [dirname(process.execPath), process.env["PATH"], SYSTEM_PATH].flatMap(
    (part) => part?.split(delimiter) ?? [],
  );
  return {
    PATH: [...new Set(path)].join(delimiter),
    LANG: "C.UTF-8",
    TZ: "UTC",
    HOME: "/",
    USER: user,
    LOGNAME: user,
    HEDDLE_STATE: join(folder, "hosts", host),
    HEDDLE_LAB: record.id,
  };
}

/** Words before a command that put it into a network namespace, and end it when the process that started it ends. */
export function enterNamespace(netns: string): string[] {
  return ["setpriv", "--pdeathsig=SIGKILL", "--", "nsenter", `--net=${netns}`, "--"];
}
