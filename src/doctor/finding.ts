// Owns what a finding is: what was found, its consequence, its remedy.
import type { Severity } from "../model/diagnostic.ts";
import type { HostPicture } from "../model/picture.ts";

/** Every code there is, in the order of docs/DOCTOR.md. They are an interface: scripts match on them. */
export const CODES = [
  "same-subnet",
  "arp-flux",
  "strict-rp-filter",
  "shadowed-rule",
  "empty-table",
  "goto-nowhere",
  "detached-rule",
  "duplicate-address",
  "dad-failed",
  "no-carrier-route",
  "no-carrier-leg",
  "dead-leg",
  "networkd-foreign",
  "nftables-flush",
  "firewalld-flush",
  "iptables-restore",
  "forward-drop",
  "ipoib-mtu-differs",
  "ipoib-mtu-odd",
  "child-mtu",
  "route-mtu",
  "missing-feature",
  "egress-fallback",
  "whole-mark",
  "equal-rules",
  "equal-defaults",
  "default-down",
  "vrrp-same-id",
  "vrrp-interval",
  "vrrp-no-uplink",
  "vrrp-masquerade",
  "sync-public",
  "conntrack-loose",
  "conntrack-full",
  "rdma-port-down",
  "rdma-no-manager",
  "rdma-gid-type",
  "bridge-no-manager",
  "bridge-group-differs",
  "bridge-group-refused",
  "bridge-q-key",
  "bridge-group-mtu",
  "bridge-group-rate",
  "bridge-no-querier",
  "bridge-members-untold",
  "bridge-doubled-host",
  "not-looked-at",
] as const;

/** Names a finding, and its line in docs/DOCTOR.md. */
export type Code = (typeof CODES)[number];

/** What to do about a finding. */
export interface Remedy {
  /** A full sentence or two. */
  text: string;
  /** A piece of heddle.yaml, where heddle cures it. */
  config?: string;
  /** Commands for a shell, run as root. */
  commands?: string[];
  /** A file to write, where neither does. */
  file?: { path: string; text: string };
}

/** Something about this host that its operator should know. */
export interface Finding {
  code: Code;
  severity: Severity;
  /** One line, without a full stop, with the names of this host. */
  summary: string;
  /** The objects that it is about, a line each. */
  found: string[];
  /** What comes of it: full sentences. */
  consequence: string;
  remedy: Remedy;
}

/** One group of things to look for. */
export interface Check {
  /** The codes that it can give. */
  codes: readonly Code[];
  /** Pure: everything it knows is in the picture. */
  find(picture: HostPicture): Finding[];
}

/** Lines of a finding, no more than a person reads; the last one tells how many are left out. */
export function someLines(lines: readonly string[], most = 6): string[] {
  if (lines.length <= most) return [...lines];
  return [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more`];
}
