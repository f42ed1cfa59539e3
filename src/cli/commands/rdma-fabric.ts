// Owns `heddle rdma fabric`: a model of an InfiniBand fabric that runs until it is told to end.
import { mkdirSync } from "node:fs";
import { HostError } from "../../host/error.ts";
import { ModelSwitch } from "../../rdma/fabric/model-switch.ts";
import { Fabric } from "../../rdma/fabric/simulation.ts";
import { FabricError } from "../../rdma/sa/management-port.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

export interface FabricOptions {
  /** H1 to H8 at most. */
  hosts: number;
  /** ibsim's UDP port; the next ten are its clients'. */
  port: number;
}

/** Starts ibsim, OpenSM and the model's switch, and says so when the subnet is up. */
export async function runFabric(context: Context, folder: string, options: FabricOptions): Promise<ExitCode> {
  const { hosts, port } = options;
  const stop = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.resolve());
  try {
    if (!folder.startsWith("@")) mkdirSync(folder, { recursive: true });
    await using fabric = await Fabric.start(hosts, port);
    fabric.removeFiles();
    const names = Array.from({ length: hosts }, (_, i) => `H${i + 1}`);
    await using wire = await ModelSwitch.start({
      folder,
      node: "S1",
      port: fabric.port,
      hosts: Object.fromEntries(names.map((name, i) => [i + 1, name])),
    });
    if (context.options.json) context.sayJson({ fabric: folder, port: fabric.port, hosts: names, diagnostics: [] });
    else context.say(`the subnet of ${folder} is up: ${names.join(", ")}; the manager is at ${names[0]}`);
    await stop.promise;
    if (!context.options.json) context.remark(`packets: ${countsText(wire.counts)}`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof FabricError || error instanceof HostError)) throw error;
    return context.fail([
      {
        code: "no-fabric",
        severity: "error",
        summary: `there is no model of a fabric: ${error.message}`,
        remedy: "It takes Debian's ibsim-utils and opensm, a free UDP port and ten behind it.",
      },
    ]);
  }
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, number]) => `${what} ${number}`)
    .join(", ");
}
