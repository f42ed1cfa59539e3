// Owns what heddle remembers between runs: earlier kernel values (for this boot), drawn numbers (for good).
import { rename } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { POOLS } from "../../model/claim.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { emptyLedger } from "../../model/plan.ts";
import type { Ledger } from "../../model/plan.ts";
import type { NamedTable } from "../../plan/name-tables.ts";
import { rememberedNumbers } from "../../plan/names-text.ts";
import { emptyNumbers } from "../../plan/numbers.ts";
import type { Numbers } from "../../plan/numbers.ts";
import { noKnownOwners } from "../../plan/recall-owners.ts";
import type { KnownOwners } from "../../plan/recall-owners.ts";
import { namespaceCookie, OWN_NAMESPACE } from "../native.ts";
import type { Signal } from "../../model/signals.ts";
import { readFreshSignals, signalsFolder } from "../signals.ts";
import { readIfThere, writeWhole } from "./files.ts";
import { NAMES_FILE, writeNamesFile } from "./names-file.ts";

/** Version of both files. A later heddle reads earlier ones; an earlier one refuses later ones. */
const VERSION = 1;

const ledgerFile = z.object({
  version: z.literal(VERSION),
  boot: z.string(),
  sysctls: z.record(
    // What stands here is written to the kernel: nothing but switches of the network.
    z.string().check(z.regex(/^net\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\0]{1,200}$/)),
    z.object({ earlier: z.string(), set: z.array(z.string()), link: z.optional(z.number()) }),
  ),
  /** Absent in files of versions that did not manage addresses. */
  addresses: z.optional(z.record(z.string(), z.object({ link: z.number() }))),
  // One for each object of the host: zod takes its time over so many.
  applied: z.custom<Ledger["applied"]>(isMappingOfTexts),
  made: z.optional(z.custom<Ledger["made"]>(isMappingOfTexts)),
});

const numbersFile = z.object({
  version: z.literal(VERSION),
  tables: z.record(z.string(), z.number()),
  priorities: z.record(z.string(), z.number()),
  /** Absent in files from before there were these pools. */
  nexthops: z.optional(z.record(z.string(), z.number())),
  marks: z.optional(z.record(z.string(), z.number())),
});

const knownFile = z.object({
  version: z.literal(VERSION),
  users: z.record(z.string(), z.number()),
  groups: z.record(z.string(), z.number()),
});

const LOST_KNOWN = "Users and groups are looked up anew.";
const LOST_LEDGER =
  "The sysctls that heddle changed on this boot keep their present values: `remove` no longer knows the earlier ones.";
const LOST_NUMBERS = "Tables, priorities, nexthop ids and marks may be drawn anew.";

/** Everything that the files remember. */
export interface Remembered {
  ledger: Ledger;
  numbers: Numbers;
  known: KnownOwners;
  /** What those that watch have told of late. */
  signals: Signal[];
  /** What of it could not be read. */
  diagnostics: Diagnostic[];
}

/** Where state lives. */
export interface StatePaths {
  /** What a reboot ends: earlier kernel values. One file for each network namespace. */
  run: string;
  /** What a reboot keeps: numbers. */
  lib: string;
  /** iproute2's directory, where names of tables are written; absent where they are none of the host's business. */
  names?: string;
}

/** /run/heddle and /var/lib/heddle, or both below one directory. */
export function statePaths(directory: string | undefined): StatePaths {
  return directory === undefined
    ? { run: "/run/heddle", lib: "/var/lib/heddle", names: "/etc/iproute2" }
    : { run: join(directory, "run"), lib: join(directory, "lib") };
}

/** The remembered state of the network namespace that this process is in. */
export class StateStore {
  readonly #paths: StatePaths;
  readonly #boot: string;
  /** Name of the network namespace, never given again on this boot. */
  readonly cookie: string;

  private constructor(paths: StatePaths, boot: string, cookie: string) {
    this.#paths = paths;
    this.#boot = boot;
    this.cookie = cookie;
  }

  /** Finds out which boot and which namespace this is. */
  static async open(paths: StatePaths): Promise<StateStore> {
    const boot = (await readIfThere("/proc/sys/kernel/random/boot_id"))?.trim() ?? "unknown";
    return new StateStore(paths, boot, namespaceCookie(OWN_NAMESPACE));
  }

  /** The folder of what a reboot ends. */
  get runFolder(): string {
    return this.#paths.run;
  }

