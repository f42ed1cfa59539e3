// Owns random rules that a kernel takes, each as our message, as ip's command, and as the kernel lists it.
import fc from "fast-check";
import type { NumberRange, RuleAction } from "../../../model/kinds.ts";
import { RULE_FLAG, type RuleMessage } from "../rule.ts";
import { lastUserId } from "./test-namespace.ts";

/** A rule in its three shapes. */
export interface KernelRule {
  message: RuleMessage;
  /** A line for `ip -batch` with the family said. */
  command: string;
  listed: RuleMessage;
}

/** Priority of a rule that gotos find. */
export const TARGET = 40_000;

type Answer = Pick<RuleMessage, "action"> & Partial<RuleMessage>;

const yes = fc.constant(true as const);

function range(least: number, most: number): fc.Arbitrary<NumberRange> {
  return fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most })).map(([a, b]) => ({
    first: Math.min(a, b),
    last: Math.max(a, b),
  }));
}

const table = fc.constantFrom(1, 100, 254, 255, 256, 70_000, 4294967295);
const simple: fc.Arbitrary<Answer> = fc
  .constantFrom<RuleAction>("nop", "blackhole", "unreachable", "prohibit")
  .map((action) => ({ action }));
const jump: fc.Arbitrary<Answer> = fc.constantFrom(TARGET, TARGET + 1).map((goto) => ({ action: "goto", goto }));
const master: fc.Arbitrary<Answer> = fc.constant({ action: "table", l3mdev: true });
/** ip takes realms of at most 255. */
const realms = fc
  .tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 255 }))
  .map(([a, b]) => a * 65536 + b);
const toTable: fc.Arbitrary<Answer> = fc.record(
  {
    action: fc.constant("table" as const),
    table,
    suppressPrefixLength: fc.integer({ min: 0, max: 32 }),
    suppressGroup: fc.integer({ min: 0, max: 1000 }),
    realms,
  },
  { requiredKeys: ["action", "table"] },
);

const prefix = (family: 4 | 6) =>
  family === 4
    ? fc.integer({ min: 1, max: 32 }).map((bits) => (bits < 16 ? `32.0.0.0/${Math.max(bits, 3)}` : `10.7.0.0/${bits}`))
    : fc.integer({ min: 33, max: 128 }).map((bits) => `2001:db8::/${bits}`);

const selectors = (family: 4 | 6) =>
  fc.record(
    {
      not: yes,
      from: prefix(family),
      to: prefix(family),
      tos: fc.constantFrom(4, 0x10, 0x18),
      iif: fc.constantFrom("lo", "v0", "gone.7"),
      oif: fc.constantFrom("v1", "gone"),
      mark: fc.integer({ min: 1, max: 0xffffffff }),
      mask: fc.integer({ min: 1, max: 0xffffffff }),
      uids: range(0, lastUserId()),
      ipProtocol: fc.constantFrom(1, 6, 17, 132, 253),
      sourcePorts: range(1, 65534),
      destinationPorts: range(1, 65534),
      tunnelId: fc.bigInt({ min: 1n, max: 0xffffffffffffffffn }),
      protocol: fc.constantFrom(3, 4, 72, 186, 250),
    },
    { requiredKeys: [] },
  );

/** Rules whose priorities differ, from 1000 on. */
export function kernelRules(family: 4 | 6, count: number): fc.Arbitrary<KernelRule[]> {
  const one = fc.tuple(fc.oneof(toTable, toTable, simple, jump, master), selectors(family));
  return fc.array(one, { minLength: count, maxLength: count }).map((pairs) =>
    pairs.map(([answer, given], i) => {
      const message: RuleMessage = { family, priority: 1000 + i, flags: 0, ...answer, ...given };
      // A mask alone matches marks of 0, which ip cannot say.
      if (message.mark === undefined) delete message.mask;
      // IPv6 knows no realms.
      if (family === 6) delete message.realms;
      return { message, command: toCommand(message), listed: asListed(message) };
    }),
  );
}

/** The same rule in iproute2's words. */
function toCommand(rule: RuleMessage): string {
  const words = [`rule add${rule.not === true ? " not" : ""} pref ${rule.priority} from ${rule.from ?? "all"}`];
  if (rule.to !== undefined) words.push(`to ${rule.to}`);
  if (rule.tos !== undefined) words.push(`tos 0x${rule.tos.toString(16)}`);
  if (rule.iif !== undefined) words.push(`iif ${rule.iif}`);
  if (rule.oif !== undefined) words.push(`oif ${rule.oif}`);
  if (rule.mark !== undefined) words.push(`fwmark ${rule.mark}${rule.mask === undefined ? "" : `/${rule.mask}`}`);
  if (rule.uids !== undefined) words.push(`uidrange ${rule.uids.first}-${rule.uids.last}`);
  if (rule.ipProtocol !== undefined) words.push(`ipproto ${rule.ipProtocol}`);
  if (rule.sourcePorts !== undefined) words.push(`sport ${rule.sourcePorts.first}-${rule.sourcePorts.last}`);
  if (rule.destinationPorts !== undefined) {
    words.push(`dport ${rule.destinationPorts.first}-${rule.destinationPorts.last}`);
  }
  if (rule.tunnelId !== undefined) words.push(`tun_id ${rule.tunnelId}`);
  if (rule.protocol !== undefined) words.push(`protocol ${rule.protocol}`);
  return [...words, ...answerWords(rule)].join(" ");
}

function answerWords(rule: RuleMessage): string[] {
  if (rule.l3mdev === true) return ["l3mdev"];
  if (rule.action === "goto") return [`goto ${rule.goto}`];
  if (rule.action !== "table") return [String(rule.action)];
  const words = [`table ${rule.table}`];
  if (rule.suppressPrefixLength !== undefined) words.push(`suppress_prefixlength ${rule.suppressPrefixLength}`);
  if (rule.suppressGroup !== undefined) words.push(`suppress_ifgroup ${rule.suppressGroup}`);
  if (rule.realms !== undefined) words.push(`realms ${rule.realms >>> 16}/${rule.realms & 0xffff}`);
  return words;
}

/** What the kernel adds to a rule that it lists. */
function asListed(rule: RuleMessage): RuleMessage {
  const listed = { protocol: 0, ...rule };
  if (rule.mark !== undefined) listed.mask ??= 0xffffffff;
  if (rule.iif?.startsWith("gone") === true) listed.flags |= RULE_FLAG.iifDetached;
  if (rule.oif?.startsWith("gone") === true) listed.flags |= RULE_FLAG.oifDetached;
  if (rule.goto === TARGET + 1) listed.flags |= RULE_FLAG.unresolved;
  return listed;
}
