// Owns the reading of facts files, and the taking of this host's facts.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Config } from "../config/config.ts";
import { WISHES } from "../explain/wishes.ts";
import { namesIn } from "../agent/look.ts";
import { HostError } from "../host/error.ts";
import type { Host } from "../host/host.ts";
import { takePicture } from "../host/picture/read.ts";
import type { Diagnostic, Outcome } from "../model/diagnostic.ts";
import { FACTS_VERSION } from "../model/host-facts.ts";
import type { HostFacts } from "../model/host-facts.ts";
import { noOwners } from "../model/owners.ts";
import type { Owners } from "../model/owners.ts";
import { MAX_FACTS_LENGTH, parseFacts } from "../plan/facts-file.ts";
import { ROLES } from "../roles/index.ts";
import type { Context } from "./context.ts";
import { readFileHere, takePassing } from "./passing.ts";
import { openSession } from "./session.ts";

/** Reads one facts file. `addSource` keeps the text for diagnostics where there is something to say about it. */
export async function readFacts(context: Context, file: string): Promise<Outcome<HostFacts>> {
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > MAX_FACTS_LENGTH) {
      return { diagnostics: [context.unreadable(file, new Error(`It has ${size} bytes`), "Check the path.")] };
    }
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
  } catch (error) {
    return { diagnostics: [context.unreadable(file, error, "Check the path after --facts.")] };
  }
  const outcome = parseFacts(text, file);
  if (outcome.diagnostics.length > 0) context.addSource(file, text);
  return outcome;
}

/** This host as it is now. */
export async function takeFacts(context: Context): Promise<{ facts: HostFacts; diagnostics: Diagnostic[] }> {
  await using session = await openSession(context);
  const { host, memory, diagnostics } = session;
  const sysctls = [...new Set([...WISHES.sysctls, ...(await everySwitch())])];
  const picture = await takePicture({ root: "/", wishes: { ...WISHES, sysctls } });
  const links = await host.links();
  const neighbours = (await host.drivers.neighbour.list(links, { sysctls: [] })).map(({ spec }) => spec);
  const tables = await listForRoot(() => host.drivers.nftTable.list(links, { sysctls: [], nftTables: true }));
  if ("why" in tables) picture.unseen.push({ what: "the nftables tables of heddle", why: tables.why });
  const programs = await listForRoot(() =>
    host.drivers.cgroupProgram.list(links, { sysctls: [], cgroupPrograms: true }),
  );
  if ("why" in programs) picture.unseen.push({ what: "the programs of heddle", why: programs.why });
  const spreads = await listForRoot(() => host.drivers.tcProgram.list(links, { sysctls: [], tcPrograms: true }));
  if ("why" in spreads) picture.unseen.push({ what: "the spreading of heddle", why: spreads.why });
  const { config, unseen } = await readFileHere(context);
  picture.unseen.push(...unseen);
  const facts: HostFacts = {
    version: FACTS_VERSION,
    host: hostname(),
    picture,
    neighbours,
    nftTables: "specs" in tables ? tables.specs : [],
    programs: "specs" in programs ? programs.specs : [],
    spreads: "specs" in spreads ? spreads.specs : [],
    owners: await findOwners(config, host),
    passing: await takePassing(context, config),
    ledger: memory.ledger,
    numbers: memory.numbers,
  };
  return { facts, diagnostics };
}

/** Whom the file here names; nobody where there is no file that can be read. */
async function findOwners(config: Config | undefined, host: Host): Promise<Owners> {
  const names = config && namesIn(config, ROLES);
  return names ? host.owners(names) : noOwners();
}

/** What only root may look at, or why it was not seen. */
export async function listForRoot<Spec>(
  list: () => Promise<{ spec: Spec }[]>,
): Promise<{ specs: Spec[] } | { why: string }> {
  try {
    return { specs: (await list()).map(({ spec }) => spec) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!(error instanceof HostError) && code !== "EACCES" && code !== "EPERM") throw error;
    return { why: error instanceof Error ? error.message : String(error) };
  }
}

/** Written once and secret for good: the key that IPv6 addresses are made with (RFC 7217). */
const SECRET = "stable_secret";

/** Every switch that links of this kernel have, so that a file of later can be planned for. */
async function everySwitch(): Promise<string[]> {
  const names = await Promise.all(
    ["net/ipv4", "net/ipv6"].map(async (family) => {
      const keys = await readdir(`/proc/sys/${family}/conf/all`).catch(() => []);
      return keys.filter((key) => key !== SECRET).map((key) => `${family}/conf/*/${key}`);
    }),
  );
  return names.flat();
}

/** Writes facts to a file, which is replaced; other failures throw. */
export async function writeFacts(path: string, facts: HostFacts): Promise<void> {
  await writeFile(path, `${JSON.stringify(facts)}\n`, { mode: 0o600 });
}
