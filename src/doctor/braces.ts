// Owns the reading of files that are made of words, lines and braces, as keepalived's and conntrackd's are.

/** A line, with the lines in the braces behind it. */
export interface Block {
  words: string[];
  inside: Block[];
}

/** Deeper files than this are none of theirs. */
const DEEPEST = 16;

/** The lines of a file. Comments begin with # or !. What is not closed ends with the file. */
export function readBraces(text: string): Block[] {
  const root: Block[] = [];
  const open: Block[][] = [root];
  for (const line of text.split("\n")) {
    const tokens = line.replace(/[#!].*$/, "").match(/[{}]|[^\s{}]+/g) ?? [];
    let words: string[] = [];
    const end = (): Block => {
      const block: Block = { words, inside: [] };
      if (words.length > 0) open.at(-1)?.push(block);
      words = [];
      return block;
    };
    for (const token of tokens) {
      if (token === "{" && open.length < DEEPEST) open.push(lastOf(open, words, end).inside);
      else if (token === "}") {
        end();
        if (open.length > 1) open.pop();
      } else if (token !== "{") words.push(token);
    }
    end();
  }
  return root;
}

/** What a brace belongs to: the words before it, or the line above. */
function lastOf(open: readonly Block[][], words: readonly string[], end: () => Block): Block {
  return words.length > 0 ? end() : (open.at(-1)?.at(-1) ?? end());
}

/** The blocks of a keyword, at any depth. */
export function blocksOf(blocks: readonly Block[], keyword: string): Block[] {
  return blocks.flatMap((block) => [
    ...(block.words[0] === keyword ? [block] : []),
    ...blocksOf(block.inside, keyword),
  ]);
}

/** The word behind a keyword among the lines of a block. */
export function wordOf({ inside }: Block, keyword: string): string | undefined {
  return inside.find(({ words }) => words[0] === keyword)?.words[1];
}
