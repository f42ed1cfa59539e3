// Owns what an expression of a rule is worth for a packet, as far as heddle knows it.
//
// Sources: nft_meta_get_eval (net/netfilter/nft_meta.c), nft_ct_get_eval (nft_ct.c), nft_payload_eval (nft_payload.c).
import type { NftValue } from "../../model/nft.ts";
import { rangeOf } from "../../model/prefix.ts";
import { numberOf } from "./constants.ts";
import type { Sort } from "./constants.ts";
import type { Hooked } from "./hooked.ts";
import { entryOf, fieldsOf, wordOf } from "./ruleset.ts";

/** What an expression is worth. */
export type Value =
  | { is: "number"; number: bigint; sort: Sort }
  /** One of these links; an empty list is no link, whose name is empty. `byName`: compared by name, with "*" at the end. */
  | { is: "link"; names: readonly string[]; byName: boolean }
  | { is: "several"; values: readonly Value[] }
  /** The packet has no such thing: the rule does not match, whatever it compares. */
  | { is: "none" }
  /** `why` is a clause: "it asks for the protocol, which was not said". */
  | { is: "unknown"; why: string };

/** Looks a value up in a map of the rule's table. */
export type LookUp = (data: NftValue | undefined, key: Value) => Value;

const NONE: Value = { is: "none" };
const ALL_BITS = 0xffffffffn;

const unknown = (why: string): Value => ({ is: "unknown", why });
const unsaid = (what: string): Value => unknown(`it asks for ${what}, which was not said`);
const numbered = (number: number | bigint, sort: Sort = "number"): Value => ({
  is: "number",
  number: BigInt(number),
  sort,
});

/** What the expression is worth for the packet. */
export function valueOf(expression: NftValue | undefined, packet: Hooked, lookUp: LookUp): Value {
  const constant = numberOf("number", expression);
  if (constant !== undefined) return numbered(constant);
  const [kind = "", inner] = entryOf(expression) ?? [];
  switch (kind) {
    case "meta":
      return metaValue(wordOf(fieldsOf(inner)["key"]), packet);
    case "payload":
      return payloadValue(fieldsOf(inner), packet);
    case "ct":
      return connectionValue(fieldsOf(inner), packet);
    case "concat":
      return severalOf(
        (Array.isArray(inner) ? (inner as readonly NftValue[]) : []).map((one) => valueOf(one, packet, lookUp)),
      );
    case "map":
      return lookUp(fieldsOf(inner)["data"], valueOf(fieldsOf(inner)["key"], packet, lookUp));
    case "&":
    case "|":
    case "^":
    case "<<":
    case ">>":
      return combine(kind, inner, (one) => valueOf(one, packet, lookUp));
    default:
      return unknown(kind === "" ? "it asks for something that heddle has no word for" : `it asks for ${kind}`);
  }
}

function severalOf(values: readonly Value[]): Value {
  const bad = values.find(({ is }) => is === "none") ?? values.find(({ is }) => is === "unknown");
  return bad ?? { is: "several", values };
}

function combine(operator: string, inner: NftValue | undefined, value: (one: NftValue) => Value): Value {
  if (!Array.isArray(inner) || inner.length < 2) return unknown("it computes something that heddle has no word for");
  const values = (inner as readonly NftValue[]).map(value);
  // nft lists what it computes with a DSCP as it stands in the header, unshifted.
  if (values.some((one) => one.is === "number" && one.sort.endsWith("dscp"))) return unknown("it computes with a DSCP");
  const bad = values.find(({ is }) => is !== "number");
  if (bad) return bad.is === "none" || bad.is === "unknown" ? bad : unknown("it computes with names");
  const numbers = values.flatMap((one) => (one.is === "number" ? [one.number] : []));
  const result = numbers.reduce((a, b) => {
    if (operator === "&") return a & b;
    if (operator === "|") return a | b;
    if (operator === "^") return a ^ b;
    // The kernel shifts registers of 32 bits.
    const by = b > 31n ? 31n : b;
    return operator === "<<" ? (a << by) & ALL_BITS : a >> by;
  });
  return { is: "number", number: result, sort: (values[0] as { sort: Sort }).sort };
}

