// Owns the cheap question which nftables tables there are: one netlink dump, where starting `nft` takes milliseconds.
//
// Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h.
import { constants } from "node:os";
import { NFT_FAMILIES, NFT_PREFIX } from "../../model/nft.ts";
import type { NftFamily } from "../../model/nft.ts";
import type { NamespaceFd } from "../native.ts";
import { NLM_F } from "../netlink/constants.ts";
import { dump } from "../netlink/dump.ts";
import { Line } from "../netlink/line.ts";
import { eachAttribute, MalformedMessage } from "../netlink/packet.ts";
import type { Packet } from "../netlink/packet.ts";
import { openTransport } from "../netlink/transport.ts";

export const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_NFTABLES, in the upper byte of a message's type. */
const SUBSYSTEM = 10 << 8;
const NEWTABLE = SUBSYSTEM | 0;
const GETTABLE = SUBSYSTEM | 1;
/** The end of a transaction. */
export const NEWGEN = SUBSYSTEM | 15;
const GETGEN = SUBSYSTEM | 16;
/** Bytes of struct nfgenmsg. */
const HEADER = 4;
const TABLE_NAME = 1;
const GEN_ID = 1;

/** NFPROTO_*, as nft calls them. */
const FAMILIES: Readonly<Record<number, NftFamily>> = { 1: "inet", 2: "ip", 10: "ip6" };

const { EPERM, EPROTONOSUPPORT, EOPNOTSUPP, EINVAL } = constants.errno;

/** A table whose name begins as heddle's do. */
export interface TableRow {
  family: NftFamily;
  name: string;
}

/** A socket to the kernel's nftables. */
export interface TablesSocket {
  /** All tables of heddle's families and prefix. None where the kernel has no nftables. Rejects with HostError. */
  list(signal?: AbortSignal): Promise<TableRow[]>;
  /** How many transactions there have been, modulo 2^32: each one that is committed adds one. */
  generation(): Promise<number>;
  close(): void;
}

/** Opens a socket; undefined where the kernel has no netfilter. Throws HostError. */
export function openTablesSocket(namespace: NamespaceFd): TablesSocket | undefined {
  const buffers = { receiveBuffer: 1 << 20, sendBuffer: 1 << 16 };
  let line: Line;
  try {
    line = new Line(openTransport({ namespace, protocol: NETLINK_NETFILTER, ...buffers }));
  } catch (error) {
    if ((error as { errno?: number }).errno === EPROTONOSUPPORT) return undefined;
    throw error;
  }
  return {
    list: (signal) => listTables(line, signal),
    generation: () => readGeneration(line),
    close: () => line.close(),
  };
}

/** Whether the error says that only who may change the network may look at its nftables. */
export function isNotAllowed(error: unknown): boolean {
  return (error as { errno?: number }).errno === EPERM;
}

async function listTables(line: Line, signal?: AbortSignal): Promise<TableRow[]> {
  const question = {
    object: "nftables tables",
    type: NEWTABLE,
    encode: (encoder: Parameters<typeof ask>[0], flags: number, sequence: number) =>
      ask(encoder, GETTABLE, flags, sequence),
    decode: decodeTable,
    // What a kernel answers for a subsystem that it was built without.
    none: [EOPNOTSUPP, EINVAL],
  };
  return dump<TableRow>(line, question, signal);
}

async function readGeneration(line: Line): Promise<number> {
  const [generation] = await dump<number>(line, {
    object: "nftables generation",
    type: NEWGEN,
    // No dump: one answer, and an acknowledgement that ends the conversation as the end of a dump would.
    encode: (encoder, _flags, sequence) => ask(encoder, GETGEN, NLM_F.REQUEST | NLM_F.ACK, sequence),
    decode(packet, at, end) {
      let id: number | undefined;
      eachAttribute(packet, at + HEADER, end, (type, start, length) => {
        if (type === GEN_ID) id = packet.be32(start, length);
      });
      return id;
    },
  });
  if (generation === undefined) throw new MalformedMessage("nftables has no generation");
  return generation;
}

type Question = Parameters<Parameters<typeof dump>[1]["encode"]>;

function ask(encoder: Question[0], type: number, flags: number, sequence: number): void {
  // All zero: every family, version 0, no resource.
  encoder.finish(encoder.message(type, flags, sequence, HEADER));
}

/** Reads one table; undefined for one that cannot be heddle's. */
function decodeTable(packet: Packet, at: number, end: number): TableRow | undefined {
  packet.need(at, HEADER, end);
  const family = FAMILIES[packet.view.getUint8(at)];
  let name = "";
  eachAttribute(packet, at + HEADER, end, (type, start, length) => {
    if (type === TABLE_NAME) name = packet.text(start, length);
  });
  if (family === undefined || !NFT_FAMILIES.includes(family) || !name.startsWith(NFT_PREFIX)) return undefined;
  return { family, name };
}
