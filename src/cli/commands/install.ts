// Owns `heddle install` and `heddle uninstall`: units and hooks that run heddle, on this host or below another root.
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isThere } from "../../host/picture/files.ts";
import { lookAndPlan } from "../../agent/look.ts";
import { linksOf } from "../../export/home.ts";
import { findUntrusted } from "../../host/placed/trust.ts";
import { presentManagers } from "../../host/managers/present.ts";
import { readManagers } from "../../host/managers/read.ts";
import { compareInstallation, compareRemoval } from "../../install/changes.ts";
import type { Changes } from "../../install/changes.ts";
import { wantInstallation } from "../../install/wanted.ts";
import type { InstallChoices, InstallSite } from "../../install/wanted.ts";
import { readRecord, sha256 } from "../../host/placed/record.ts";
import { isSystemdRunning } from "../../host/systemd.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { hasErrors } from "../../model/diagnostic.ts";
import type { InstallRecord } from "../../model/placement.ts";
import { MANAGER_NAMES } from "../../model/manager.ts";
import { refuseAgentSections } from "../../plan/needs-agent.ts";
import type { Gateway } from "../../roles/gateway/schema.ts";
import { ROLES } from "../../roles/index.ts";
import { DEFAULT_FILE } from "../context.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { carryOut, readAllStanding } from "../installation.ts";
import { openSession } from "../session.ts";
import type { Session } from "../session.ts";
import { isCpuList, isMemorySize } from "../unit-values.ts";

/** The options of both commands. */
export interface InstallOptions {
  oneShot?: true;
  gateway?: true;
  bridge?: true;
  root: string;
  cpus?: string;
  memory?: string;
  program?: string;
  dryRun?: true;
  force?: true;
}