function metaValue(key: string, packet: Hooked): Value {
  const { family, iif, oifs, uid, gid, socket } = packet;
  const owner = (what: string, id: number | undefined): Value =>
    socket === "none"
      ? NONE
      : socket === "unknown"
        ? unknown("it asks whose socket the packet is for")
        : id === undefined
          ? unsaid(what)
          : numbered(id);
  switch (key) {
    case "mark":
      return numbered(packet.mark);
    case "nfproto":
      return numbered(family === 4 ? 2 : 10, "nfproto");
    case "protocol":
      return numbered(family === 4 ? 0x0800 : 0x86dd, "ethertype");
    case "l4proto":
      return protocolValue(packet);
    case "iifname":
    case "iif":
      return { is: "link", names: iif === undefined ? [] : [iif], byName: key === "iifname" };
    case "oifname":
    case "oif":
      return { is: "link", names: oifs, byName: key === "oifname" };
    case "skuid":
      return owner("the user", uid);
    case "skgid":
      return owner("the group", gid);
    default:
      return unknown(`it asks for meta ${key}`);
  }
}

function protocolValue({ ipProtocol }: Hooked): Value {
  return ipProtocol === undefined ? unsaid("the protocol") : numbered(ipProtocol, "protocol");
}

/** Protocols whose headers begin with two ports, by nft's names. */
const WITH_PORTS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, dccp: 33, sctp: 132, udplite: 136 };

function payloadValue({ protocol, field }: { protocol?: NftValue; field?: NftValue }, packet: Hooked): Value {
  if (protocol === "ip" || protocol === "ip6") return networkValue(protocol, wordOf(field), packet);
  const name = wordOf(protocol);
  const number = name === "icmp" ? 1 : name === "icmpv6" ? 58 : WITH_PORTS[name];
  const withPorts = Object.values(WITH_PORTS);
  if (name !== "th" && number === undefined) return unknown(`it asks for ${name} ${wordOf(field)}`);
  if (packet.ipProtocol === undefined) return unsaid("the protocol");
  if (number !== undefined && packet.ipProtocol !== number) return NONE;
  if ((field !== "sport" && field !== "dport") || !withPorts.includes(packet.ipProtocol)) {
    return unknown(`it asks for ${name} ${wordOf(field)}`);
  }
  const port = field === "sport" ? packet.sourcePort : packet.destinationPort;
  return port === undefined ? unsaid(`the ${field === "sport" ? "source" : "destination"} port`) : numbered(port);
}

function networkValue(protocol: "ip" | "ip6", field: string, packet: Hooked): Value {
  if ((protocol === "ip") !== (packet.family === 4)) return NONE;
  switch (field) {
    case "saddr":
      return packet.from === undefined
        ? unknown("it asks for the source, which is not known")
        : numbered(rangeOf(packet.from).network, "address");
    case "daddr":
      return numbered(rangeOf(packet.to).network, "address");
    case "protocol":
    case "nexthdr":
      return protocolValue(packet);
    case "dscp":
      return numbered(packet.tos >> 2, protocol === "ip" ? "dscp" : "wide-dscp");
    default:
      return unknown(`it asks for ${protocol} ${field}`);
  }
}

/** State bits, as constants have them. */
const STATE = { invalid: 1, new: 8, untracked: 64 } as const;

function connectionValue(
  { key, dir }: { key?: NftValue; dir?: NftValue },
  { tracking, connectionMark }: Hooked,
): Value {
  if (dir === undefined && key === "state") {
    const name = tracking === "not-yet" ? "invalid" : tracking;
    return numbered(STATE[name], "state");
  }
  if (tracking !== "new") return NONE;
  if (dir === undefined && key === "mark") return numbered(connectionMark);
  if (dir === undefined && key === "direction") return numbered(0, "direction");
  return unknown(`it asks for ct ${wordOf(key)}`);
}
