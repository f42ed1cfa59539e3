// Owns the building of a lab in the kernel, from its record to links that carry frames.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOST_BASELINE, linkBatch, routingBatch, SWITCH_BASELINE, switchBatch, sysctlArgument } from "./batches.ts";
import { must, waitFor, type RunOptions } from "./child.ts";
import { buildConfines } from "./confines.ts";
import { runBatch, setSysctls } from "./ip-batch.ts";
import { LabError } from "./lab-error.ts";
import { showLinks } from "./link-state.ts";
import { hostNamespace, switchNamespace } from "./names.ts";
import { labFolder, type LabRecord } from "./state.ts";
import type { Topology } from "./topology.ts";
import { hasUsers, writeUserFiles } from "./users.ts";

/** Makes everything that the topology says. On an error, whatever was made so far is left to takeDown. */
export async function buildLab(topology: Topology, record: LabRecord, signal?: AbortSignal): Promise<void> {
  const options: RunOptions = { env: { ...process.env, HEDDLE_LAB: record.id }, ...(signal && { signal }) };
  const hosts = Object.keys(topology.hosts);
  const bridges = switchNamespace(record.name);
  await together([addNamespaces(record, options), writeFiles(topology, record.name, hosts)]);
  await together([
    setSysctls(bridges, SWITCH_BASELINE, options),
    ...hosts.map((host) => setSysctls(hostNamespace(record.name, host), HOST_BASELINE, options)),
  ]);
  await runBatch(topology, bridges, switchBatch(topology, record.name), options);
  await together(hosts.map((host) => buildHost(topology, record, host, options)));
  await waitForCarrier(topology, record.name, options);
  // After the carrier: a route may want it.
  await together(hosts.map((host) => addRouting(topology, record.name, host, options)));
}

async function addNamespaces(record: LabRecord, options: RunOptions): Promise<void> {
  const input = record.namespaces.map((namespace) => `netns add ${namespace}\n`).join("");
  try {
    await must(["ip", "-batch", "-"], { ...options, input });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new LabError(`cannot make network namespaces: ${error instanceof Error ? error.message : String(error)}`, {
      remedy: 'Making a lab takes root. Anybody can use "heddle lab run", which makes a user namespace for itself.',
      cause: error,
    });
  }
}

async function writeFiles(topology: Topology, name: string, hosts: readonly string[]): Promise<void> {
  const folder = labFolder(name);
  for (const host of hosts) {
    await mkdir(join(folder, "hosts", host));
    await writeUserFiles(topology, host, join(folder, "users"));
    const config = topology.configs[host];
    if (config && "text" in config) await writeFile(join(folder, "hosts", `${host}.yaml`), config.text);
  }
}

async function buildHost(topology: Topology, record: LabRecord, host: string, options: RunOptions): Promise<void> {
  const namespace = hostNamespace(record.name, host);
  const place = topology.hosts[host];
  if (place && hasUsers(place)) await buildConfines(record, host);
  // Sysctls go before the links are up, so that no packet is treated in another way.
  const sysctls = Object.entries(place?.sysctls ?? {}).map(([key, value]) => sysctlArgument(key, value));
  await setSysctls(namespace, sysctls, options);
  await runBatch(topology, namespace, linkBatch(topology, host), options);
}

async function addRouting(topology: Topology, lab: string, host: string, options: RunOptions): Promise<void> {
  for (const family of [4, 6] as const) {
    await runBatch(topology, hostNamespace(lab, host), routingBatch(topology, host, family), { ...options, family });
  }
}

/** A veth tells its carrier late (linkwatch), and a bridge port forwards only after it has been told. */
async function waitForCarrier(topology: Topology, lab: string, options: RunOptions): Promise<void> {
  for (const [host, { links }] of Object.entries(topology.hosts)) {
    const wanted = Object.entries(links).filter(([, { up }]) => up !== false);
    await waitFor(`the links of ${host} to have a carrier`, async () => {
      const shown = await showLinks(hostNamespace(lab, host), options);
      return wanted.every(([name]) => shown.get(name)?.operstate === "UP") ? true : undefined;
    });
  }
  const up = Object.values(topology.hosts)
    .flatMap(({ links }) => Object.values(links))
    .filter(({ up: on }) => on !== false);
  await waitFor("the switch to forward", async () => {
    const shown = await showLinks(switchNamespace(lab), options);
    return [...shown.values()].filter(({ port }) => port === "forwarding").length >= up.length ? true : undefined;
  });
}

/** Waits for all, also when one of them fails: nothing may go on in a lab that is about to be removed. */
async function together(promises: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
