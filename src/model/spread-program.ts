// Owns the nouns of the kind "tcProgram": BPF programs at links that give every packet to one of several links.

/** How a packet comes to leave by its member. */
export type SpreadMechanism = "mark" | "redirect" | "fast";

/** What decides which member a bucket has: the loads that are measured, or the weights alone. */
export type SpreadBasis = "load" | "hash";

/** A link that takes part. */
export interface SpreadMember {
  /** 1–15, stable while others come and go: packets and maps carry it. */
  number: number;
  link: string;
  /** Share, 1–256. */
  weight: number;
  /** Next hops, at most one for each IP version; where there is none the destination is on the link itself. */
  via?: string[];
  /** It sends frames that are passed on before the kernel makes packets of them. */
  takesFrames?: true;
}

/** Packets of one section, and the links that they are spread over. */
export interface SpreadSpec {
  /** The section: "opa". */
  name: string;
  mechanism: SpreadMechanism;
  by: SpreadBasis;
  /** Destination prefixes; "0.0.0.0/0" and "::/0" with `of`. */
  to: string[];
  /** The one link whose packets are meant: what this host would send by it were there no spreading. */
  of?: string;
  /** For "fast": addresses in `to` that are this host's own, or everybody's, and have to go through the IP stack. */
  except?: string[];
  /** What this host itself sends is meant as well. */
  local?: true;
  /** Bits of the mark that are this section's: `shift` zeros, then as many ones as numbers of members take. */
  mask: number;
  shift: number;
  /** Milliseconds without a packet after which a bucket may change its member. */
  gapMs: number;
  /** Milliseconds after which a bucket that shall move and does not pause moves all the same; absent means never. */
  busyMs?: number;
  members: SpreadMember[];
}

/** Everything that heddle's programs at links do in one network namespace. Where buckets are is nobody's wish. */
export interface TcProgramSpec {
  program: "spread";
  /** Links at whose ingress packets are looked at. */
  ingress: string[];
  /** Links at whose egress they are. */
  egress: string[];
  /** Links whose frames are looked at before the kernel makes packets of them (XDP); absent means none. */
  frames?: string[];
  spreads: SpreadSpec[];
  /** It is not at all of its links, or is another build: it has to be put in place again. */
  broken?: true;
}

/** Beside a member's number in a placement: the bucket moves at once, though it does not pause. */
export const AT_ONCE = 0x80;

/** Bounds of the programs (native/bpf/spread.h). */
export const SPREAD_BOUNDS = { spreads: 16, members: 15, buckets: 1024, prefixes: 4096 } as const;
