// Owns how text becomes one word of a shell in the manner of Bourne's.

/** The text in single quotes (sh(1)), as bash and zsh read them. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
