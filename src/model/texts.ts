// Owns the noun for the texts of a configuration, wherever they are kept: shown, sent, saved or confirmed.

/** The text of a configuration, and the texts of the files that it names. */
export interface Texts {
  /** Path of the file. */
  file: string;
  text: string;
  /** By path. */
  beside?: Readonly<Record<string, string>> | undefined;
}

/** The same where there may be no text: heddle was told to take everything away. */
export type MaybeTexts = Pick<Texts, "beside"> & { text?: string | undefined };

/** Whether two configurations have the same words, wherever they were read. */
export function areSameTexts(a: MaybeTexts, b: MaybeTexts): boolean {
  const [mine, other] = [a.beside ?? {}, b.beside ?? {}];
  const paths = Object.keys(mine);
  return (
    a.text === b.text &&
    paths.length === Object.keys(other).length &&
    paths.every((path) => Object.hasOwn(other, path) && mine[path] === other[path])
  );
}
