// Owns what is read of Markdown: the few forms that the manual is written in.

/** A block between fences. */
export interface CodeBlock {
  /** The first word behind the fence; empty where none stands. */
  language: string;
  /** What stands between the fences, with a line feed at its end. */
  text: string;
  /** The line of the first fence, from 1. */
  line: number;
}

/** The blocks between fences of a page. */
export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: CodeBlock | undefined;
  for (const [index, line] of page.split("\n").entries()) {
    const fence = /^```(\w*)/.exec(line);
    if (fence && open) {
      blocks.push(open);
      open = undefined;
    } else if (fence) open = { language: fence[1] ?? "", text: "", line: index + 1 };
    else if (open) open.text += `${line}\n`;
  }
  if (open) throw new Error(`the fence of line ${open.line} is not closed`);
  return blocks;
}
