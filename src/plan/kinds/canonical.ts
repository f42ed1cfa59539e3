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
