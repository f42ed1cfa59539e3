// Owns the measuring of how long flows are without a link when theirs is lost: the longest time between two datagrams of
// a flow that sends one a millisecond, for flows of the lost link and for those of the other. Run it as root with
// `tools/in-root-namespace.sh node bench/spread-loss.ts`.
import { setTimeout as sleep } from "node:timers/promises";
import {
  linksOfFlows,
  applySpread,
  Flows,
  NODES,
  readNow,
  runController,
  spreaderOf,
  until,
  upSpreadLab,
} from "../test/spread-lab.ts";
import { summarize } from "./statistics.ts";

const ROUNDS = process.argv.includes("--quick") ? 4 : 30;
using flows = new Flows();
for (const mechanism of ["mark", "redirect"]) {
  await using lab = await upSpreadLab("spread-loss-bench", 2);
  await applySpread(lab, "links: [ib1, ib2]", "to: 10.0.2.0/24", "by: load", `mechanism: ${mechanism}`);
  await using _controller = await runController(lab);
  const spreader = spreaderOf(lab);
  for (const [loss, lose, bring] of [
    ["down", "down", "up"],
    ["carrier", "carrier-lost", "carrier-back"],
  ] as const) {
    const gaps = { lost: [] as number[], kept: [] as number[] };
    // What the loss adds: the difference of the two medians of a round, since a busy machine stalls both alike.
    const added: number[] = [];
    for (let turn = 0; turn < ROUNDS; turn++) {
      await until(() => readNow(spreader).up.length === 2, "both links");
      await applySpread(lab, "links: [ib1, ib2]", "to: 10.0.2.0/24", "by: load", `mechanism: ${mechanism}`);
      await using capture = await lab.capture(["ib1", "ib2"].map((link) => ({ host: "router", link })));
      await flows.send(lab, "sender", NODES.node11[4], { flows: 32, rounds: 3, from: 23_000 });
      const before = linksOfFlows(await capture.stop());
      await using receiver = await flows.receive(lab, "node11");
      const how = { flows: 32, rounds: 1500, pauseUs: 900, from: 23_000 };
      const sending = flows.send(lab, "sender", NODES.node11[4], how);
      await sleep(500);
      await lab.setLink("router", "ib2", lose, { wait: false });
      await sending;
      const round = { lost: [] as number[], kept: [] as number[] };
      for (const [port, { longestGapMs }] of await receiver.counted()) {
        const links = before.get(`10.0.1.10 ${port} ${NODES.node11[4]}`);
        (links?.has("ib2") ? round.lost : round.kept).push(longestGapMs);
      }
      gaps.lost.push(...round.lost);
      gaps.kept.push(...round.kept);
      if (round.lost.length > 0 && round.kept.length > 0) {
        added.push(summarize(round.lost).median - summarize(round.kept).median);
      }
      await lab.setLink("router", "ib2", bring);
    }
    const say = (values: readonly number[]): string => {
      const { median, quartiles, count } = summarize(values);
      const sorted = values.toSorted((a, b) => a - b);
      const most = sorted[Math.floor(0.99 * (sorted.length - 1))] ?? NaN;
      return `median ${median.toFixed(1)} ms, upper quartile ${quartiles[1].toFixed(1)}, of 100 the 99th ${most.toFixed(1)} (${count} flows)`;
    };
    const more = summarize(added);
    process.stdout.write(
      `${mechanism}, ${loss}: flows of the lost link ${say(gaps.lost)}; of the other ${say(gaps.kept)}; added ${more.median.toFixed(1)} ms (${more.low.toFixed(1)}–${more.high.toFixed(1)})\n`,
    );
  }
}
