// Owns the text form of a spec that is compared: fields in one order, absent ones left out.

/** JSON with sorted keys, without the named fields. Two specs are equal exactly when their texts are. */
export function canonicalText(spec: object, without: readonly string[] = []): string {
  return JSON.stringify(spec, (key, value: unknown) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    const sorted: Record<string, unknown> = {};
    for (const name of Object.keys(value).sort()) {
      if (key === "" && without.includes(name)) continue;
      sorted[name] = (value as Record<string, unknown>)[name];
    }
    return sorted;
  });
}

/**
 * Whether two specs are equal as data, an undefined field being an absent one. Where they are, their texts are too; it
 * is asked for every object of a host, most of which are as they should be, and to write texts takes ten times longer.
 */
export function isSameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => isSameData(one, b[i]));
  if (Array.isArray(b)) return false;
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>];
  // Not by Object.keys, which makes a list each time.
  for (const key in one) if (!isSameData(one[key], other[key])) return false;
  for (const key in other) if (other[key] !== undefined && !(key in one)) return false;
  return true;
}

/**
 * A short text that stands for a long one, 64 bits in base 36: FNV-1a twice, from two starts. Chance makes two texts
 * collide once in many lives; then a reason reads "drift" where it should read "changed", and nothing else.
 */
export function fingerprint(text: string): string {
  let [one, other] = [0x811c9dc5, 0x9e3779b9];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ code, 0x01000193) ^ (other >>> 15);
  }
  return `${(one >>> 0).toString(36)}-${(other >>> 0).toString(36)}`;
}
