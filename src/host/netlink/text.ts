// Owns the texts of addresses where thousands are read or written: the same as model/ip.ts has it, without garbage.
import { formatAddress } from "../../model/ip.ts";

const DECIMAL: readonly string[] = Array.from({ length: 256 }, (_, i) => String(i));
const DOTTED: readonly string[] = DECIMAL.map((text) => `${text}.`);
const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** Canonical text of the 4 or 16 bytes at `at`, which the caller has checked to be there. */
export function formatBytes(bytes: Uint8Array, at: number, length: number): string {
  if (length !== 4) return formatSixteen(bytes, at);
  return (
    (DOTTED[bytes[at] as number] as string) +
    (DOTTED[bytes[at + 1] as number] as string) +
    (DOTTED[bytes[at + 2] as number] as string) +
    (DECIMAL[bytes[at + 3] as number] as string)
  );
}

function formatSixteen(bytes: Uint8Array, at: number): string {
  // The leading groups tell whether it may be IPv4-mapped, which is left to the slow path with its special form.
  const first = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (first === 0) return formatAddress(bytes.subarray(at, at + 16));
  let best = 0;
  let bestLength = 1;
  let run = 0;
  for (let i = 1; i <= 8; i++) {
    if (i < 8 && bytes[at + 2 * i] === 0 && bytes[at + 2 * i + 1] === 0) {
      run++;
      continue;
    }
    if (run > bestLength) {
      bestLength = run;
      best = i - run;
    }
    run = 0;
  }
  let text = first.toString(16);
  for (let i = 1; i < 8; i++) {
    if (best !== 0 && i === best) {
      text += i + bestLength === 8 ? "::" : ":";
      i += bestLength - 1;
    } else {
      text += `:${(((bytes[at + 2 * i] as number) << 8) | (bytes[at + 2 * i + 1] as number)).toString(16)}`;
    }
  }
  return text;
}

/** Bytes as lower-case hexadecimal with colons, "" for none. */
export function formatHex(bytes: Uint8Array, at: number, length: number): string {
  if (length === 0) return "";
  let text = HEX[bytes[at] as number] as string;
  for (let i = at + 1; i < at + length; i++) text += `:${HEX[bytes[i] as number]}`;
  return text;
}

const PAIRS = /^[0-9a-f]{2}(:[0-9a-f]{2})*$/;

/** The bytes of a hardware address as formatHex writes it. RangeError for any other text. */
export function parseHex(text: string): Uint8Array {
  if (text === "") return new Uint8Array(0);
  if (!PAIRS.test(text)) throw new RangeError(`not a hardware address: ${text}`);
  return Uint8Array.from(text.split(":"), (pair) => Number.parseInt(pair, 16));
}
