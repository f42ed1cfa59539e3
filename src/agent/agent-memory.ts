// Owns the memory of an agent: read once, since it is the only writer; written whenever it changes; and kept in the
// process while it cannot be written, because a full disk is no reason to leave routing broken.
import type { NamedTable } from "../plan/name-tables.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Ledger } from "../model/plan.ts";
import type { Signal } from "../model/signals.ts";
import type { Numbers } from "../plan/numbers.ts";
import type { KnownOwners } from "../plan/recall-owners.ts";
import type { Keeper } from "./change.ts";
import type { Memory } from "./look.ts";

/** State in memory before files. */
export class AgentMemory implements Keeper {
  readonly #files: Keeper;
  #memory: Memory;
  /** What could not be written yet. */
  readonly #unwritten = new Map<keyof Memory, Error>();
  /** Whether a write that fails is put off instead: true while the agent repairs by itself. */
  tolerant = false;

  private constructor(files: Keeper, memory: Memory) {
    this.#files = files;
    this.#memory = memory;
  }

  /** Reads what is there, with what is to be said of it. */
  static async open(files: Keeper): Promise<{ memory: AgentMemory; diagnostics: Diagnostic[] }> {
    const { diagnostics, ...memory } = await files.read();
    return { memory: new AgentMemory(files, memory), diagnostics };
  }

  async read(): Promise<Memory & { diagnostics: Diagnostic[] }> {
    // Others write those.
    return { ...this.#memory, signals: await this.#files.readSignals(), diagnostics: [] };
  }

  readSignals(): Promise<Signal[]> {
    return this.#files.readSignals();
  }

  async writeLedger(ledger: Ledger): Promise<void> {
    await this.#write("ledger", () => this.#files.writeLedger(ledger));
    this.#memory = { ...this.#memory, ledger };
  }

  async writeNumbers(numbers: Numbers): Promise<void> {
    await this.#write("numbers", () => this.#files.writeNumbers(numbers));
    this.#memory = { ...this.#memory, numbers };
  }

  async writeKnown(known: KnownOwners): Promise<void> {
    await this.#write("known", () => this.#files.writeKnown(known));
    this.#memory = { ...this.#memory, known };
  }

  async writeTableNames(tables: readonly NamedTable[], numbers: Numbers): Promise<void> {
    await this.#files.writeTableNames(tables, numbers);
  }

  /** Why the state on disk is older than the one in memory; absent when it is not. */
  get trouble(): Error | undefined {
    return [...this.#unwritten.values()][0];
  }

  /** Tries again to write what could not be written. */
  async catchUp(): Promise<void> {
    const tolerant = this.tolerant;
    this.tolerant = true;
    if (this.#unwritten.has("ledger")) await this.writeLedger(this.#memory.ledger);
    if (this.#unwritten.has("numbers")) await this.writeNumbers(this.#memory.numbers);
    if (this.#unwritten.has("known")) await this.writeKnown(this.#memory.known);
    this.tolerant = tolerant;
  }

  async #write(what: keyof Memory, write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#unwritten.delete(what);
    } catch (error) {
      if (!this.tolerant) throw error;
      this.#unwritten.set(what, error instanceof Error ? error : new Error(String(error)));
    }
  }
}