/** Places units and hooks, and makes systemd read them. What it would do is shown first, and with --dry-run not done. */
export async function install(context: Context, options: InstallOptions): Promise<ExitCode> {
  const root = resolve(options.root);
  const wrong = checkOptions(options);
  if (wrong.length > 0) return context.fail(wrong, EXIT.usage, { applied: false });
  const program = options.program ?? fileURLToPath(new URL("../bin/heddle", import.meta.url));
  const said = await checkProgram(root, program);
  if (options.oneShot) said.push(...(await checkFile(context, root)));
  if (hasErrors(said)) return context.fail(said, EXIT.failed, { applied: false });

  const record = await readRecord(root);
  if (record === "damaged") return context.fail([...said, damagedRecord(root)], EXIT.failed, { applied: false });
  const asked = await processesOf(context, root);
  const choices: InstallChoices = {
    program,
    oneShot: options.oneShot === true,
    gateway: options.gateway === true || asked.has("gateway"),
    bridge: options.bridge === true || asked.has("bridge"),
    ...(options.cpus === undefined ? {} : { cpus: options.cpus.replaceAll(",", " ") }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
  };
  const site = await readSite(context, root, choices.oneShot);
  const { wanted, diagnostics } = wantInstallation(choices, site);
  said.push(...diagnostics);
  const earlier = record ?? { placed: [], directories: [] };
  const standing = await readAllStanding(root, [...wanted, ...earlier.placed]);
  const found = compareInstallation(wanted, earlier, standing, sha256, options.force);
  said.push(...found.diagnostics);
  if (hasErrors(said)) return context.fail(said, EXIT.failed, { applied: false });
  const managers = Object.entries(site.managerOf).map(([link, manager]) => ({ link, manager: manager ?? null }));
  if (!context.options.json && options.oneShot) {
    for (const { link, manager } of managers) {
      context.say(`${link}: ${manager === null ? "no network manager" : MANAGER_NAMES[manager]}`);
    }
  }
  const next = [
    options.oneShot ? "heddle-boot.service" : "heddle-agent.service",
    ...(choices.gateway ? ["heddle-gateway.service"] : []),
    ...(choices.bridge ? ["heddle-bridge.service"] : []),
  ].join(" ");
  const after = root === "/" ? `It starts at the next boot, or with: systemctl start ${next}` : undefined;
  return finish(context, root, options, { found, earlier, wanted, said, managers, after });
}

/** Takes away what `heddle install` placed, but what somebody changed since. */
export async function uninstall(context: Context, options: InstallOptions): Promise<ExitCode> {
  const root = resolve(options.root);
  const record = await readRecord(root);
  if (record === "damaged") return context.fail([damagedRecord(root)], EXIT.failed, { applied: false });
  const earlier: InstallRecord = record ?? { placed: [], directories: [] };
  const found = compareRemoval(earlier, await readAllStanding(root, earlier.placed), sha256);
  return finish(context, root, options, { found, earlier, wanted: [], said: found.diagnostics, managers: [] });
}

interface Finish {
  found: Changes;
  earlier: InstallRecord;
  wanted: Parameters<typeof carryOut>[1]["wanted"];
  said: Diagnostic[];
  managers: { link: string; manager: string | null }[];
  /** What is left for the operator to do. */
  after?: string | undefined;
}

async function finish(context: Context, root: string, options: InstallOptions, work: Finish): Promise<ExitCode> {
  const { found, said, managers } = work;
  const changes = found.changes.map((change) => ({
    action: change.action,
    path: join(root, change.action === "delete" ? change.path : change.placement.path),
  }));
  const show = (applied: boolean): void => {
    if (context.options.json) {
      context.sayJson({ applied, changes, settled: found.settled.length, managers, diagnostics: said });
    }
  };
  if (!context.options.json) {
    const sign = { create: "+", replace: "~", delete: "-" } as const;
    const colour = { create: "green", replace: "yellow", delete: "red" } as const;
    for (const { action, path } of changes) context.say(context.paint(colour[action], `${sign[action]} ${path}`));
  }
  if (options.dryRun) {
    show(false);
    context.report(said);
    if (!context.options.json && changes.length === 0) context.say("Nothing to do.");
    return changes.length > 0 ? EXIT.changes : EXIT.ok;
  }
  const reload = root === "/" && isSystemdRunning();
  const failed = await carryOut(root, { ...work, reload });
  said.push(...failed);
  show(failed.length === 0);
  context.report(said);
  if (!context.options.json && failed.length === 0) {
    context.say(changes.length > 0 ? `Done: ${changes.length} changes.` : "Nothing to do.");
    if (work.after !== undefined && changes.length > 0) context.say(work.after);
  }
  return failed.length > 0 ? EXIT.failed : EXIT.ok;
}

function checkOptions({ cpus, memory, program, oneShot }: InstallOptions): Diagnostic[] {
  const wrong: [boolean, string, string][] = [
    [cpus !== undefined && !isCpuList(cpus), `--cpus ${cpus} is no list of CPUs`, "Write it like 0,1 or 0-3,8."],
    [
      memory !== undefined && !isMemorySize(memory),
      `--memory ${memory} is no size`,
      "Write it like 64M, at least 48M.",
    ],
    [
      oneShot === true && (cpus ?? memory) !== undefined,
      "--cpus and --memory are the agent's, and --one-shot has none",
      "Take them away.",
    ],
    [program !== undefined && !program.startsWith("/"), `--program ${program} is no absolute path`, "Begin it with /."],
  ];
  return wrong
    .filter(([is]) => is)
    .map(([, summary, remedy]) => ({ code: "usage", severity: "error", summary, remedy }));
}

async function checkProgram(root: string, program: string): Promise<Diagnostic[]> {
  if (/^\/(var\/)?tmp\//.test(program)) {
    return [
      {
        code: "program-out-of-reach",
        // Hooks run it all the same, and are all there is where no systemd runs.
        severity: root === "/" && isSystemdRunning() ? "error" : "warning",
        summary: `no unit could run ${program}`,
        detail: "heddle's services have folders for temporary files of their own.",
        remedy: "Put heddle elsewhere, for example with `make install`, and install it from there.",
      },
    ];
  }
  if (!(await isThere(join(root, program)))) {
    return [
      {
        code: "no-program",
        severity: root === "/" ? "error" : "warning",
        summary: `${join(root, program)} is not there`,
        detail: "It is what the units would run.",
        remedy: "Say with --program where heddle is on the host.",
      },
    ];
  }
  const untrusted = root === "/" ? await findUntrusted(program) : undefined;
  if (!untrusted) return [];
  return [
    {
      code: "program-not-roots",
      severity: "warning",
      summary: `root would run ${program}, and others can change it`,
      detail: `${untrusted.path}: ${untrusted.why}.`,
      remedy: "Put heddle where only root can write, and install it from there.",
    },
  ];
}

/** The file as it is now, if there is one: sections that need the agent cannot do without. */
async function checkFile(context: Context, root: string): Promise<Diagnostic[]> {
  const { config, diagnostics } = await readFileBelow(context, root);
  return config ? refuseAgentSections(config, ROLES, "--one-shot has none") : diagnostics;
}

/** The roles of the file, if there is one that can be read, for which a process of its own has to run. */
async function processesOf(context: Context, root: string): Promise<Set<string>> {
  const { config } = await readFileBelow(context, root);
  const own = (config?.sections ?? []).filter(
    ({ role, value }) => role === "bridge" || (role === "gateway" && (value as Gateway).failover !== undefined),
  );
  return new Set(own.map(({ role }) => role));
}

async function readFileBelow(context: Context, root: string): ReturnType<Context["readConfig"]> {
  const { file } = context.options;
  const path = file === DEFAULT_FILE ? join(root, file) : file;
  return (await isThere(path)) ? context.readConfig(path) : { diagnostics: [] };
}

/** Which manager has which link of this host that matters; of another root's host nobody knows. */
async function readSite(context: Context, root: string, oneShot: boolean): Promise<InstallSite> {
  const programs = await presentManagers(root);
  if (root !== "/" || !oneShot) return { managerOf: {}, ...programs };
  await using session = await openSession(context);
  const links = await session.host.links();
  const named = await linksOfFile(context, session);
  const mattering = links.filter(({ name, addresses, type }) =>
    named ? named.includes(name) : type !== "loopback" && addresses.some(({ scope }) => scope === "global"),
  );
  const { ofLink } = await readManagers(mattering);
  return { managerOf: Object.fromEntries(mattering.map(({ name }) => [name, ofLink[name]])), ...programs };
}

/** The links that the file is about on this host; undefined where there is no file that can be used. */
async function linksOfFile(context: Context, session: Session): Promise<string[] | undefined> {
  if (!(await isThere(context.options.file))) return undefined;
  const { config } = await context.readConfig();
  const { look } = config ? await lookAndPlan(config, session.host, session.memory, session.trace) : {};
  if (!look) return undefined;
  const { want, intent } = look;
  // A link that has no address yet has no objects, and a table all the same.
  const claimed = intent.sections.flatMap(({ view }) => Object.keys(view.tables));
  return [...claimed, ...want.objects.flatMap((object) => linksOf(object, want.objects))];
}

function damagedRecord(root: string): Diagnostic {
  return {
    code: "state-unreadable",
    severity: "error",
    summary: `what was installed below ${root} cannot be told`,
    detail: "installed.json in heddle's state directory is damaged or from a later version of heddle.",
    remedy: "Move it away. Then files of the earlier installation count as somebody else's: see --force.",
  };
}
