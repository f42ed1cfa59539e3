// Owns the measuring of how long flows are without a link when theirs is lost: how many datagrams do not come of flows
// that send one a millisecond, for flows of the lost link and for those of the other. Run it as root with
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

const ROUNDS = process.argv.includes("--quick") ? 6 : 30;
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
    // A busy machine stalls sender and receiver for longer than a loss lasts; datagrams that never come tell it all the same.
    const missing = { lost: [] as number[], kept: [] as number[] };
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
      for (const [port, { received }] of await receiver.counted()) {
        const links = before.get(`10.0.1.10 ${port} ${NODES.node11[4]}`);
        (links?.has("ib2") ? missing.lost : missing.kept).push(how.rounds - received);
      }
      await lab.setLink("router", "ib2", bring);
    }
    const say = (values: readonly number[]): string => {
      const { median, low, high, count } = summarize(values);
      return `median ${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)}), most ${Math.max(...values)}, of ${count} flows`;
    };
    process.stdout.write(
      `${mechanism}, ${loss}: datagrams missing, one a millisecond: on the lost link ${say(missing.lost)}; on the other ${say(missing.kept)}\n`,
    );
  }
}
