// Owns who follows whom: of buckets that are to move, which have to have moved before which.

/** A bucket and the member that it shall have. */
export interface Lead {
  bucket: number;
  member: number;
}

/** A bucket on its way, or that is to go once others have moved: from one member to another. */
export interface Going {
  bucket: number;
  /** Bytes a second. */
  rate: number;
  from: number;
  to: number;
}

/**
 * Buckets move when they pause, each in its own time. So who leaves a link because a large one comes to it follows that
 * one, and so does who comes to a link because a large one leaves it.
 */
export class Order {
  /** Large ones, from where they are to where they shall be. */
  readonly #large = new Map<number, Going>();
  readonly #leads = new Map<number, Set<number>>();
  readonly #isLarge: (going: Going) => boolean;

  /** Begins with those that are on their way. */
  constructor(going: readonly Going[], isLarge: (going: Going) => boolean) {
    this.#isLarge = isLarge;
    for (const one of going) if (isLarge(one)) this.#large.set(one.bucket, one);
  }

  /** Notes a step; one bucket may take several. */
  note(step: Going): void {
    const leads = this.#leads.get(step.bucket) ?? new Set<number>();
    this.#leads.set(step.bucket, leads);
    for (const { bucket, rate, from, to } of this.#large.values()) {
      const isReason = from !== to && (to === step.from || from === step.to);
      // What is much smaller than the one that moves is no reason for it.
      if (isReason && 2 * rate >= step.rate && !this.#follows(bucket, step.bucket)) leads.add(bucket);
    }
    const from = this.#large.get(step.bucket)?.from ?? step.from;
    if (this.#isLarge(step)) this.#large.set(step.bucket, { ...step, from });
  }

  /** Whom a bucket follows; `ends` tells where those that move will be. */
  leadsOf(bucket: number, ends: ReadonlyMap<number, number>): Lead[] {
    return [...(this.#leads.get(bucket) ?? [])].flatMap((lead) => {
      const member = ends.get(lead);
      return member === undefined ? [] : [{ bucket: lead, member }];
    });
  }

  /** Whether one is another, or follows it, directly or not. */
  #follows(one: number, other: number): boolean {
    const seen = new Set([one]);
    for (const at of seen) {
      if (at === other) return true;
      for (const lead of this.#leads.get(at) ?? []) seen.add(lead);
    }
    return false;
  }
}
