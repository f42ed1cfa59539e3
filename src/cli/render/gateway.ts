// Owns how a gateway looks to people.
import { sayAge } from "../../model/age.ts";
import type { GatewaySignal, ShareSignal } from "../../model/signals.ts";
import type { Paint } from "./style.ts";

/** A gateway in a few lines. `now` is in seconds since boot. */
export function renderGateway(row: GatewaySignal, now: number, paint: Paint): string {
  const { connections, uplink, drained } = row;
  const lines = [`gateway/${row.section}${drained ? ` ${paint("yellow", "drained")}` : ""}`];
  for (const share of row.shares) lines.push(...shareLines(share, now, paint));
  const counts =
    connections.own === undefined
      ? ""
      : `; ${connections.own} known here, ${connections.injected ?? 0} changes taken from others, ${connections.refused ?? 0} refused`;
  const state = { absent: "red", asking: "yellow", current: "green" } as const;
  lines.push(`  connections: ${paint(state[connections.state], connections.state)}${counts}`);
  for (const { target, well, rttMs } of uplink?.targets ?? []) {
    const word =
      well === undefined
        ? paint("yellow", "not known yet")
        : well
          ? paint("green", "answers")
          : paint("red", "does not answer");
    lines.push(`  uplink ${target}: ${word}${rttMs === undefined ? "" : ` (${rttMs} ms)`}`);
  }
  return lines.join("\n");
}

function shareLines(
  { name, state, since, why, holds, priority, addresses }: ShareSignal,
  now: number,
  paint: Paint,
): string[] {
  const colour = { active: "green", standby: "cyan", fault: "red", unknown: "yellow" } as const;
  return [
    `  ${name}: ${paint(colour[state], state)} for ${sayAge(now - since)}: ${why}`,
    `    ${addresses.join(", ")} ${holds ? "here" : "not here"}; priority ${priority}`,
  ];
}
