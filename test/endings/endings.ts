// Owns how connections of a chosen user end whose process is gone, and the count of the frames that leave by another way
// until the last of them is sent.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../src/lab/child.ts";
import { LabError } from "../../src/lab/lab-error.ts";
import type { Lab } from "../../src/lab/lab.ts";
import type { Family } from "../../src/model/ip.ts";
import type { Served } from "../../src/lab/served.ts";
import { CHOSEN, toWorld, WORLD } from "../egress-lab.ts";
import type { Mechanism } from "./mechanisms.ts";

/** Bytes that the process leaves behind in its socket. */
const QUEUED = 150_000;
/** Packets that are lost before the loss is over. */
const LOST = 3;

/** Frames of one connection, from its first to its last. */
export interface Count {
  frames: number;
  /** To another gateway than the chosen one. */
  byAnother: number;
  /** With another source address than that of the chosen link. */
  withAnother: number;
  /** Either or both. */
  wrong: number;
}

/** One way to end. */
export interface Ending {
  name: string;
  /** What the receiver does (connection.c). */
  receiver: "slow" | "hold" | "leave" | "talk" | "flood";
  /** Opens a connection, ends its process, and waits until the far end is done. */
  run(scene: Scene): Promise<void>;
}

/** One connection of the chosen user to the world. */
interface Scene {
  lab: Lab;
  port: number;
  receiver: Served;
  /** Runs the sender to its end; or kills it when its data is with the kernel. */
  send: (how: "close" | "reset" | "hang-up" | "be killed") => Promise<void>;
}

/** Ends in which a socket is there whenever the kernel sends something for it. */
export const ENDINGS: readonly Ending[] = [
  {
    name: "closes with data queued",
    receiver: "slow",
    run: async ({ send, receiver }) => {
      await send("close");
      await ended(receiver);
    },
  },
  {
    name: "is killed with data queued",
    receiver: "slow",
    run: async ({ send, receiver }) => {
      await send("be killed");
      await ended(receiver);
    },
  },
  {
    name: "closes; the far end repeats its FIN",
    receiver: "hold",
    run: async (scene) => {
      await scene.send("close");
      await said(scene.receiver, "ended");
      await losing(scene, "tcp flags & (fin|syn|rst|ack) == ack", async () => scene.receiver.kill("SIGUSR1"));
      await forgotten(scene);
    },
  },
  {
    name: "closes; the far end still sends",
    receiver: "talk",
    run: async ({ send, receiver }) => {
      await send("close");
      await said(receiver, "ended");
      receiver.kill("SIGUSR1");
      await ended(receiver);
    },
  },
  {
    name: "resets with data queued",
    receiver: "slow",
    run: async ({ send, receiver }) => {
      await send("reset");
      await ended(receiver);
    },
  },
  {
    name: "closes; the far end resets",
    receiver: "leave",
    run: async ({ send, receiver }) => {
      await send("close");
      receiver.kill("SIGUSR1");
      await ended(receiver);
    },
  },
];

/** Ends after which the host has no socket any more when packets of the far end come: it answers them with resets. */
export const WITHOUT_SOCKET: readonly Ending[] = [
  {
    name: "closes unread; its reset is lost",
    receiver: "flood",
    run: async (scene) => {
      await losing(scene, "tcp flags & rst == rst", () => scene.send("hang-up"));
      await forgotten(scene);
    },
  },
  {
    // Both the socket and conntrack wait a minute for the far end to close; here, a second.
    name: "closes; the far end does so after a minute",
    receiver: "hold",
    run: async (scene) => {
      await waitSeconds(scene.lab, 1);
      await scene.send("close");
      await said(scene.receiver, "ended");
      await gone(scene);
      scene.receiver.kill("SIGUSR1");
      await forgotten(scene);
      await waitSeconds(scene.lab, 60);
    },
  },
];

