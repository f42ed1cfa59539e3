// Owns the traffic that judges a failover, as two programs: `server PORT…` in the world and `client ADDRESS,…` at a worker.
//
// What a client does: connections in which only the server speaks (no gateway without their state can pass them on),
// connections in which the client speaks and is answered, a UDP question every few milliseconds, and new connections all
// the time. It reads commands from its input: "begin" starts an observation, "report" ends it with a line of JSON,
// "renew" makes connections anew that are lost.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

const PORTS = { push: 7001, echo: 7002, greet: 7003, udp: 7004 } as const;

/** Intervals, ms. */
const PUSH_MS = 10;
const DRIVE_MS = 10;
const UDP_MS = 20;
const NEW_MS = 25;
/** A long-lived connection that is not heard of for so long is lost, ms: one that waits for a retransmission is not. */
const SILENT_MS = 3500;
/** A connection that is not made by then has failed, ms. */
const CONNECT_MS = 5000;

/** Longest times between two answers, ms. */
export interface Gaps {
  udp: number;
  push: number;
  drive: number;
}

/** What a client saw of its flows since "begin". */
export interface TrafficReport {
  /** Longest time between two answers, ms. */
  gaps: Gaps;
  /** Long-lived connections that ended, or were not heard of for long. */
  lost: number;
  /** Their own ports, to look for them on the way. */
  lostPorts: number[];
  alive: number;
  /** Short connections: made, failed, and how long the slowest took to be made, ms. */
  made: number;
  failed: number;
  slowestMs: number;
}

class Gap {
  /** When something was heard last. */
  last = performance.now();
  #from = this.last;
  #worst = 0;
  begin(): void {
    this.#from = performance.now();
    this.#worst = 0;
  }
  seen(): void {
    const now = performance.now();
    this.#worst = Math.max(this.#worst, now - Math.max(this.last, this.#from));
    this.last = now;
  }
  /** With what has not come yet. */
  get longest(): number {
    return Math.max(this.#worst, performance.now() - Math.max(this.last, this.#from));
  }
}

function serve(): void {
  const quiet = (socket: Socket): Socket => socket.setNoDelay(true).on("error", () => socket.destroy());
  createServer((socket) => {
    const timer = setInterval(() => socket.write("x"), PUSH_MS);
    quiet(socket).once("close", () => clearInterval(timer));
  }).listen(PORTS.push);
  createServer((socket) => quiet(socket).on("data", (bytes) => socket.write(bytes))).listen(PORTS.echo);
  createServer((socket) => quiet(socket).end("x")).listen(PORTS.greet);
  // Answers come from the address that was asked.
  for (const type of ["udp4", "udp6"] as const) {
    const udp = createSocket({ type, ipv6Only: type === "udp6" });
    udp.on("message", (bytes, from) => udp.send(bytes, from.port, from.address));
    udp.bind(PORTS.udp, () => type === "udp6" && process.stdout.write("serving\n"));
  }
}

/** A long-lived connection. */
class Flow {
  readonly #port: number;
  readonly #server: string;
  readonly #speaks: boolean;
  readonly gap = new Gap();
  #socket: Socket | undefined;
  #open = false;

  constructor(port: number, server: string, speaks: boolean) {
    this.#port = port;
    this.#server = server;
    this.#speaks = speaks;
    this.renew();
  }

  /** Whether it is made, and was heard of late. */
  get lives(): boolean {
    return this.#open && performance.now() - this.gap.last < SILENT_MS;
  }

  /** Its own port. */
  port = 0;

  /** Makes it anew if it does not live. */
  renew(): void {
    if (this.lives) return;
    this.#socket?.destroy();
    this.#open = false;
    const socket = connect(this.#port, this.#server);
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", () => {
      if (this.#socket !== socket) return;
      if (!this.#open) this.gap.begin();
      this.#open = true;
      this.gap.seen();
    });
    socket.once("connect", () => (this.port = socket.localPort ?? 0));
    socket.on("error", () => {});
    socket.once("close", () => {
      if (this.#socket === socket) this.#open = false;
    });
    if (!this.#speaks) return;
    const timer = setInterval(() => socket.write("x"), DRIVE_MS);
    socket.once("close", () => clearInterval(timer));
  }
}

function drive(servers: readonly string[], each: number): void {
  const serverOf = (index: number): string => servers[index % servers.length] as string;
  const udpGap = new Gap();
  const flows = (port: number, speaks: boolean): Flow[] =>
    Array.from({ length: each }, (_, i) => new Flow(port, serverOf(i), speaks));
  const [push, driven] = [flows(PORTS.push, false), flows(PORTS.echo, true)];
  let counts = { made: 0, failed: 0, slowestMs: 0 };

  const udp = createSocket(serverOf(0).includes(":") ? "udp6" : "udp4");
  udp.on("message", () => udpGap.seen());
  udp.on("error", () => {});
  udp.bind(0, () => setInterval(() => udp.send("x", PORTS.udp, serverOf(0)), UDP_MS));

  let turn = 0;
  setInterval(() => {
    const began = performance.now();
    const mine = counts;
    const socket = connect(PORTS.greet, serverOf(turn++));
    const timer = setTimeout(() => socket.destroy(new Error("too late")), CONNECT_MS);
    socket.once("connect", () => (mine.slowestMs = Math.max(mine.slowestMs, performance.now() - began)));
    socket.once("data", () => mine.made++);
    socket.once("error", () => mine.failed++);
    socket.once("close", () => clearTimeout(timer));
  }, NEW_MS);

  createInterface(process.stdin).on("line", (line) => {
    if (line === "begin") {
      udpGap.begin();
      for (const { gap } of [...push, ...driven]) gap.begin();
      counts = { made: 0, failed: 0, slowestMs: 0 };
      process.stdout.write(`begun ${[...push, ...driven].filter((flow) => flow.lives).length}\n`);
    } else if (line === "renew") {
      for (const flow of [...push, ...driven]) flow.renew();
      process.stdout.write("renewed\n");
    } else if (line === "report") {
      const worst = (list: readonly Gap[]): number => Math.max(0, ...list.map((gap) => gap.longest));
      const alive = [...push, ...driven].filter((flow) => flow.lives).length;
      const report: TrafficReport = {
        gaps: {
          udp: worst([udpGap]),
          push: worst(push.map(({ gap }) => gap)),
          drive: worst(driven.map(({ gap }) => gap)),
        },
        lost: push.length + driven.length - alive,
        lostPorts: [...push, ...driven].filter((flow) => !flow.lives).map(({ port }) => port),
        alive,
        ...counts,
      };
      process.stdout.write(`report ${JSON.stringify(report)}\n`);
    }
  });
}

const [role, address = "", each = "4"] = process.argv.slice(2);
if (role === "server") serve();
if (role === "client") drive(address.split(","), Number(each));
