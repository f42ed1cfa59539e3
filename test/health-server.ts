// Owns the servers that probes are tested against: `node health-server.ts ADDRESS`. They behave well, ill, and badly.
//
// It reads commands from its input: "status N" is what /health answers from now on; "asked PATH ADDRESS" tells how often somebody has asked.
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { HEALTH_PORTS } from "./health-ports.ts";

const [, , address = "0.0.0.0"] = process.argv;
let status = 200;
const asked = new Map<string, number>();

createHttp((request, response) => {
  const path = request.url ?? "";
  // Those who come by one gateway have one address.
  const who = `${path} ${request.socket.remoteAddress?.replace("::ffff:", "")}`;
  const count = (asked.get(who) ?? 0) + 1;
  asked.set(who, count);
  // "/flap2" is ill two times of three, "/flap4" four times of five.
  const flaps = Number(/^\/flap(\d)$/.exec(path)?.[1] ?? 0);
  const isIll = flaps > 0 && count % (flaps + 1) !== 0;
  response.writeHead(path === "/health" ? status : isIll ? 503 : 200).end("a body that no probe reads");
}).listen(HEALTH_PORTS.http, address);
createServer((socket) => socket.on("error", () => {})).listen(HEALTH_PORTS.accepts, address);
createServer((socket) => socket.on("error", () => {}).resume()).listen(HEALTH_PORTS.silent, address);
createServer((socket) => {
  const timer = setInterval(() => socket.write(`HTTP/1.1 200 ${"x".repeat(1000)}`), 1);
  socket.on("error", () => {}).once("close", () => clearInterval(timer));
}).listen(HEALTH_PORTS.endless, address);
createServer((socket) => socket.on("error", () => {}).end()).listen(HEALTH_PORTS.closes, address);
createServer((socket) => socket.on("error", () => {}).end("220 mail ready\r\n")).listen(
  HEALTH_PORTS.other,
  address,
  () => process.stdout.write("serving\n"),
);

createInterface(process.stdin).on("line", (line) => {
  const [word, ...rest] = line.split(" ");
  const argument = rest.join(" ");
  if (word === "status") status = Number(argument);
  process.stdout.write(`${word} ${word === "asked" ? (asked.get(argument) ?? 0) : argument}\n`);
});
