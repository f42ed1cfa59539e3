// Owns what a host's facts file holds: all that plans, explanations and diagnoses of the host are made from.
import type { Pool } from "./claim.ts";
import type { NeighbourSpec } from "./kinds.ts";
import type { NftTableSpec } from "./nft.ts";
import type { Passing } from "./passing.ts";
import type { HostPicture } from "./picture.ts";
import type { Owners } from "./owners.ts";
import type { Ledger } from "./plan.ts";
import type { CgroupProgramSpec } from "./socket-marks.ts";
import type { TcProgramSpec } from "./spread-program.ts";

/** Version of the file. A later heddle reads earlier ones; an earlier one refuses later ones. */
export const FACTS_VERSION = 1;

/** One host at one moment, to be looked at elsewhere. */
export interface HostFacts {
  version: typeof FACTS_VERSION;
  /** Its name. */
  host: string;
  /** Without files. */
  picture: HostPicture;
  /** Neighbours that somebody stated, with whose they are. */
  neighbours: NeighbourSpec[];
  /** Nftables tables of heddle's. */
  nftTables: NftTableSpec[];
  /** Programs that mark sockets. */
  programs: CgroupProgramSpec[];
  /** Programs that spread packets. */
  spreads: TcProgramSpec[];
  /** Whom heddle.yaml names there, as far as the host knows them. */
  owners: Owners;
  /** What heddle remembers there: earlier values, what was applied. */
  ledger: Ledger;
  /** What passes packets on there, as heddle.yaml has it; absent in files that earlier versions of heddle wrote. */
  passing?: Passing;
  /** Numbers drawn there: a plan made elsewhere draws the same. */
  numbers: Record<Pool, Record<string, number>>;
}