  /** The folder of what a reboot keeps. */
  get libFolder(): string {
    return this.#paths.lib;
  }

  /** Which boot this is. */
  get boot(): string {
    return this.#boot;
  }

  get #ledgerFile(): string {
    return join(this.#paths.run, `net-${this.cookie}.json`);
  }

  get #numbersFile(): string {
    return join(this.#paths.lib, "numbers.json");
  }

  get #knownFile(): string {
    return join(this.#paths.lib, "owners.json");
  }

  /** What was remembered; empty where nothing was, with a warning where it cannot be read. */
  async read(): Promise<Remembered> {
    const diagnostics: Diagnostic[] = [];
    const kept = await readChecked(this.#ledgerFile, ledgerFile, LOST_LEDGER, diagnostics);
    const drawn = await readChecked(this.#numbersFile, numbersFile, LOST_NUMBERS, diagnostics);
    const known = await readChecked(this.#knownFile, knownFile, LOST_KNOWN, diagnostics);
    const numbers = drawn ?? (await this.#numbersFromNames());
    // Values from before a reboot say nothing about the kernel of now.
    const ledger = kept && kept.boot === this.#boot ? toLedger(kept) : emptyLedger();
    return {
      ledger,
      numbers: toNumbers(numbers),
      known: known ? { users: known.users, groups: known.groups } : noKnownOwners(),
      signals: await this.readSignals(),
      diagnostics,
    };
  }

  /** What those that watch have told of late. */
  async readSignals(): Promise<Signal[]> {
    return readFreshSignals(signalsFolder(this.#paths.run, this.cookie));
  }

  /** Numbers that are lost are found again behind the names of tables. */
  async #numbersFromNames(): Promise<Numbers | undefined> {
    const { names } = this.#paths;
    const text = names === undefined ? undefined : await readIfThere(join(names, "rt_tables.d", NAMES_FILE));
    return text === undefined ? undefined : rememberedNumbers(text);
  }

  /** Gives tables their names for `ip rule`, where this is the host's own state; none takes the file away. */
  async writeTableNames(tables: readonly NamedTable[], numbers: Numbers): Promise<void> {
    if (this.#paths.names !== undefined) await writeNamesFile(this.#paths.names, tables, numbers);
  }

  async writeLedger(ledger: Ledger): Promise<void> {
    await writeWhole(this.#ledgerFile, `${JSON.stringify({ version: VERSION, boot: this.#boot, ...ledger })}\n`);
  }

  async writeNumbers(numbers: Numbers): Promise<void> {
    await writeWhole(this.#numbersFile, `${JSON.stringify({ version: VERSION, ...numbers }, null, 2)}\n`);
  }

  async writeKnown({ users, groups }: KnownOwners): Promise<void> {
    await writeWhole(this.#knownFile, `${JSON.stringify({ version: VERSION, users, groups }, null, 2)}\n`);
  }
}

function isMappingOfTexts(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  for (const key in value) if (typeof (value as Record<string, unknown>)[key] !== "string") return false;
  return true;
}

/** The drawn numbers of every pool; a file knows nothing of pools that came later. */
function toNumbers(file: Partial<z.output<typeof numbersFile>> | undefined): Numbers {
  const numbers = emptyNumbers();
  for (const pool of POOLS) numbers[pool] = file?.[pool] ?? {};
  return numbers;
}

function toLedger(file: z.output<typeof ledgerFile>): Ledger {
  const sysctls: Ledger["sysctls"] = {};
  for (const [path, { link, ...memory }] of Object.entries(file.sysctls)) {
    sysctls[path] = link === undefined ? memory : { ...memory, link };
  }
  return { sysctls, addresses: file.addresses ?? {}, applied: file.applied, made: file.made ?? {} };
}

async function readChecked<T>(
  path: string,
  schema: z.ZodMiniType<T>,
  lost: string,
  diagnostics: Diagnostic[],
): Promise<T | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const aside = `${path}.damaged`;
  const kept = await rename(path, aside).then(
    () => `It is kept as ${aside}.`,
    () => "It stays where it is.",
  );
  diagnostics.push({
    code: "state-unreadable",
    severity: "warning",
    summary: `${path} cannot be read`,
    detail: `It is damaged or from a later version of heddle. ${kept} ${lost}`,
    remedy: "The next apply writes it anew.",
  });
  return undefined;
}
