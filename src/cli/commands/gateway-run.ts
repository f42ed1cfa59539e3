// Owns `heddle gateway run`: the process that makes this host one of several gateways, until it is ended.
import { spawnSync } from "node:child_process";
import { setPriority } from "node:os";
import { Notifier } from "../../agent/notify.ts";
import { listGateways } from "../../gateway/setup.ts";
import { GatewayPlace } from "../../gateway/run/place.ts";
import { GatewayRunner } from "../../gateway/run/runner.ts";
import { HostError } from "../../host/error.ts";
import { openHost } from "../../host/kernel.ts";
import { StateStore, statePaths } from "../../host/ledger/store.ts";
import { namespaceCookie, OWN_NAMESPACE, sysctl } from "../../host/native.ts";
import { findProgram } from "../../host/program.ts";
import { signalsFolder } from "../../host/signals.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { parsePrefix } from "../../model/ip.ts";
import { MOVING_PROTOCOL } from "../../model/kinds.ts";
import type { LinkFact } from "../../model/facts.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

/** What a kernel has room for that does not say (its connection tracking is not loaded yet). */
const USUAL_MOST = 65_536;

/** Runs until SIGTERM or SIGINT. */
export async function runGateway(context: Context): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  const host = openHost();
  let links: LinkFact[];
  try {
    links = await host.links();
  } finally {
    host.close();
  }
  const [setup] = listGateways(config, links);
  if (!setup) return context.fail([...diagnostics, nothingToRun(context.options.file)]);
  context.report(diagnostics);
  preferSelf();
  const { runFolder } = await StateStore.open(statePaths(context.options.state));
  const cookie = namespaceCookie(OWN_NAMESPACE);
  const place = await GatewayPlace.make(runFolder, cookie);
  const moving = new Set(setup.shares.flatMap((share) => share.moving.map(({ address }) => address)));
  const own = links.flatMap(({ addresses }) =>
    addresses.flatMap((spec) => {
      const address = parsePrefix(spec.address)?.address;
      const stays = spec.protocol !== MOVING_PROTOCOL && address && !moving.has(address);
      return stays ? [address] : [];
    }),
  );
  const runner = new GatewayRunner({
    setup,
    place,
    signals: signalsFolder(runFolder, cookie),
    ownAddresses: [...new Set(own)],
    mostConnections: mostConnections(),
    say: (text) => {
      context.remark(text);
      notifier.status(text);
    },
    quote: (text) => context.remark(text),
  });
  using notifier = new Notifier(process.env, () => runner.isAwake);
  const ending = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ending.abort());
  ending.signal.addEventListener("abort", () => notifier.stopping());
  await runner.run(ending.signal, () => notifier.ready());
  return EXIT.ok;
}

/**
 * A machine that is busy must not look like one that is dead. Real time is for this thread alone: what it starts asks for
 * itself. Not everybody may have it, and a nice value is better than nothing.
 */
function preferSelf(): void {
  const words = ["--reset-on-fork", "--rr", "-p", "10", String(process.pid)];
  const done = spawnSync(findProgram("chrt", "util-linux"), words, { stdio: "ignore" });
  if (done.status === 0) return;
  try {
    setPriority(-20);
  } catch {
    // A container may refuse it.
  }
}

function mostConnections(): number {
  try {
    const [answer] = sysctl(OWN_NAMESPACE, [{ path: "net/netfilter/nf_conntrack_max" }]);
    return (answer && "value" in answer && Number(answer.value)) || USUAL_MOST;
  } catch (error) {
    if (error instanceof HostError) return USUAL_MOST;
    throw error;
  }
}

function nothingToRun(file: string): Diagnostic {
  return {
    code: "no-failover",
    severity: "error",
    summary: `${file} has no gateway with \`failover\` that this host is a node of`,
    detail: "A host is a node when the inside link has the address of one of `nodes`.",
    remedy: "Add `failover` to a section of `gateway`, with this host among its `nodes`.",
  };
}
