// Owns how a target is written that is asked by more than ping: tcp://ADDRESS:PORT and http://ADDRESS:PORT/PATH.
import { canonicalAddress, familyOf } from "./ip.ts";

/** A target as the file names it. */
export type ProbeTarget =
  | { by: "ping"; address: string }
  | { by: "tcp"; address: string; port: number }
  | { by: "http"; address: string; port: number; path: string };

/** Why a text is no target, and what to write instead. */
export interface NoTarget {
  message: string;
  remedy: string;
}

/** The longest path that is asked for, in characters. */
const MOST_PATH = 256;
const HTTP_PORT = 80;

/** Reads a target. An address alone is asked by ping. */
export function readProbeTarget(text: string): ProbeTarget | NoTarget {
  const [, scheme, inBrackets, plain, port, path] =
    /^(?:([a-z]{1,8}):\/\/)?(?:\[([^\]]*)\]|([^/]*?))(?::(\d{1,5}))?(\/.*)?$/.exec(text) ?? [];
  const bare = canonicalAddress(text);
  if (bare !== undefined) return { by: "ping", address: bare };
  if (scheme === undefined) return noTarget(`"${text}" is no target`);
  if (scheme === "https") {
    return { message: `"${text}" would need TLS, which probes do not speak`, remedy: "Write tcp://ADDRESS:443." };
  }
  if (scheme !== "tcp" && scheme !== "http") return noTarget(`"${scheme}" is no way to ask`);
  if (plain?.includes(":")) {
    // Where the address ends and the port begins cannot be told.
    const message = `the IPv6 address of "${text}" does not stand in brackets`;
    return { message, remedy: `Write it like ${scheme}://[2001:db8::1]:443.` };
  }
  const address = canonicalAddress(inBrackets ?? plain ?? "");
  if (address !== undefined && inBrackets !== undefined && familyOf(address) === 4) {
    return { message: `"${address}" stands in brackets`, remedy: "Only IPv6 addresses do; leave them out." };
  }
  if (address === undefined) {
    return {
      message: `"${inBrackets ?? plain ?? ""}" is not an address`,
      remedy:
        "Write an IP address, of IPv6 in brackets: a name would be looked up by whatever way names are looked up by.",
    };
  }
  const number = port === undefined && scheme === "http" ? HTTP_PORT : Number(port);
  if (!(number >= 1 && number <= 65535)) return noTarget(`"${text}" does not say which port`);
  if (scheme === "tcp") {
    return path === undefined
      ? { by: "tcp", address, port: number }
      : noTarget(`"${text}" has a path, and TCP has none`);
  }
  const asked = path ?? "/";
  // What stands in a request line must not end it (RFC 9112 section 3).
  if (asked.length > MOST_PATH || !/^[\x21-\x7e]+$/.test(asked)) {
    return {
      message: `the path of "${text}" cannot be asked for`,
      remedy: `Write at most ${MOST_PATH} characters of ASCII, without blanks.`,
    };
  }
  return { by: "http", address, port: number, path: asked };
}

/** The target as it is written. */
export function sayProbeTarget(target: ProbeTarget): string {
  if (target.by === "ping") return target.address;
  const host = sayHost(target.address);
  return target.by === "tcp" ? `tcp://${host}:${target.port}` : `http://${host}:${target.port}${target.path}`;
}

/** An address as it stands before a port: of IPv6 in brackets (RFC 3986 section 3.2.2). */
export function sayHost(address: string): string {
  return familyOf(address) === 4 ? address : `[${address}]`;
}

function noTarget(message: string): NoTarget {
  return { message, remedy: "Write tcp://192.0.2.1:443 or http://192.0.2.1:8080/health." };
}
