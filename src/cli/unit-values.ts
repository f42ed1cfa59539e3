// Owns the check of values that go into units.

/** Node's own needs, in bytes: below, the agent would be killed as it starts. */
const LEAST_MEMORY = 48 * 1024 * 1024;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Whether a text lists CPUs as CPUAffinity= has them: numbers and ranges, with commas or blanks between. */
export function isCpuList(text: string): boolean {
  const parts = text.split(/[, ]/);
  return parts.every((part) => {
    const [, first = "", last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    return first !== "" && Number(first) <= Number(last) && Number(last) < 8192;
  });
}

/** Whether a text is a size as MemoryMax= has it, and enough for the agent to live. */
export function isMemorySize(text: string): boolean {
  const [, digits, unit = ""] = /^(\d{1,12})([KMGT]?)$/.exec(text) ?? [];
  return digits !== undefined && Number(digits) * (UNITS[unit] ?? 0) >= LEAST_MEMORY;
}
