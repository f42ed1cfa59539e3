// Owns where the parts of a plain file stand: offsets kept small while it is read, lines and columns when asked for.
import type { Position, SourceRange } from "../model/diagnostic.ts";

/** Files larger than this are refused unread, in UTF-16 code units: the largest sensible one is far smaller. */
export const MAX_LENGTH = 8 * 1024 * 1024;

/** Where one part of the file stands. */
export interface Places {
  /** The key, or the item itself in a list. */
  key: SourceRange;
  value: SourceRange;
}

/** A file as it was read, not checked yet. */
export interface FileValue {
  value: unknown;
  /** The place of a path; undefined where nothing stands there. The root has one. */
  place(path: readonly PropertyKey[]): Places | undefined;
}

/** The offsets of a mapping or a list, and of what is in it. */
export interface Place {
  start: number;
  end: number;
  /** Of each entry in its order: start and end, in a mapping those of the key and then those of the value. */
  offsets: number[];
  /** Entries that are mappings or lists themselves, by where the value's start stands among the offsets. */
  below: Map<number, Place> | undefined;
}

/** Gives the place of any path of a value that was read from the text; undefined where the path leads nowhere. */
export function placeFinder(value: unknown, root: Place, text: string, file: string): FileValue["place"] {
  let lines: number[] | undefined;
  const position = (offset: number): Position => positionAt((lines ??= lineStarts(text)), offset);
  const rangeOf = (start: number, end: number): SourceRange => ({ file, start: position(start), end: position(end) });

  // Asked once for every route of a large file, so that it makes nothing on its way.
  return (path) => {
    let at: unknown = value;
    let place: Place | undefined = root;
    let [keyStart, keyEnd, start, end] = [root.start, root.end, root.start, root.end];
    for (const step of path) {
      if (!place || at === null || typeof at !== "object" || !Object.hasOwn(at, step)) return undefined;
      const { offsets, below }: Place = place;
      const inList = Array.isArray(at);
      const entry = inList ? Number(step) * 2 : Object.keys(at).indexOf(String(step)) * 4;
      const own = inList ? entry : entry + 2;
      keyStart = offsets[entry] as number;
      keyEnd = offsets[entry + 1] as number;
      start = offsets[own] as number;
      end = offsets[own + 1] as number;
      place = below?.get(own);
      at = (at as Record<PropertyKey, unknown>)[step];
    }
    const own = rangeOf(start, end);
    return { key: keyStart === start && keyEnd === end ? own : rangeOf(keyStart, keyEnd), value: own };
  };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function positionAt(starts: readonly number[], offset: number): Position {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (starts[low] as number) + 1 };
}
