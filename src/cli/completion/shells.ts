// Owns the list of shells that heddle completes its command line for.

/** In the order in which help tells of them. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];
