// Owns the proof that a rule which is called shadowed decides nothing: random rules and tables, every packet of a small
// world, followed by a walk that is written another way than the check.
import fc from "fast-check";
import { expect, test } from "vitest";
import { pictureFrom } from "../../test/pictures.ts";
import { prefixContains } from "../model/ip.ts";
import type { HostPicture, PictureRoute, PictureRule } from "../model/picture.ts";
import { shadowedRules } from "./checks/shadowed-rules.ts";
import { sayRule } from "../explain/words.ts";

interface Packet {
  iif: string;
  oif?: string;
  from: string;
  to: string;
  mark: number;
}

const ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.1.0.1", "11.0.0.1"];
const PREFIXES = ["10.0.0.0/24", "10.0.0.0/16", "10.0.0.0/8", "0.0.0.0/0"];
const MARKS = [0, 1, 2, 3];

const PACKETS: Packet[] = ["lo", "x", "y"].flatMap((iif) =>
  (iif === "lo" ? [undefined, "x", "y"] : [undefined]).flatMap((oif) =>
    ADDRESSES.flatMap((from) =>
      ADDRESSES.flatMap((to) => MARKS.map((mark) => ({ iif, from, to, mark, ...(oif === undefined ? {} : { oif }) }))),
    ),
  ),
);

function matches(rule: PictureRule, packet: Packet): boolean {
  const { from, to, iif, oif, mark, mask = 0xffffffff } = rule;
  const all =
    (from === undefined || prefixContains(from, packet.from)) &&
    (to === undefined || prefixContains(to, packet.to)) &&
    (iif === undefined || iif === packet.iif) &&
    (oif === undefined || oif === packet.oif) &&
    (mark === undefined || ((mark ^ packet.mark) & mask) === 0);
  return all !== (rule.not ?? false);
}

/** The longest route that the packet may take; of equal ones the first with the lowest metric. */
function lookUp(routes: readonly PictureRoute[], table: number | undefined, packet: Packet): PictureRoute | undefined {
  let best: PictureRoute | undefined;
  const length = (route: PictureRoute): number => Number(route.to.split("/")[1]);
  for (const route of routes) {
    if (route.family !== 4 || route.table !== table || !prefixContains(route.to, packet.to)) continue;
    if (route.tos !== undefined) continue;
    const usable = route.hops.some(({ link, dead }) => !dead && (packet.oif === undefined || link === packet.oif));
    if (route.type === "unicast" && !usable) continue;
    if (!best || length(route) > length(best)) best = route;
  }
  return best;
}

/** The rules that had a say, the last one with the last word. */
function follow(picture: HostPicture, packet: Packet): PictureRule[] {
  const said: PictureRule[] = [];
  const rules = picture.rules.filter(({ family }) => family === 4);
  for (let at = 0; at < rules.length; at++) {
    const rule = rules[at] as PictureRule;
    if (!matches(rule, packet) || rule.action === "nop") continue;
    if (rule.action === "goto") {
      const target = rules.findIndex(({ priority }) => priority === rule.goto);
      if (target < 0) continue;
      said.push(rule);
      at = target - 1;
      continue;
    }
    if (rule.action !== "table") return [...said, rule];
    const route = lookUp(picture.routes, rule.table, packet);
    if (!route || route.type === "throw") continue;
    // What refuses a packet is not suppressed (fib_rules_lookup).
    const refuses = route.type === "unreachable";
    if (!refuses && Number(route.to.split("/")[1]) <= (rule.suppressPrefixLength ?? -1)) continue;
    return [...said, rule];
  }
  return said;
}

const maybe = (key: string, values: readonly string[]): fc.Arbitrary<object> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    fc.constantFrom(...values).map((value) => ({ [key]: value })),
  );

const selector = fc
  .tuple(
    maybe("from", PREFIXES.slice(0, 3)),
    maybe("to", PREFIXES.slice(0, 3)),
    maybe("iif", ["x", "y", "lo"]),
    maybe("oif", ["x"]),
    fc.oneof(fc.constant({}), fc.constantFrom({ mark: 1, mask: 1 }, { mark: 2, mask: 3 }, { mark: 1 })),
    fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, fc.constant({ not: true as const })),
  )
  .map((parts): object => Object.assign({}, ...parts) as object);

const deed = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...[1, 2, 3].map((table) => ({ action: "table", table }))) },
  fc.constantFrom(...[1, 2].map((table) => ({ action: "table", table, suppressPrefixLength: 16 }))),
  fc.constantFrom({ action: "blackhole" }, { action: "nop" }),
  fc.constantFrom(...[102, 104, 106, 108].map((goto) => ({ action: "goto", goto }))),
);

const route = fc.record({
  to: fc.constantFrom(...PREFIXES),
  table: fc.constantFrom(1, 2, 3),
  way: fc.constantFrom(
    { link: "x" },
    { link: "y" },
    { link: "x", dead: true },
    { type: "throw" },
    { type: "unreachable" },
    { link: "x", tos: 8 },
  ),
});

/** How many shadows were found: a property about none of them would prove nothing. */
let found = 0;

test.each([4711, undefined])("a shadowed rule has no say about any packet (seed %s)", (seed) => {
  found = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(selector, deed), { minLength: 2, maxLength: 7 }),
      fc.array(route, { maxLength: 8 }),
      (rules, routes) => {
        const picture = pictureFrom({
          links: { x: {}, y: {} },
          rules: rules.map(([match, action], i) => {
            const { goto, ...rest } = action as { goto?: number };
            const ahead = goto !== undefined && goto > 100 + i;
            const jump =
              goto === undefined
                ? {}
                : ahead
                  ? { goto, ...(goto >= 100 + rules.length ? { unresolved: true } : {}) }
                  : { action: "nop" };
            return { priority: 100 + i, ...match, ...rest, ...jump };
          }),
          routes: routes.map(({ way, ...rest }) => ({ ...rest, ...way })),
        });
        const told = shadowedRules.find(picture);
        for (const rule of picture.rules.filter(({ family, priority }) => family === 4 && priority < 200)) {
          const finding = told.find(({ summary }) => summary.includes(`rule ${sayRule(rule)} can`));
          if (!finding) continue;
          found++;
          const unboundOnly = finding.summary.includes("bound to a link");
          for (const packet of PACKETS.filter(({ oif }) => !unboundOnly || oif === undefined)) {
            expect(follow(picture, packet), JSON.stringify(packet)).not.toContain(rule);
          }
        }
      },
    ),
    { numRuns: 1500, ...(seed === undefined ? {} : { seed }) },
  );
  expect(found).toBeGreaterThan(100);
});