/** The program of connection.c, until it is disposed of. */
export class ConnectionProgram implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-endings-"));
  readonly path = join(this.#folder, "connection");

  constructor() {
    // Users of the lab run it.
    chmodSync(this.#folder, 0o755);
    const source = join(import.meta.dirname, "connection.c");
    execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", this.path, source]);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** How a connection is opened, where not as usual: by aliprod, over IPv4, from whatever address and port it gets. */
export interface Opening {
  family?: Family;
  /** Who opens it. */
  as?: string;
  from?: { address: string; port: number };
  /** The port of the far end; an unused one unless stated. */
  to?: number;
}

/** Counts the frames of one connection. The mechanism is up. LabError when something does not come about. */
export async function countFrames(
  lab: Lab,
  program: string,
  mechanism: Mechanism,
  ending: Ending,
  { family = 4, ...opening }: Opening = {},
): Promise<Count> {
  const { as = "aliprod", from, to: port = lab.nextNumber() } = opening;
  const place = [WORLD[family], String(port)];
  await using stack = new AsyncDisposableStack();
  const capture = stack.use(await lab.capture(["eth0", "ib0"].map((link) => ({ host: "worker", link }))));
  const receives = [program, "receive", ...place, ending.receiver];
  const receiver = stack.use(await lab.spawn("world", receives, { says: /^listening$/m }));
  const send: Scene["send"] = async (how) => {
    const mark = mechanism.mark === undefined ? [] : [`mark=${mechanism.mark}`];
    const who = mechanism.mark === undefined ? { as } : {};
    const bound = from ? [`source=${from.address}`, `port=${from.port}`] : [];
    const words = [program, "send", ...mark, ...bound, ...place, String(QUEUED)];
    if (how === "be killed") {
      return (await lab.spawn("worker", [...words, "wait"], { ...who, says: /^queued$/m })).stop();
    }
    const { code, stderr } = await lab.exec("worker", [...words, how], who);
    if (code !== 0) throw new LabError(`the sender ended with ${code}: ${stderr}`);
  };
  await ending.run({ lab, port, receiver, send });
  await gone({ lab, port });
  const frames = toWorld(
    lab,
    await capture.take(),
    (frame) => "destinationPort" in frame && frame.destinationPort === port,
  );
  const isByAnother = ({ by }: { by: string | undefined }): boolean => by !== CHOSEN.host;
  const isWithAnother = ({ source }: { source: string }): boolean => source !== CHOSEN[family];
  return {
    frames: frames.length,
    byAnother: frames.filter(isByAnother).length,
    withAnother: frames.filter(isWithAnother).length,
    wrong: frames.filter((frame) => isByAnother(frame) || isWithAnother(frame)).length,
  };
}

/** Does something while packets to the receiver that fit are lost on their arrival; goes on when some were. */
async function losing({ lab, port }: Scene, which: string, act: () => Promise<void> | void): Promise<void> {
  const loss = `tcp dport ${port} ${which} counter drop;`;
  const filter = `table inet loss { chain input { type filter hook input priority filter; ${loss} }; }`;
  const { code, stderr } = await lab.exec("world", ["nft", filter]);
  if (code !== 0) throw new Error(stderr);
  await act();
  await waitFor("packets to be lost", async () => {
    const { stdout } = await lab.exec("world", ["nft", "list", "table", "inet", "loss"]);
    return Number(/counter packets (\d+)/.exec(stdout)?.[1]) >= LOST ? true : undefined;
  });
  await lab.exec("world", ["nft", "delete", "table", "inet", "loss"]);
}

async function ended(served: Served): Promise<void> {
  await waitFor("a program to end", async () => (served.ended ? true : undefined));
}

async function said(served: Served, word: string): Promise<void> {
  await waitFor(`a program to say "${word}"`, async () => (served.output.includes(word) ? true : undefined));
}

/** For how long the worker waits for the far end to close. */
async function waitSeconds(lab: Lab, seconds: number): Promise<void> {
  const keys = ["ipv4.tcp_fin_timeout", "netfilter.nf_conntrack_tcp_timeout_close_wait"];
  const { code, stderr } = await lab.exec("worker", ["sysctl", "-qw", ...keys.map((key) => `net.${key}=${seconds}`)]);
  if (code !== 0) throw new LabError(stderr);
}

/** The worker has no socket of the connection any more, but perhaps one that only waits for late packets. */
async function gone({ lab, port }: Pick<Scene, "lab" | "port">): Promise<void> {
  await waitFor("the socket to be gone", async () =>
    (await states(lab, "worker", `dport = :${port}`)).every((state) => state === "TIME-WAIT") ? true : undefined,
  );
}

/** The far end has no socket of the connection any more. */
async function forgotten({ lab, port }: Scene): Promise<void> {
  await waitFor("the far end to be done", async () =>
    (await states(lab, "world", `sport = :${port}`)).length === 0 ? true : undefined,
  );
}

/** States of a host's TCP sockets that fit, as ss names them. */
async function states(lab: Lab, host: string, filter: string): Promise<string[]> {
  const { stdout } = await lab.exec(host, ["ss", "-Htan", filter]);
  return stdout.split("\n").flatMap((line) => line.split(/\s+/)[0] || []);
}
