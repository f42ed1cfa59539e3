// Owns what becomes of numbered messages: how many were heard, and what is wrong with their numbers.

/** The messages of one sender, or of several. */
export interface Account {
  heard: number;
  /** Numbers that were passed over. One that comes late after all counts as reordered, too. */
  missed: number;
  doubled: number;
  reordered: number;
  /** Whose ICRC is wrong. */
  damaged: number;
}

export function newAccount(): Account {
  return { heard: 0, missed: 0, doubled: 0, reordered: 0, damaged: 0 };
}

/** Counts a message whose number comes after `before`; gives the highest number so far. */
export function countMessage(account: Account, before: number, number: number): number {
  account.heard++;
  if (number === before) account.doubled++;
  else if (number < before) account.reordered++;
  else account.missed += number - before - 1;
  return Math.max(before, number);
}
