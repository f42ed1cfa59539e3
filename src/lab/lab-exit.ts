// Owns the exit codes of `heddle lab`.

/** `usage` is EX_USAGE of sysexits.h, as everywhere in heddle. A run that a signal ends gives 128 + its number. */
export const LAB_EXIT = { passed: 0, failed: 1, usage: 64 } as const;
