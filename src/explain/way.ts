// Owns the way of one packet: which of the kernel's four paths it takes.
import { inputWay4 } from "./input4.ts";
import { inputWay6 } from "./input6.ts";
import { outputWay4 } from "./output4.ts";
import { outputWay6 } from "./output6.ts";
import { flowOf } from "./packet.ts";
import type { Flow, Packet } from "./packet.ts";
import type { Routing } from "./routing.ts";
import type { Way } from "./verdict.ts";
import { comeIn } from "./vrf.ts";

/** Finds the way. The links that the packet names are there: what is asked by a person is checked before. `flow` is the packet's, unless it is to be found as a special case. */
export function wayOf(routing: Routing, packet: Packet, flow: Flow = flowOf(packet)): Way {
  const seen = comeIn(routing, flow);
  const find = flow.family === 4 ? (flow.local ? outputWay4 : inputWay4) : flow.local ? outputWay6 : inputWay6;
  return find(routing, packet, seen);
}
