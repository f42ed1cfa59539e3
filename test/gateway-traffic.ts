// Owns the traffic that judges a failover, as two programs: `server PORT…` in the world and `client ADDRESS` at a worker.
//
// What a client does: connections in which only the server speaks (no gateway without their state can pass them on),
// connections in which the client speaks and is answered, a UDP question every few milliseconds, and new connections all
// the time. It reads commands from its input: "begin" starts an observation, "report" ends it with a line of JSON.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";

const PORTS = { push: 7001, echo: 7002, greet: 7003, udp: 7004 } as const;

/** Intervals, ms. */
const PUSH_MS = 10;
const DRIVE_MS = 10;
const UDP_MS = 5;
const NEW_MS = 25;
/** A connection that is not made by then has failed, ms. */
const CONNECT_MS = 5000;

/** What a client saw of its flows since "begin". */
export interface TrafficReport {
  /** Longest time between two answers, ms. */
  gaps: { udp: number; push: number; drive: number };
  /** Long-lived connections that ended. */
  lost: number;
  alive: number;
  /** Short connections: made, failed, and how long the slowest took to be made, ms. */
  made: number;
  failed: number;
  slowestMs: number;
  /** How much later than asked the worst timer came, ms: what a gap on a busy machine is to be judged by. */
  lateMs: number;
}

class Gap {
  #last = performance.now();
  worst = 0;
  begin(): void {
    this.#last = performance.now();
    this.worst = 0;
  }
  seen(): void {
    const now = performance.now();
    this.worst = Math.max(this.worst, now - this.#last);
    this.#last = now;
  }
  /** With what has not come yet. */
  get longest(): number {
    return Math.max(this.worst, performance.now() - this.#last);
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
  const udp = createSocket("udp4");
  udp.on("message", (bytes, from) => udp.send(bytes, from.port, from.address));
  udp.bind(PORTS.udp, () => process.stdout.write("serving\n"));
}

function drive(server: string, each: number): void {
  const gaps = { udp: new Gap(), push: [] as Gap[], drive: [] as Gap[] };
  let lost = 0;
  let alive = 0;
  let counts = { made: 0, failed: 0, slowestMs: 0 };
  let lateMs = 0;

  const keep = (socket: Socket, gap: Gap): void => {
    let open = false;
    socket.setNoDelay(true);
    socket.once("connect", () => {
      open = true;
      alive++;
      gap.begin();
    });
    socket.on("data", () => gap.seen());
    socket.on("error", () => {});
    socket.once("close", () => {
      lost++;
      if (open) alive--;
    });
  };
  for (let i = 0; i < each; i++) {
    const [push, driven] = [new Gap(), new Gap()];
    gaps.push.push(push);
    gaps.drive.push(driven);
    keep(connect(PORTS.push, server), push);
    const socket = connect(PORTS.echo, server);
    keep(socket, driven);
    const timer = setInterval(() => socket.write("x"), DRIVE_MS);
    socket.once("close", () => clearInterval(timer));
  }
  const udp = createSocket("udp4");
  udp.on("message", () => gaps.udp.seen());
  udp.on("error", () => {});
  udp.bind(0, () => setInterval(() => udp.send("x", PORTS.udp, server), UDP_MS));

  setInterval(() => {
    const began = performance.now();
    const mine = counts;
    const socket = connect(PORTS.greet, server);
    const timer = setTimeout(() => socket.destroy(new Error("too late")), CONNECT_MS);
    socket.once("connect", () => (mine.slowestMs = Math.max(mine.slowestMs, performance.now() - began)));
    socket.once("data", () => mine.made++);
    socket.once("error", () => mine.failed++);
    socket.once("close", () => clearTimeout(timer));
  }, NEW_MS);

  let due = performance.now() + UDP_MS;
  setInterval(() => {
    lateMs = Math.max(lateMs, performance.now() - due);
    due = performance.now() + UDP_MS;
  }, UDP_MS);

  createInterface(process.stdin).on("line", (line) => {
    if (line === "begin") {
      for (const gap of [gaps.udp, ...gaps.push, ...gaps.drive]) gap.begin();
      counts = { made: 0, failed: 0, slowestMs: 0 };
      lateMs = 0;
      lost = 0;
      process.stdout.write(`begun ${alive}\n`);
    } else if (line === "report") {
      const worst = (list: readonly Gap[]): number => Math.max(0, ...list.map((gap) => gap.longest));
      const report: TrafficReport = {
        gaps: { udp: worst([gaps.udp]), push: worst(gaps.push), drive: worst(gaps.drive) },
        lost,
        alive,
        ...counts,
        lateMs,
      };
      process.stdout.write(`report ${JSON.stringify(report)}\n`);
    }
  });
}

const [role, address = "", each = "4"] = process.argv.slice(2);
if (role === "server") serve();
if (role === "client") drive(address, Number(each));
