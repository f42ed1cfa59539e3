// Owns what is left out of what a host tells about itself: values under keys that are secrets by their names.

/** Keys whose values nobody but the host should know. */
const SECRET = /pass|secret|token|auth|psk|credential|private|(?:^|[-_])key$/i;

/** What stands in a secret's place. */
export const LEFT_OUT = "<left out>";

/** The value without what is secret, however deep it stands. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, SECRET.test(key) ? LEFT_OUT : withoutSecrets(inner)]),
  );
}
