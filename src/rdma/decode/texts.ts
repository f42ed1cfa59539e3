// Owns how numbers, bytes and addresses are said in reports.
import { formatAddress } from "../../model/ip.ts";

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** "0x" and at least `digits` hexadecimal digits. */
export function hex(number: number | bigint, digits: number): string {
  return `0x${number.toString(16).padStart(digits, "0")}`;
}

/** Hexadecimal digits of bytes. */
export function hexBytes(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let i = at; i < at + length; i++) text += HEX[bytes[i] as number];
  return text;
}

/** Hexadecimal digits of bytes without the zeros at their end. */
export function hexOfUsed(bytes: Uint8Array, at: number, length: number): string {
  let end = at + length;
  while (end > at && bytes[end - 1] === 0) end--;
  return hexBytes(bytes, at, end - at);
}

/** An address of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array, at: number, length: number): string {
  return formatAddress(bytes.subarray(at, at + length));
}
