// Owns IP addresses and prefixes as text and as bytes: strict parsing, one canonical form.
//
// Everywhere in heddle an address is a string in its canonical form (IPv4 dotted decimal without leading zeros;
// IPv6 as RFC 5952 writes it, with an IPv4-mapped address in mixed notation as the kernel and iproute2 print it), so
// that two addresses are equal exactly when their strings are.

/** Address family by its version number, as people say it. */
export type Family = 4 | 6;

/** A prefix taken apart: canonical network (or host) address and length in bits, 0–32 or 0–128. */
export interface PrefixParts {
  family: Family;
  address: string;
  length: number;
}

/** Number of bits of an address of the family. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The family that a text looks like; it need not be valid. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/**
 * Bytes of an address, 4 or 16, in network order; undefined when the text is not exactly one address.
 * Octal, hexadecimal and shortened IPv4 forms ("010.1", "0x7f.1") are refused: they mean different things to
 * different programs. A zone ("%ib0") is refused: the link is said elsewhere.
 */
export function parseAddress(text: string): Uint8Array | undefined {
  return familyOf(text) === 6 ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const number = ipv4Number(text);
  if (number === undefined) return undefined;
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/**
 * The 32 bits of an IPv4 address, which ends before `end` of the text; undefined where parseAddress says so too. Every
 * route of a large file comes by here, so that it is a loop and no pattern.
 */
export function ipv4Number(text: string, end = text.length): number | undefined {
  let number = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit === -2) {
      if (octet < 0 || ++dots > 3) return undefined;
      number = (number << 8) | octet;
      octet = -1;
      continue;
    }
    // A further digit after a leading zero is refused, as octal would be meant by some.
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet >= 0 ? ((number << 8) | octet) >>> 0 : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group of zeros (RFC 4291, 2.2).
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of colon-separated groups; an IPv4 address may stand at the end of the last half. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (last && i === groups.length - 1 && group.includes(".")) {
      const v4 = parseIpv4(group);
      if (!v4) return undefined;
      bytes.push(...v4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** Canonical text of 4 or 16 bytes. Any other number of bytes is a bug and throws RangeError. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatAddress(bytes.subarray(12))}`;
  }
  const zeros = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (zeros.length < 2) return hex.join(":");
  return `${hex.slice(0, zeros.start).join(":")}::${hex.slice(zeros.start + zeros.length).join(":")}`;
}

/** The longest run of zero groups, the first one when several are as long (RFC 5952, 4.2.3). */
function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}

/** Canonical form of an address, or undefined when the text is not one. */
export function canonicalAddress(text: string): string | undefined {
  // There is one way to write an IPv4 address.
  if (familyOf(text) === 4) return ipv4Number(text) === undefined ? undefined : text;
  const bytes = parseIpv6(text);
  return bytes && formatAddress(bytes);
}

/**
 * Takes "10.0.0.0/8" apart; an address alone is a host prefix (/32, /128). Host bits are kept: see networkOf.
 * Undefined when the text is neither.
 */
export function parsePrefix(text: string): PrefixParts | undefined {
  const slash = text.indexOf("/");
  const address = canonicalAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const family = familyOf(address);
  if (slash < 0) return { family, address, length: addressBits(family) };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length > addressBits(family) ? undefined : { family, address, length };
}

/** "address/length", always with the length. */
export function formatPrefix(address: string, length: number): string {
  return `${address}/${length}`;
}

/** A prefix as iproute2 prints it: the address alone when that is all of it ("10.0.0.1" for "10.0.0.1/32"). */
export function shortPrefix(prefix: string): string {
  const { family, address, length } = mustParsePrefix(prefix);
  return length === addressBits(family) ? address : prefix;
}

/** The network of "172.16.34.1/16", that is "172.16.0.0/16". The text must be a valid prefix; otherwise RangeError. */
export function networkOf(prefix: string): string {
  const parts = mustParsePrefix(prefix);
  const bytes = parseAddress(parts.address) as Uint8Array;
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) & maskByte(parts.length, i);
  return formatPrefix(formatAddress(bytes), parts.length);
}

/** Whether the address (or every address of the prefix) lies in the outer prefix. Families that differ never do. */
export function prefixContains(outer: string, inner: string): boolean {
  const o = mustParsePrefix(outer);
  const i = mustParsePrefix(inner);
  if (o.family !== i.family || i.length < o.length) return false;
  const outerBytes = parseAddress(o.address) as Uint8Array;
  const innerBytes = parseAddress(i.address) as Uint8Array;
  return outerBytes.every((byte, n) => ((byte ^ (innerBytes[n] as number)) & maskByte(o.length, n)) === 0);
}

/** The prefix that matches every address of the family: "0.0.0.0/0" or "::/0". */
export function defaultPrefix(family: Family): string {
  return family === 4 ? "0.0.0.0/0" : "::/0";
}

/** Link-local unicast: 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, 2.5.6). */
export function isLinkLocal(address: string): boolean {
  return prefixContains(familyOf(address) === 4 ? "169.254.0.0/16" : "fe80::/10", address);
}

function maskByte(length: number, index: number): number {
  const bits = Math.min(8, Math.max(0, length - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

function mustParsePrefix(prefix: string): PrefixParts {
  const parts = parsePrefix(prefix);
  if (!parts) throw new RangeError(`not a prefix: ${prefix}`);
  return parts;
}

/** Prefixes that the world does not route (RFC 1918, 3927, 6598). */
const NOT_ROUTED4 = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"];
const NOT_ROUTED = [...NOT_ROUTED4, "fc00::/7", "fe80::/10"];

/** Whether an address is one that the world does not route to (RFC 1918, 3927, 6598, 4193, 4291). */
export function isPrivateAddress(address: string): boolean {
  return NOT_ROUTED.some((prefix) => prefixContains(prefix, address));
}

/** Whether an address can be a host's by which others on its subnet reach it: no group, no loopback, none of a link alone. */
export function isHostAddress(address: string): boolean {
  const first = parseAddress(address)?.[0] ?? 0;
  if (familyOf(address) === 6) return first !== 0 && first !== 0xff && !isLinkLocal(address);
  return first !== 0 && first !== 127 && first < 224;
}

/** Whether a text is an address of either version. */
export function isIpAddress(text: string): boolean {
  return canonicalAddress(text) !== undefined;
}
