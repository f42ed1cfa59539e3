// Owns the kind "nftTable" on a real host: tables listed and swapped through `nft`, which is started only for them.
import { constants } from "node:os";
import type { NftTableSpec } from "../../model/nft.ts";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { nftTableRules } from "../../plan/kinds/nft-table.ts";
import { HostError } from "../error.ts";
import { findProgram } from "../program.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { NamespaceFd } from "../native.ts";
import { createCommands, deleteCommands, hasOtherSets, listCommand, readListing, transaction } from "./json.ts";
import type { Command } from "./json.ts";
import { runNft } from "./process.ts";
import type { Refusal } from "./process.ts";
import { isNotAllowed, openTablesSocket } from "./tables.ts";
import type { TableRow, TablesSocket } from "./tables.ts";

const { ENOENT } = constants.errno;

/** A refusal, and the index of the command that it is about. */
type Blamed = Refusal & { command: number };

/** The driver, and the end of its socket. */
export interface NftTableDriver extends KindDriver<"nftTable"> {
  /** Whether tables can be made: the program is there, and the kernel has nftables, as far as this process may ask it. */
  canMake(): Promise<boolean>;
  close(): void;
}

/**
 * Tables of a namespace whose names begin as heddle's do. Listing asks the kernel for names by netlink and starts `nft`
 * for each of heddle's; a host without nftables has none. Every step is one transaction.
 */
export function nftTableDriver(namespace: NamespaceFd, path?: readonly string[]): NftTableDriver {
  let opened: TablesSocket | undefined;
  const socket = (): TablesSocket | undefined => (opened ??= openTablesSocket(namespace));
  const run = (words: readonly string[], commands: readonly Command[], signal?: AbortSignal) =>
    runNft(namespace, words, transaction(commands), signal, path);

  /** A table as it is now; undefined when it went away since it was named. */
  const read = async (
    row: Pick<TableRow, "family" | "name">,
    signal?: AbortSignal,
  ): Promise<NftTableSpec | undefined> => {
    // What rules put into sets is no part of a table, and may be a hundred thousand elements.
    const short = await run(["-j", "-t"], [listCommand(row)], signal);
    const answer = "text" in short && hasOtherSets(short.text) ? await run(["-j"], [listCommand(row)], signal) : short;
    if ("text" in answer) return readListing(answer.text, row);
    if (answer.refusal.errno === ENOENT) return undefined;
    throw refused(answer.refusal, `nftTable ${row.family} ${row.name}`);
  };

  /** One transaction: undefined when it was done, otherwise why not and because of which command. */
  const change = async (commands: readonly Command[]): Promise<Blamed | undefined> => {
    const answer = await run(["-j"], commands);
    if ("text" in answer) return undefined;
    return { ...answer.refusal, command: answer.refusal.command ?? (await firstRefused(commands, run)) };
  };

  const make = async (spec: NftTableSpec, earlier: readonly Command[]): Promise<Observed<"nftTable"> | undefined> => {
    const object = nftTableRules.identify(spec);
    const commands = [...earlier, ...createCommands(spec)];
    const before = await socket()?.generation();
    const refusal = await change(commands);
    if (refusal && refusal.command < earlier.length) throw new HostError({ errno: refusal.errno, object });
    if (refusal) throw refused(refusal, object, commands[refusal.command]);
    // The step is done: that it cannot be looked at now is no failure of it.
    const listed = await read(spec).catch(() => undefined);
    const after = await socket()?.generation();
    // Somebody else's transaction between ours and the listing may have changed what was listed: better no words of the
    // kernel's than wrong ones.
    const undisturbed = before !== undefined && after === (before + 1) >>> 0;
    return listed && undisturbed ? observe(listed) : undefined;
  };

  const performOne = async (step: Step): Promise<Observed<"nftTable"> | undefined> => {
    if (step.action === "create") return make(specOf(step.after), []);
    if (step.action === "replace") return make(specOf(step.after), deleteCommands(specOf(step.after)));
    const spec = specOf(step.before);
    const commands = deleteCommands(spec);
    const refusal = await change(commands);
    // What is not there, or not ours, needs no deletion.
    if (!refusal || refusal.errno === ENOENT) return undefined;
    throw refused(refusal, nftTableRules.identify(spec), commands[refusal.command]);
  };

  return {
    async list(_links, scope, signal) {
      let rows: TableRow[];
      try {
        rows = (await socket()?.list(signal)) ?? [];
      } catch (error) {
        if (isNotAllowed(error) && !scope.nftTables) return [];
        throw error;
      }
      const listed = await Promise.all(rows.map((row) => read(row, signal)));
      return listed.flatMap((one) => (one ? [observe(one)] : []));
    },

    async perform(steps) {
      const results: StepResult[] = [];
      for (const step of steps) {
        try {
          // One after the other, each a transaction of its own: one that is refused does not stop the others.
          const made = await performOne(step);
          results.push(made ? { step, made } : { step });
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
          results.push({ step, error });
        }
      }
      return results;
    },

    async canMake() {
      try {
        findProgram("nft", "nftables", path);
        return (await socket()?.generation()) !== undefined;
      } catch (error) {
        // Whoever may not ask takes the kernel to be a usual one.
        if (error instanceof HostError) return isNotAllowed(error);
        throw error;
      }
    },

    close: () => opened?.close(),
  };
}

/**
 * The index of the first command that nft refuses. nft 1.0.6 does not say which command of a JSON transaction the
 * kernel refused, but the commands up to one can be tried without being done.
 */
async function firstRefused(
  commands: readonly Command[],
  run: (words: readonly string[], commands: readonly Command[]) => ReturnType<typeof runNft>,
): Promise<number> {
  let [good, bad] = [0, commands.length];
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    const answer = await run(["-c", "-j"], commands.slice(0, middle));
    if ("text" in answer) good = middle;
    else bad = middle;
  }
  return bad - 1;
}

/** What `nft` refused, with the offending object where that is known. */
function refused({ errno, words }: Refusal, object: string, blamed?: Command): HostError {
  const culprit = blamed && JSON.stringify(Object.values(blamed)[0]);
  const kernelMessage = culprit === undefined ? words : `${words}, in ${culprit.slice(0, 400)}`;
  return new HostError({ errno, object, kernelMessage });
}

function specOf(object: { kind: string; spec: unknown }): NftTableSpec {
  if (object.kind !== "nftTable") throw new Error(`an object of another kind was given to a driver: ${object.kind}`);
  return object.spec as NftTableSpec;
}

function observe(spec: NftTableSpec): Observed<"nftTable"> {
  return { kind: "nftTable", spec, key: nftTableRules.identify(spec) };
}
