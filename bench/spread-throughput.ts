// Owns the measuring of what eight TCP streams between one pair of hosts get through two links of 200 Mbit/s each: by one
// route, by a group of nexthops, by spreading; with a link lost and returned. Takes iperf3. Run it as root with
// `tools/in-root-namespace.sh node bench/spread-throughput.ts`.
import { setTimeout as sleep } from "node:timers/promises";
import { applySpread, runController, upSpreadLab } from "../test/spread-lab.ts";

const LIMIT = "rate 200mbit burst 64kb latency 20ms";

interface Report {
  end: { sum_received: { bits_per_second: number }; sum_sent: { retransmits: number } };
  intervals: { sum: { bits_per_second: number } }[];
}

await using lab = await upSpreadLab("spread-throughput", 2);
for (const link of ["ib1", "ib2"]) {
  await lab.exec("router", ["tc", "qdisc", "add", "dev", link, "root", "tbf", ...LIMIT.split(" ")]);
}
await using _server = await lab.spawn("node11", ["iperf3", "-s"], { listens: 5201 });

/** Eight streams for some seconds; what came, in Mbit/s, all told and second by second. */
async function measure(name: string, seconds: number, meanwhile?: () => Promise<void>): Promise<void> {
  const words = ["iperf3", "-c", "10.0.2.11", "-P", "8", "-t", String(seconds), "-O", "1", "-J"];
  const running = lab.exec("sender", words, { timeoutMs: 90_000 });
  await meanwhile?.();
  const { code, stdout } = await running;
  if (code !== 0) throw new Error(stdout);
  const { end, intervals } = JSON.parse(stdout) as Report;
  const mbit = (bits: number): string => (bits / 1e6).toFixed(0);
  const each = intervals.slice(1).map(({ sum }) => mbit(sum.bits_per_second));
  process.stdout.write(
    `${name}: ${(end.sum_received.bits_per_second / 1e6).toFixed(1)} Mbit/s, ${end.sum_sent.retransmits} retransmits; ${each.join(" ")}\n`,
  );
}

async function loseAndReturn(): Promise<void> {
  await sleep(5000);
  await lab.setLink("router", "ib2", "carrier-lost");
  await sleep(4000);
  await lab.setLink("router", "ib2", "carrier-back");
}

await measure("one route", 8);
await applySpread(lab, "links: [ib1, ib2]", "mechanism: nexthop");
await measure("nexthop", 8);
for (const busy of [[], ["busy: 1"]]) {
  for (const mechanism of ["mark", "redirect"]) {
    await applySpread(lab, "links: [ib1, ib2]", "by: load", `mechanism: ${mechanism}`, "local: false", ...busy);
    await using controller = await runController(lab);
    const name = `${mechanism} by load${busy.length > 0 ? ", busy flows may move after 1 s" : ""}`;
    await measure(name, 8);
    await measure(`${name}, a link lost and returned`, 24, loseAndReturn);
    await measure(`${name}, after that`, 8);
    controller.kill("SIGTERM");
  }
}
