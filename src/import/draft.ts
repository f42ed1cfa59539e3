// Owns what an import is before it is text: entries in the words of the role `static`, and what is to be said beside them.
import type { SourceRange } from "../model/diagnostic.ts";

/** A hop in the words of the file. */
export interface HopEntry {
  via?: string;
  link?: string;
  weight?: number;
  onlink?: true;
}

/** A route in the words of the file (roles/static/schema.ts). */
export interface RouteEntry extends HopEntry {
  to: string;
  type?: string;
  hops?: HopEntry[];
  nexthop?: number;
  table?: number | string;
  source?: string;
  from?: string;
  metric?: number;
  tos?: number;
  scope?: string | number;
  preference?: string;
  metrics?: Record<string, number | string | string[]>;
  family?: FamilyName;
}

/** A rule in the words of the file. */
export interface RuleEntry {
  priority?: number;
  not?: true;
  from?: string;
  to?: string;
  iif?: string;
  oif?: string;
  mark?: number;
  mask?: number;
  tos?: number;
  dscp?: number;
  uids?: number | string;
  protocol?: number | string;
  sport?: number | string;
  dport?: number | string;
  table?: number | string;
  action?: string;
  goto?: number;
  suppress_prefixlength?: number;
  suppress_ifgroup?: number;
  family?: FamilyName;
}

export type FamilyName = "ipv4" | "ipv6";

/** Something to be said: beside the file and in it. `note`: nothing is lost; `warning`: something is not in the file. */
export interface Finding {
  severity: "note" | "warning";
  code: string;
  summary: string;
  detail?: string;
  remedy?: string;
  range?: SourceRange;
}

/** A heddle.yaml to be. */
export interface Draft {
  /** What it was made from, for the first line: "this host", "route.service". */
  from: string;
  tables: Record<string, number>;
  rules: RuleEntry[];
  routes: RouteEntry[];
  findings: Finding[];
  /** Blocks of the file that are proposed and therefore stand in comments: a sentence and the text. */
  proposals: Proposal[];
}

/** A part of the file that would say the same in another role. */
export interface Proposal {
  because: string;
  yaml: string;
}

/** A number, or "first-last" where they differ. */
export function rangeText(first: number, last: number): number | string {
  return first === last ? first : `${first}-${last}`;
}
