// Owns `heddle gateway`: who is active, since when and why; and taking a gateway out of service and back into it.
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { gatewayFolder, setDrained } from "../../gateway/run/place.ts";
import { StateStore, statePaths } from "../../host/ledger/store.ts";
import { readSignals, secondsSinceBoot, signalsFolder } from "../../host/signals.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { isStale } from "../../model/signals.ts";
import type { GatewaySignal } from "../../model/signals.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { renderGateway } from "../render/gateway.ts";

/** How long a drain waits for another gateway to take over, ms. */
const HANDOVER_MS = 5000;

/** Tells how the gateways of this host are. */
export async function showGateway(context: Context): Promise<ExitCode> {
  const { rows } = await look(context);
  const now = secondsSinceBoot();
  const live = rows.filter((row) => !isStale(row, now));
  if (live.length === 0)
    return context.fail([rows.length > 0 ? frozen(rows, now) : notRunning()], EXIT.failed, { gateways: [] });
  if (context.options.json) context.sayJson({ gateways: live.map((row) => withAges(row, now)), diagnostics: [] });
  else for (const row of live) context.say(renderGateway(row, now, context.paint));
  const well = live.every(
    (row) =>
      row.connections.state === "current" &&
      row.uplink?.well !== false &&
      row.shares.every(({ state }) => state === "active" || state === "standby"),
  );
  return well ? EXIT.ok : EXIT.findings;
}

/** Takes this gateway out of service (`drained`), or puts it back. */
export async function drainGateway(context: Context, drained: boolean): Promise<ExitCode> {
  const { folder, rows } = await look(context);
  const now = secondsSinceBoot();
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await setDrained(folder, drained);
  if (rows.every((row) => isStale(row, now))) return context.fail([notRunning()], EXIT.failed, { drained });
  const done = await until(context, (row) =>
    drained ? row.drained && row.shares.every(({ holds }) => !holds) : !row.drained,
  );
  if (!done && drained) return context.fail([nobodyTookOver()], EXIT.waiting, { drained });
  if (context.options.json) context.sayJson({ drained, diagnostics: [] });
  else
    context.say(
      drained
        ? "Drained: another gateway has the addresses."
        : "Back in service; it takes its place when it has been well for long enough.",
    );
  return EXIT.ok;
}

async function look(context: Context): Promise<{ folder: string; signals: string; rows: GatewaySignal[] }> {
  const { runFolder, cookie } = await StateStore.open(statePaths(context.options.state));
  const signals = signalsFolder(runFolder, cookie);
  const rows = (await readSignals(signals)).filter((row) => row.kind === "gateway");
  return { folder: gatewayFolder(runFolder, cookie), signals, rows };
}

async function until(context: Context, holds: (row: GatewaySignal) => boolean): Promise<boolean> {
  const end = performance.now() + HANDOVER_MS;
  while (performance.now() < end) {
    const { rows } = await look(context);
    if (rows.length > 0 && rows.every(holds)) return true;
    await sleep(20);
  }
  return false;
}

/** For programs: times as ages in seconds, which need no clock of this host's to be understood. */
function withAges({ at, shares, ...row }: GatewaySignal, now: number): object {
  return {
    ...row,
    ageS: round(now - at),
    shares: shares.map(({ since, ...share }) => ({ ...share, forS: round(now - since) })),
  };
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function notRunning(): Diagnostic {
  return {
    code: "gateway-not-running",
    severity: "error",
    summary: "no gateway process runs here",
    detail: "Nothing elects this host, renews its addresses or synchronises its connections.",
    remedy: "Start `heddle gateway run`, as a unit of systemd (docs/GATEWAY.md).",
  };
}

function frozen(rows: readonly GatewaySignal[], now: number): Diagnostic {
  const age = Math.round(now - Math.max(...rows.map(({ at }) => at)));
  return {
    code: "gateway-silent",
    severity: "error",
    summary: `the gateway process has said nothing for ${age} s`,
    detail: "It ended without a word, or does not get to run. The kernel takes the addresses off the links by itself.",
    remedy: "Look at its log, and start it again.",
  };
}

function nobodyTookOver(): Diagnostic {
  return {
    code: "nobody-took-over",
    severity: "warning",
    summary: "no other gateway has taken over",
    detail:
      "This one goes on until one does: the others are down, out of service themselves, or do not reach the world.",
    remedy: "Look at `heddle gateway` on the others; `heddle gateway undrain` puts this one back.",
  };
}
