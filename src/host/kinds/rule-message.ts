// Owns the translation between rules as heddle says them and as the kernel does.
import type { RuleSpec } from "../../model/kinds.ts";
import { ruleRules } from "../../plan/kinds/rule.ts";
import type { RuleMessage } from "../netlink/rule.ts";

/** A rule of the kernel as a normalised spec; undefined for an action without a name. */
export function ruleFromMessage(message: RuleMessage): RuleSpec | undefined {
  if (typeof message.action === "number") return undefined;
  const { family, priority = 0, action, protocol = 0, not, from, to, iif, oif, mark, mask, tos, dscp } = message;
  const { uids, ipProtocol, sourcePorts, destinationPorts, tunnelId, l3mdev, table, goto } = message;
  const { suppressPrefixLength, suppressGroup } = message;
  return ruleRules.normalize({
    family,
    priority,
    action,
    protocol,
    ...(not === undefined ? {} : { not }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(iif === undefined ? {} : { iif }),
    ...(oif === undefined ? {} : { oif }),
    ...(mark === undefined ? {} : { mark }),
    ...(mask === undefined ? {} : { mask }),
    ...(tos === undefined ? {} : { tos }),
    ...(dscp === undefined ? {} : { dscp }),
    ...(uids === undefined ? {} : { uids }),
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(sourcePorts === undefined ? {} : { sourcePorts }),
    ...(destinationPorts === undefined ? {} : { destinationPorts }),
    ...(tunnelId === undefined ? {} : { tunnelId: String(tunnelId) }),
    ...(l3mdev === undefined ? {} : { l3mdev }),
    ...(action === "table" && table !== undefined ? { table } : {}),
    ...(action === "goto" && goto !== undefined ? { goto } : {}),
    ...(suppressPrefixLength === undefined ? {} : { suppressPrefixLength }),
    ...(suppressGroup === undefined ? {} : { suppressGroup }),
    ...unmanagedOf(message),
  });
}

/** What the rule has that a spec cannot say, by the words of ip-rule(8). Masks of all bits say nothing. */
function unmanagedOf(message: RuleMessage): { unmanaged?: string[] } {
  const {
    realms,
    dscpMask = 0x3f,
    sourcePortMask = 0xffff,
    destinationPortMask = 0xffff,
    flowLabel,
    unknown,
  } = message;
  const found: string[] = [];
  if (realms !== undefined) found.push("realms");
  if (dscpMask !== 0x3f) found.push("a mask of dscp");
  if (sourcePortMask !== 0xffff || destinationPortMask !== 0xffff) found.push("a mask of ports");
  if (flowLabel !== undefined) found.push("flowlabel");
  if (unknown !== undefined) found.push("attributes of a later kernel");
  return found.length === 0 ? {} : { unmanaged: found };
}

/** The kernel's words for a rule. */
export function ruleToMessage(spec: RuleSpec): RuleMessage {
  const { tunnelId, unmanaged: _said, ...rest } = spec;
  return {
    ...rest,
    flags: 0,
    ...(tunnelId === undefined ? {} : { tunnelId: BigInt(tunnelId) }),
    // Said in full, so that a message to delete the rule hits no other with the same mark.
    ...(spec.mark === undefined ? {} : { mask: spec.mask ?? 0xffffffff }),
  };
}
