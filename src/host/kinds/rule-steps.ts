// Owns the making and the deletion of rules, where the kernel takes less than it should for a description.
//
// With EXCL, a general rule is refused behind a specific one that is equal otherwise, as if it were there already
// (rule_exists): so whether it is there is seen beforehand, and EXCL left out, without which a rule is only ever added. What
// a message that deletes does not state is no condition (rule_find, net/core/fib_rules.c): the message for "all
// lookup 7" hits "from 10.0.0.1 lookup 7" if that has the same priority and stands before it. There is no way to say
// "without a source". So the rules that are in the way are found first, and made again behind the one that goes.
import type { Step } from "../../model/plan.ts";
import type { RuleSpec } from "../../model/kinds.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { countConditions, deletionHits } from "../../plan/kinds/rule.ts";
import type { StepResult } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { NLM_F } from "../netlink/constants.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { RULE_FLAG } from "../netlink/rule.ts";
import type { RuleMessage } from "../netlink/rule.ts";
import { performSteps, specsOf } from "./perform-steps.ts";
import { ruleFromMessage, ruleToMessage } from "./rule-message.ts";

/** Does steps that create, replace and delete rules, all of them in one batch. Rejects with HostError when rules cannot be listed. */
export async function performRuleSteps(socket: RouteSocket, steps: readonly Step[]): Promise<StepResult[]> {
  const ordered = specificDeletesFirst(steps);
  const present = new PresentRules(await socket.listRules());
  return performSteps(socket, ordered, (step) => {
    const { before, after } = specsOf("rule", step);
    // What takes another's place is refused while that is there.
    return [...(before ? present.delete(before) : []), ...(after ? present.create(after) : [])];
  });
}

/**
 * The steps with neighbouring deletions in an order in which few of them hit each other: those of specific rules before
 * those of general ones.
 */
function specificDeletesFirst(steps: readonly Step[]): Step[] {
  const conditions = (step: Step): number =>
    step.action === "delete" && step.before.kind === "rule" ? countConditions(step.before.spec) : 0;
  const ordered: Step[] = [];
  let deletes: Step[] = [];
  const flush = (): void => {
    ordered.push(...deletes.toSorted((a, b) => conditions(b) - conditions(a)));
    deletes = [];
  };
  for (const step of steps) {
    if (step.action === "delete") {
      deletes.push(step);
      continue;
    }
    flush();
    ordered.push(step);
  }
  flush();
  return ordered;
}

interface PresentRule {
  message: RuleMessage;
  spec: RuleSpec;
}

/** The rules of the kernel as they are while a batch is worked off. */
class PresentRules {
  /** By family and priority, in the kernel's order: a message hits none of another. */
  readonly #groups: Map<string, PresentRule[]>;

  constructor(messages: readonly RuleMessage[]) {
    const rules = messages.flatMap((message): PresentRule[] => {
      const spec = ruleFromMessage(message);
      return spec ? [{ message, spec }] : [];
    });
    this.#groups = Map.groupBy(rules, ({ spec }) => groupOf(spec));
  }

  create(spec: RuleSpec): Request[] {
    const message = ruleToMessage(spec);
    const group = this.#group(spec);
    // One that is equal in everything is in the way, and the kernel shall say so.
    const flags = group.some((rule) => isSame(rule.spec, spec)) ? VERB.create : NLM_F.CREATE;
    group.push({ message, spec });
    return [{ object: "rule", type: "new", flags, message }];
  }

  /**
   * As many of the same message as it takes to hit the rule, then those that were hit before it, as the kernel said
   * them. Nothing where the rule is not there: the message would hit another.
   */
  delete(spec: RuleSpec): Request[] {
    const group = this.#group(spec);
    if (!group.some((rule) => isSame(rule.spec, spec))) return [];
    const deletion: Request = { object: "rule", type: "delete", flags: 0, message: ruleToMessage(spec) };
    const requests: Request[] = [];
    const displaced: PresentRule[] = [];
    for (;;) {
      const [hit] = group.splice(
        group.findIndex((rule) => deletionHits(spec, rule.spec)),
        1,
      );
      requests.push(deletion);
      if (!hit || isSame(hit.spec, spec)) break;
      displaced.push(hit);
    }
    group.push(...displaced);
    return [...requests, ...displaced.map(makeAgain)];
  }

  #group(spec: RuleSpec): PresentRule[] {
    const name = groupOf(spec);
    const group = this.#groups.get(name) ?? [];
    this.#groups.set(name, group);
    return group;
  }
}

function makeAgain({ message }: PresentRule): Request {
  // Other flags are the kernel's to say.
  const flags = message.flags & RULE_FLAG.findSource;
  // Without EXCL: with it the kernel takes a more specific one of the priority for this one, and refuses.
  return { object: "rule", type: "new", flags: NLM_F.CREATE, message: { ...message, flags } };
}

function groupOf({ family, priority }: RuleSpec): string {
  return `${family} ${priority}`;
}

function isSame(a: RuleSpec, b: RuleSpec): boolean {
  return a.protocol === b.protocol && rulesOf("rule").compare(a) === rulesOf("rule").compare(b);
}
