// Owns fences of a page that a comment before them gives a meaning to.

/** What stands in the fence below a comment `MARK` or `MARK: WORD`. */
export interface MarkedBlock {
  /** Empty where none stands. */
  word: string;
  text: string;
}

/** The fences that a mark stands before. */
export function markedBlocks(page: string, mark: string): MarkedBlock[] {
  const found = page.matchAll(new RegExp(`^<!-- ${mark}(?:: (\\S+))? -->\\n\`\`\`\\w*\\n([\\s\\S]*?)^\`\`\`$`, "gm"));
  return [...found].map(([, word = "", text = ""]) => ({ word, text }));
}
