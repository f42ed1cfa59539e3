// Owns the step from single answers to a verdict: pure, so that flapping can be tested without waiting.

/** How many answers in a row it takes. */
export interface Thresholds {
  /** Answers that make it well. */
  rise: number;
  /** Missing answers that make it ill. */
  fall: number;
}

export const THRESHOLDS: Thresholds = { rise: 3, fall: 3 };

/** What is known of a target. */
export interface Verdict {
  /** Absent until the first verdict. */
  well?: boolean;
  /** Answers in a row that are not as the verdict says; of the first ones, all. */
  against: number;
  /** The last answer. */
  last?: boolean;
}

/** Nothing is known. */
export function noVerdict(): Verdict {
  return { against: 0 };
}

/**
 * The verdict after one more answer, or the lack of one. A target is what it was until enough answers in a row say the
 * contrary; the very first verdict takes one answer, so that nothing waits for what works.
 */
export function judgeAnswer(verdict: Verdict, answered: boolean, { rise, fall }: Thresholds): Verdict {
  if (answered === verdict.well) return { well: answered, against: 0, last: answered };
  const against = verdict.last === answered ? verdict.against + 1 : 1;
  const needed = verdict.well === undefined && answered ? 1 : answered ? rise : fall;
  if (against >= needed) return { well: answered, against: 0, last: answered };
  return { ...verdict, against, last: answered };
}
