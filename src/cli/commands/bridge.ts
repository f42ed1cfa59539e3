// Owns `heddle bridge`: how the running bridges are, once or again and again.
import { setTimeout as sleep } from "node:timers/promises";
import type { BridgeStatus } from "../../rdma/run/status.ts";
import { askDoor, bridgeSocket } from "../bridge-door.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { renderBridge } from "../render/bridge.ts";
import { renderHosts, renderSessions } from "../render/messages.ts";
import { openStore } from "../session.ts";

/** The options of the command. */
export interface BridgeViewOptions {
  /** Only this group, with who sends and listens to it. */
  group?: string;
  /** All groups, not only those with packets. */
  all?: true;
  /** Again every so many seconds, until it is told to end. */
  watch?: number;
}

/** Shows the hosts, or the sessions, of the running bridges. */
export async function bridgeMessages(context: Context, what: "hosts" | "sessions"): Promise<ExitCode> {
  const store = await openStore(context);
  const bridges = await askDoor(bridgeSocket(store.runFolder, store.cookie));
  if (bridges === undefined) return context.fail([NO_BRIDGE]);
  if (context.options.json) {
    const told = bridges.map(({ name, messages }) => ({ name, [what]: messages?.[what] ?? [] }));
    context.sayJson({ bridges: told, diagnostics: [] });
    return EXIT.ok;
  }
  const render = what === "hosts" ? renderHosts : renderSessions;
  for (const { name, messages } of bridges) context.say(render(name, messages, context.paint));
  return EXIT.ok;
}

/** Shows sections, groups, counts. */
export async function bridge(context: Context, options: BridgeViewOptions): Promise<ExitCode> {
  const store = await openStore(context);
  const socket = bridgeSocket(store.runFolder, store.cookie);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  let before: BridgeStatus[] | undefined;
  for (;;) {
    const now = await askDoor(socket);
    if (now === undefined) return context.fail([NO_BRIDGE]);
    const unknown =
      options.group !== undefined && !now.some(({ groups }) => groups.some(({ group }) => group === options.group));
    if (unknown) return context.fail([noGroup(options.group as string)]);
    if (context.options.json) context.sayJson({ bridges: now, diagnostics: [] });
    else {
      if (options.watch !== undefined && process.stdout.isTTY) context.say("\u001B[H\u001B[2J");
      for (const one of now)
        context.say(
          renderBridge(
            one,
            before?.find(({ name }) => name === one.name),
            options,
            context.paint,
          ),
        );
    }
    if (options.watch === undefined) return EXIT.ok;
    before = now;
    await sleep(options.watch * 1000, undefined, { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) return EXIT.ok;
  }
}

/** Nobody answers at the door. */
export const NO_BRIDGE = {
  code: "no-bridge",
  severity: "error",
  summary: "no process bridges on this host",
  remedy: "Start one: systemctl start heddle-bridge, or heddle bridge run.",
} as const;

function noGroup(group: string) {
  return {
    code: "no-group",
    severity: "error",
    summary: `${group} is not bridged here`,
    remedy: "`heddle bridge --all` lists the groups.",
  } as const;
}
