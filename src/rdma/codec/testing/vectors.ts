// Owns the golden packets of test/vectors as tests see them.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../../../../test/vectors");

export interface Vector {
  name: string;
  link: "ethernet" | "infiniband";
  desc: string;
  /** The packet that carries the same message on the other side. */
  pair: string | null;
  bytes: Uint8Array;
  fields: Record<string, number | string>;
  /** Bytes in the order of the wire, as hexadecimal. */
  icrc: string;
  vcrc?: string;
}

/** Bytes of hexadecimal digits. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Hexadecimal digits of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Every packet of vectors.json. */
export function readVectors(): Vector[] {
  const text = readFileSync(join(folder, "vectors.json"), "utf8");
  const { vectors } = JSON.parse(text) as { vectors: (Omit<Vector, "bytes"> & { hex: string })[] };
  return vectors.map(({ hex, ...rest }) => ({ ...rest, bytes: fromHex(hex) }));
}

/** The packet of a name. */
export function vector(name: string): Vector {
  const found = readVectors().find((one) => one.name === name);
  if (!found) throw new Error(`there is no golden packet ${name}`);
  return found;
}

export interface SaExchange {
  name: string;
  slid: number;
  dlid: number;
  status: string;
  request: Uint8Array;
  response: Uint8Array;
}

/** Every exchange of sa-mads.json. */
export function readSaExchanges(): SaExchange[] {
  const text = readFileSync(join(folder, "sa-mads.json"), "utf8");
  const { mads } = JSON.parse(text) as { mads: Record<keyof SaExchange, string>[] };
  return mads.map(({ name, slid, dlid, status, request, response }) => {
    return {
      name,
      status,
      slid: Number(slid),
      dlid: Number(dlid),
      request: fromHex(request),
      response: fromHex(response),
    };
  });
}

/** Frames of real hosts, as tcpdump wrote them: a join of 239.192.7.9, and what a host says when its link comes up. */
export const IGMP_JOIN =
  "01005e000016525400010000080046c00028000040000102f64fc0a84d01e0000016940400002200e3340000000104000000efc00709";
export const MLD_JOIN =
  "33330000001652540002000086dd600000000024000100000000000000000000000000000000ff020000000000000000000000000016" +
  "3a000502000001008f006f880000000104000000ff0200000000000000000001ff020000";
