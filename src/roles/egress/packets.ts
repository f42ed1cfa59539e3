// Owns which packets of the chosen ones a section means: rules that ask for the mark, and for what `match` narrows down.
import type { Diagnostic } from "../../model/diagnostic.ts";
import { familyOf } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import type { RuleSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { protocolNumber } from "../../model/ip-protocols.ts";
import type { Section } from "../role.ts";
import { wantRule } from "../wanted.ts";
import type { Egress } from "./schema.ts";

/** Protocols that have ports: TCP, UDP, DCCP, SCTP, UDP-Lite. To the kernel, a port of any other is some other field. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);
/** What `ports` means where no protocol is stated. */
const USUAL_WITH_PORTS = ["tcp", "udp"];

/** Every packet that has to be routed anew asks rule after rule. */
const MOST_RULES = 256;

type Condition = Partial<Pick<RuleSpec, "ipProtocol" | "destinationPorts" | "to" | "dscp">>;

/** The rules of one IP version: one for each combination of protocol, port, destination and DSCP. */
export function desireRules(
  section: Section<Egress>,
  family: Family,
  way: Pick<RuleSpec, "priority" | "table" | "mark" | "mask">,
  diagnostics: Diagnostic[],
): Wanted[] {
  const { ports, protocols = ports ? USUAL_WITH_PORTS : undefined, to, dscp } = section.value.match;
  const numbers = protocols?.map((protocol) => protocolNumber(protocol, family));
  const portless = ports && numbers?.find((number) => !WITH_PORTS.has(number));
  if (portless !== undefined) {
    if (family === 4) diagnostics.push(noPorts(section, portless));
    return [];
  }
  const destinations = to?.filter((prefix) => familyOf(prefix) === family);
  const columns: Condition[][] = [
    [...new Set(numbers ?? [undefined])].map((ipProtocol) => (ipProtocol === undefined ? {} : { ipProtocol })),
    (ports ?? [undefined]).map((range) => (range ? { destinationPorts: range } : {})),
    (destinations ?? [undefined]).map((prefix) => (prefix === undefined ? {} : { to: prefix })),
    (dscp ?? [undefined]).map((value) => (value === undefined ? {} : { dscp: value })),
  ];
  const combinations = columns.reduce<Condition[]>(
    (rows, column) => rows.flatMap((row) => column.map((one) => ({ ...row, ...one }))),
    [{}],
  );
  if (combinations.length > MOST_RULES) {
    diagnostics.push(tooMany(section, combinations.length));
    return [];
  }
  // All lead to one table, so they can have one priority: their order does not matter.
  // Without a mark to ask for, what others send through this host would be meant as well.
  const local = way.mark === undefined ? { iif: "lo" } : {};
  return combinations.map((condition) => wantRule({ family, ...way, ...local, ...condition }, section.at("match")));
}

function noPorts(section: Section<Egress>, protocol: number): Diagnostic {
  return {
    code: "no-ports",
    severity: "error",
    summary: `IP protocol ${protocol} has no ports`,
    detail: "The section states `ports`, which only some protocols have.",
    remedy: "Take it out of `protocols`, or write a section of its own for it.",
    range: section.at("match", "protocols"),
  };
}

function tooMany(section: Section<Egress>, count: number): Diagnostic {
  return {
    code: "too-many-rules",
    severity: "error",
    summary: `the section would need ${count} rules`,
    detail: `It is one for each combination of protocol, port, destination and DSCP, and at most ${MOST_RULES}: every packet that is routed anew asks them one after the other.`,
    remedy: "Say ranges of ports and larger prefixes, or leave a list out.",
    range: section.at("match"),
  };
}
