// Owns the options that describe a packet: from words to a packet of a host, with all that is wrong with them.
import type { Sender } from "../explain/marks.ts";
import type { Packet } from "../explain/packet.ts";
import { PROTOCOLS } from "../explain/say.ts";
import { indexOf } from "../explain/routing.ts";
import type { Routing } from "../explain/routing.ts";
import { accountNumber, groupsOf } from "../host/accounts.ts";
import type { Diagnostic, Outcome } from "../model/diagnostic.ts";
import { canonicalAddress, familyOf } from "../model/ip.ts";
import { readCgroup, Refusal } from "../roles/fields.ts";
import { nearest } from "../model/nearest.ts";

/** The options as they stand on the command line. */
export interface PacketOptions {
  to: string;
  from?: string;
  iif?: string;
  oif?: string;
  user?: string;
  group?: string;
  cgroup?: string;
  mark?: string;
  proto?: string;
  sport?: string;
  dport?: string;
  tos?: string;
}

/** A packet, and who sends it where this host does. */
export interface Described {
  packet: Packet;
  sender: Sender;
}

/** IP protocols that have ports. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 132]);

/** The packet that the options describe on a host. */
export async function readPacket(options: PacketOptions, routing: Routing): Promise<Outcome<Described>> {
  const found: Diagnostic[] = [];
  const wrong = (code: string, summary: string, more: Pick<Diagnostic, "detail" | "remedy"> = {}): undefined => {
    found.push({ code, severity: "error", summary, ...more });
    return undefined;
  };
  const address = (option: string, text: string | undefined): string | undefined => {
    if (text === undefined) return undefined;
    const canonical = canonicalAddress(text);
    const remedy = "Write an IP address; names of hosts are not looked up.";
    return canonical ?? wrong("not-an-address", `--${option} ${text} is no address`, { remedy });
  };
  const link = (option: string, name: string | undefined): string | undefined => {
    if (name === undefined) return undefined;
    const known = indexOf(routing).links.get(name);
    if (known) return known.name;
    const guess = nearest(name, indexOf(routing).links.keys());
    const names = routing.links.map((one) => one.name);
    const remedy = guess === undefined ? `The links are ${names.slice(0, 12).join(", ")}.` : `Did you mean "${guess}"?`;
    return wrong("unknown-link", `there is no link ${name} (--${option})`, { remedy });
  };
  const number = (option: string, text: string | undefined, most: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN;
    if (value <= most) return value;
    return wrong("not-a-number", `--${option} ${text} is no number from 0 to ${most}`);
  };

  const [to, from] = [address("to", options.to), address("from", options.from)];
  if (to !== undefined && from !== undefined && familyOf(to) !== familyOf(from)) {
    wrong("address-family", `${from} is an IPv${familyOf(from)} address, and ${to} is none`, {
      remedy: "Both ends of a packet are of one family.",
    });
  }
  const [iif, oif] = [link("iif", options.iif), link("oif", options.oif)];
  if (options.iif !== undefined && options.oif !== undefined) {
    wrong("iif-and-oif", "--iif and --oif exclude each other", {
      detail: "A packet that came in by a link is bound to no other; a socket that is bound to a link is this host's.",
    });
  }
  if (options.iif !== undefined && options.from === undefined) {
    wrong("source-missing", "a packet that came in has a source", { remedy: "Say it with --from." });
  }
  const mark = number("mark", options.mark, 0xffffffff);
  const ipProtocol = options.proto === undefined ? undefined : protocolNumber(options.proto, wrong);
  const [sourcePort, destinationPort] = [number("sport", options.sport, 65535), number("dport", options.dport, 65535)];
  if (
    (options.sport ?? options.dport) !== undefined &&
    !WITH_PORTS.has(ipProtocol ?? 0) &&
    !found.some(({ code }) => code === "unknown-protocol")
  ) {
    wrong("port-without-protocol", "--sport and --dport are of a protocol that has ports", {
      remedy: "Say it with --proto tcp, udp or sctp.",
    });
  }
  const tos = number("tos", options.tos, 255);
  if (tos !== undefined && (tos & 3) !== 0) {
    wrong("tos-ecn", `--tos ${options.tos} has bits of congestion notification`, {
      remedy: "It is a multiple of 4: a DSCP times 4.",
    });
  }
  const written = options.cgroup === undefined ? undefined : readCgroup(options.cgroup);
  const cgroup =
    written instanceof Refusal
      ? wrong(
          "not-a-cgroup",
          `--cgroup: ${written.message}`,
          written.remedy === undefined ? {} : { remedy: written.remedy },
        )
      : written;
  const [uid, gid] = await Promise.all([account("user", options.user, wrong), account("group", options.group, wrong)]);
  if (found.length > 0 || to === undefined) return { diagnostics: found };
  const packet: Packet = {
    to,
    ...(from === undefined ? {} : { from }),
    ...(iif === undefined ? {} : { iif }),
    ...(oif === undefined ? {} : { oif }),
    ...(iif === undefined ? { uid: uid ?? 0 } : {}),
    ...(mark === undefined ? {} : { mark }),
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(tos === undefined ? {} : { tos }),
  };
  // A program that somebody starts has the groups of their login; one of a group that is said has that one.
  const groups =
    options.user === undefined && options.group !== undefined ? undefined : await groupsOf(options.user ?? "0");
  const own = gid ?? groups?.own;
  const sender: Sender = {
    uid: uid ?? 0,
    ...(own === undefined ? {} : { gid: own }),
    ...(groups ? { groups: groups.all } : {}),
    ...(cgroup === undefined ? {} : { cgroup }),
  };
  return { value: { packet, sender }, diagnostics: [] };
}

type Wrong = (code: string, summary: string, more?: Pick<Diagnostic, "detail" | "remedy">) => undefined;

function protocolNumber(text: string, wrong: Wrong): number | undefined {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  const names = Object.entries(PROTOCOLS);
  const known = names.find(([, name]) => name === text.toLowerCase());
  if (known) return Number(known[0]);
  const words = names.map(([, name]) => name);
  const guess = nearest(text, words);
  const remedy = guess === undefined ? `Known here: ${words.join(", ")}, or a number.` : `Did you mean "${guess}"?`;
  return wrong("unknown-protocol", `--proto ${text} is no protocol that is known here`, { remedy });
}

async function account(option: "user" | "group", name: string | undefined, wrong: Wrong): Promise<number | undefined> {
  if (name === undefined) return undefined;
  const found = await accountNumber(option === "user" ? "passwd" : "group", name);
  return (
    found ??
    wrong(`unknown-${option}`, `there is no ${option} ${name} on this host`, { remedy: "A number will do as well." })
  );
}
