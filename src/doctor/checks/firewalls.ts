// Owns the check of services that throw others' packet filter rules away when they start or are reloaded.
//
// Sources: nft(8) (flush ruleset empties all tables of all families); firewalld.conf(5) (FlushAllOnReload, on by
// default; FirewallBackend); iptables-restore(8) (without --noflush a table is emptied before it is filled).
import type { HostPicture } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { FIREWALLD_FILE, IPTABLES_FILES, isEnabled, NFTABLES_FILES } from "../paths.ts";
import type { Service } from "../paths.ts";
import { sayList } from "../words.ts";

const RESTORERS = [
  "netfilter-persistent.service",
  "iptables.service",
  "ip6tables.service",
] as const satisfies readonly Service[];

export const firewalls: Check = {
  codes: ["nftables-flush", "firewalld-flush", "iptables-restore"],
  find: (picture) => [...nftables(picture), ...firewalld(picture), ...iptables(picture)],
};

function nftables({ files }: HostPicture): Finding[] {
  if (!isEnabled(files, "nftables.service")) return [];
  const flushing = NFTABLES_FILES.filter((path) => /^\s*flush\s+ruleset\s*(;.*)?$/m.test(files[path] ?? ""));
  return flushing.map((path) => ({
    code: "nftables-flush",
    severity: "warning",
    summary: `nftables.service empties the tables of every program when it is reloaded`,
    found: [`${path} has "flush ruleset", and nftables.service starts at boot`],
    consequence:
      "A reload takes marks, translations and filters of other programs away, heddle's too, and nothing puts them back.",
    remedy: {
      text: `In ${path}, empty only the tables that it fills: for each, write these two lines in front of it instead of "flush ruleset".`,
      file: { path, text: "table inet filter\ndelete table inet filter\n" },
    },
  }));
}

function firewalld({ files }: HostPicture): Finding[] {
  if (!isEnabled(files, "firewalld.service")) return [];
  const text = files[FIREWALLD_FILE] ?? "";
  if (/^(no|false)$/i.test(valueOf(text, "FlushAllOnReload") ?? "yes")) return [];
  // With the nftables backend it has a table of its own; with the other one it empties the tables that all share.
  const shared = /^iptables$/i.test(valueOf(text, "FirewallBackend") ?? "nftables");
  return [
    {
      code: "firewalld-flush",
      severity: shared ? "warning" : "note",
      summary: `firewalld throws ${shared ? "everybody's iptables rules" : "its runtime rules"} away when it is reloaded`,
      found: [
        `FlushAllOnReload is on${valueOf(text, "FlushAllOnReload") === undefined ? ", its default" : ""}`,
        `FirewallBackend is ${shared ? "iptables" : "nftables"}`,
      ],
      consequence: shared
        ? "Marks and translations that other programs made with iptables are gone after a reload."
        : "Direct rules and runtime changes that scripts made through firewalld are gone after a reload; nftables tables of other programs stay.",
      remedy: {
        text: "Keep what others made, in nftables tables of their own, or tell firewalld not to flush.",
        commands: [
          `sed -i 's/^#\\?FlushAllOnReload=.*/FlushAllOnReload=no/' ${FIREWALLD_FILE}`,
          "firewall-cmd --reload",
        ],
      },
    },
  ];
}

function iptables({ files }: HostPicture): Finding[] {
  const services = RESTORERS.filter((service) => isEnabled(files, service));
  const saved = IPTABLES_FILES.filter((path) => /^\*\w+/m.test(files[path] ?? ""));
  if (services.length === 0 || saved.length === 0) return [];
  const tables = [
    ...new Set(saved.flatMap((path) => [...(files[path] ?? "").matchAll(/^\*(\w+)/gm)].map(([, name]) => name ?? ""))),
  ];
  return [
    {
      code: "iptables-restore",
      severity: tables.includes("mangle") || tables.includes("nat") ? "warning" : "note",
      summary: `${sayList(services)} refill${services.length > 1 ? "" : "s"} the iptables ${tables.length > 1 ? "tables" : "table"} ${sayList(tables)} at every start`,
      found: saved.map((path) => `${path} holds what is restored`),
      consequence:
        "iptables-restore empties a table before it fills it: rules that scripts added to it, marks among them, are gone after a restart.",
      remedy: {
        text: "Save what is to stay, or keep it in an nftables table of its own, which iptables-restore does not touch.",
        commands: saved.map((path) => `${/(ip6tables|v6)$/.test(path) ? "ip6tables" : "iptables"}-save > ${path}`),
      },
    },
  ];
}

/** The last value of a key of a file of lines "key=value". */
function valueOf(text: string, key: string): string | undefined {
  const lines = [...text.matchAll(new RegExp(`^${key}[ \\t]*=[ \\t]*(\\S*)`, "gm"))];
  return lines.at(-1)?.[1];
}
