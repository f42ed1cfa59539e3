// Owns the tables of the model of a host, and what all of its kinds have in common.
import { constants } from "node:os";
import type { LinkFact } from "../../model/facts.ts";
import type { NeighbourSpec, NexthopSpec, RouteSpec, RuleSpec } from "../../model/kinds.ts";
import type { NftTableSpec } from "../../model/nft.ts";
import type { Owners } from "../../model/owners.ts";
import type { CgroupProgramSpec } from "../../model/socket-marks.ts";
import type { TcProgramSpec } from "../../model/spread-program.ts";
import { HostError } from "../error.ts";

/** RTPROT_KERNEL: what the kernel makes by itself. */
export const KERNEL = 2;

/** The tables. Tests change them to play the part of other programs. */
export interface FakeState {
  links: LinkFact[];
  routes: RouteSpec[];
  rules: RuleSpec[];
  nexthops: NexthopSpec[];
  neighbours: NeighbourSpec[];
  sysctls: Map<string, string>;
  nftTables: NftTableSpec[];
  programs: CgroupProgramSpec[];
  tcPrograms: TcProgramSpec[];
  /** Whom the name service knows. */
  owners: Owners;
}

/** The link of the name; refuses with ENODEV where there is none. */
export function linkOf(state: FakeState, name: string): LinkFact {
  const link = state.links.find((candidate) => candidate.name === name);
  if (!link) throw refusal(constants.errno.ENODEV, `link ${name}`);
  return link;
}

/** What the kernel says when it does not do something. */
export function refusal(errno: number, object: string): HostError {
  return new HostError({ errno, object });
}
