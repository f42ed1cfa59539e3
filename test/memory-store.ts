// Owns a store of heddle's memory that is no file.
import type { Memory } from "../src/agent/look.ts";
import { emptyLedger } from "../src/model/plan.ts";
import { emptyNumbers } from "../src/plan/numbers.ts";
import { noKnownOwners } from "../src/plan/recall-owners.ts";

/** Remembers as files would: what is read is a copy of what was written. */
export class MemoryStore {
  memory: Memory = { ledger: emptyLedger(), numbers: emptyNumbers(), known: noKnownOwners() };
  writeLedger = async (ledger: Memory["ledger"]): Promise<void> => {
    this.memory = { ...this.memory, ledger: structuredClone(ledger) };
  };
  writeNumbers = async (numbers: Memory["numbers"]): Promise<void> => {
    this.memory = { ...this.memory, numbers: structuredClone(numbers) };
  };
  writeKnown = async (known: Memory["known"]): Promise<void> => {
    this.memory = { ...this.memory, known: structuredClone(known) };
  };
}
