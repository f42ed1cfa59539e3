// Owns the first line of an HTTP answer, which is all of it that a probe reads (RFC 9112 section 4).

/** The longest line that is read, in bytes: a version, a number, and a reason that nobody reads. */
export const MOST_STATUS_BYTES = 512;

/** The status, "more" while the line is not whole, "broken" when it never will be one. */
export function readStatus(bytes: Uint8Array): number | "more" | "broken" {
  const end = bytes.indexOf(0x0a);
  if (end < 0 ? bytes.length >= MOST_STATUS_BYTES : end >= MOST_STATUS_BYTES) return "broken";
  // A server of another kind is found out by its first bytes.
  const start = "HTTP/1.";
  for (let i = 0; i < Math.min(bytes.length, start.length); i++) if (bytes[i] !== start.charCodeAt(i)) return "broken";
  if (end < 0) return "more";
  const line = String.fromCharCode(...bytes.subarray(0, end));
  const [, status] = /^HTTP\/1\.\d ([1-9]\d\d)(?: [^\r]*)?\r?$/.exec(line) ?? [];
  return status === undefined ? "broken" : Number(status);
}

/** Whether a status says that the server does what it is there for: it answers, or sends elsewhere (RFC 9110 section 15). */
export function isWellStatus(status: number): boolean {
  return status >= 200 && status < 400;
}

/** What is asked. `host` is as it stands in a URL. The connection is not kept. */
export function requestFor(host: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: heddle\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
}
