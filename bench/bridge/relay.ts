// Owns the bridge's own path of packets as a relay like those in C: frames of a link, through the rules for groups and
// sessions, to a socket; no subnet manager, no VCRC, which adapters make.
// Usage: node bench/bridge/relay.ts SESSIONS GROUPS LINK OWN-SOCKET FAR-SOCKET; SIGUSR2 prints the CPU time so far, µs.
import { FrameArena, FrameQueue, FrameSocket } from "../../src/host/frames.ts";
import { FlowTable, monotonicMs } from "../../src/host/flow-table.ts";
import { PASSED } from "../../src/rdma/bridge/drops.ts";
import { Flows, MOST_FLOWS } from "../../src/rdma/bridge/flows.ts";
import { Forwarder } from "../../src/rdma/bridge/forwarder.ts";
import { socketFilter } from "../../src/rdma/bridge/socket-filter.ts";
import { findEthernetLink } from "../../src/rdma/port/ethernet-port.ts";
import { groupsOf, sessionsOf } from "./traffic.ts";
import { MessageStand } from "../../src/rdma/bridge/testing/message-stand.ts";
import { GID } from "../../src/rdma/bridge/testing/packets.ts";

const [sessions, groups, name = "", own = "", far = ""] = process.argv.slice(2);
const link = await findEthernetLink(name);
if (link === undefined) throw new Error(`no link ${name}`);
const stand = new MessageStand({ bounds: { most: 20_000, mostOfHost: 20_000, idleMs: 1e9 }, mostHosts: 20_000 });
const bridged = groupsOf(Number(groups));
const forwarder = new Forwarder(bridged, link, { lid: 7, gid: GID, qpn: 0x4942 }, { serves: () => true });
forwarder.messages = stand.messages;
sessionsOf(stand, Number(sessions));
stand.messages.nowMs = performance.now();

const [input, output] = [FrameSocket.onLink(link.index, socketFilter(true)), FrameSocket.atPath(own)];
output.connect(far);
const [arena, queue] = [new FrameArena(), new FrameQueue()];
const table = new FlowTable(MOST_FLOWS, { native: false }, forwarder.sequences.infiniband.next);
table.lease(monotonicMs() + 1e9);
stand.flows.toInfiniband = new Flows(table, "toInfiniband", forwarder.toInfiniband);
forwarder.flows = stand.flows;
input.relayTo(output, table, arena);
setInterval(() => stand.flows.fold(performance.now()), 1000);
input.onReadable = () => {
  stand.messages.nowMs = performance.now();
  const count = input.receive(arena);
  for (let slot = 0; slot < count; slot++) {
    const at = arena.at(slot);
    const length = arena.lengths[slot] as number;
    if (length > 0 && forwarder.fromEthernet(arena.bytes, at, at + length) === PASSED) {
      queue.add(forwarder.at, forwarder.length);
    }
  }
  output.send(arena.bytes, queue);
  queue.count = 0;
  input.resume();
};
process.on("SIGUSR2", () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${user + system}\n`);
});
process.on("SIGTERM", () => {
  process.stderr.write(`${JSON.stringify(forwarder.toInfiniband)}\n`);
  process.exit();
});
process.stdout.write("ready\n");
