// Owns the steps of a scenario: the shape of each kind, and how a step's kind is known (by the key that names it).
import * as z from "zod/mini";
import { canonicalAddress } from "../model/ip.ts";
import { CEILING_MS } from "./child.ts";
import { CGROUP_NAME } from "./confines.ts";
import { HOST_NAME, LINK_NAME, USER_NAME } from "./names.ts";

/** What setLink can do to a link: see link-state.ts. */
export const LINK_STATES = ["up", "down", "carrier-lost", "carrier-back", "removed", "replugged"] as const;
export type LinkState = (typeof LINK_STATES)[number];

const hostName = z.string().check(z.regex(HOST_NAME, "must be the name of a host"));
const linkName = z.string().check(z.regex(LINK_NAME, "must be the name of a link"));
const userName = z.string().check(z.regex(USER_NAME, "must be the name of a user"));
const cgroup = z.string().check(z.regex(CGROUP_NAME, "must be the path of a control group, such as slurm/job_1"));
const address = z
  .string()
  .check(z.refine((text: string) => canonicalAddress(text) === text, "must be an IP address in its canonical form"));
const count = z.int().check(z.nonnegative());
const withinMs = z.int().check(z.minimum(1), z.maximum(CEILING_MS));

/** A program and its arguments: a list, or words that are split at blanks. Never a shell. */
const argv = z.union([
  z.array(z.string()).check(z.minLength(1)),
  z.string().check(z.regex(/\S/, "must name a program")),
]);

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, "m") instanceof RegExp;
  } catch {
    return false;
  }
}

const textExpectation = z.strictObject({
  equals: z.optional(z.string()),
  contains: z.optional(z.string()),
  lacks: z.optional(z.string()),
  matches: z.optional(z.string().check(z.refine(isPattern, "must be a regular expression"))),
});

/** Without `exit`, a program has to end with 0. */
const expectation = z.strictObject({
  exit: z.optional(z.union([count, z.literal("failure")])),
  stdout: z.optional(textExpectation),
  stderr: z.optional(textExpectation),
});

const family = z.union([z.literal(4), z.literal(6)]);
const pairMethod = z.enum(["ping", "tcp"]);
const method = z.enum(["ping", "tcp", "udp"]);

/** A user, "root", or one of them "in" a control group: "alice in slurm/job_1". */
const sender = z
  .string()
  .check(z.regex(/^[a-z_][a-z0-9_-]{0,31}(?: in [A-Za-z0-9_.@/-]+)?$/, "must be a user, or a user in a control group"));

const ONE_PROGRAM = "must have run, or heddle";

function isOneProgram({ run, heddle }: { run?: unknown; heddle?: unknown }): boolean {
  return (run === undefined) !== (heddle === undefined);
}

const steps = {
  say: z.strictObject({ say: z.string() }),
  run: z.strictObject({
    run: argv,
    on: z.union([hostName, z.literal("all")]),
    as: z.optional(userName),
    cgroup: z.optional(cgroup),
    input: z.optional(z.string()),
    withinMs: z.optional(withinMs),
    expect: z.optional(expectation),
    /** The report shows what the program says, also when all is well. */
    show: z.optional(z.boolean()),
  }),
  heddle: z.strictObject({
    heddle: argv,
    on: z.union([hostName, z.literal("all")]),
    withinMs: z.optional(withinMs),
    expect: z.optional(expectation),
    show: z.optional(z.boolean()),
  }),
  link: z.strictObject({ link: z.strictObject({ host: hostName, name: linkName, state: z.enum(LINK_STATES) }) }),
  flush: z.strictObject({ flush: z.literal("neighbours"), on: z.union([hostName, z.literal("all")]) }),
  sysctls: z.strictObject({
    sysctls: z.record(
      z.string().check(z.regex(/^net[./][A-Za-z0-9_./-]+$/, "must be a sysctl of the network")),
      z.union([z.int(), z.string()]),
    ),
    on: z.union([hostName, z.literal("all")]),
  }),
  wait: z.strictObject({
    wait: z
      .strictObject({
        run: z.optional(argv),
        /** heddle with the host's own file, instead of `run`: "status". */
        heddle: z.optional(argv),
        on: hostName,
        as: z.optional(userName),
        until: expectation,
        withinMs: z.optional(withinMs),
      })
      .check(z.refine(isOneProgram, ONE_PROGRAM)),
  }),
  serve: z.strictObject({
    serve: z
      .strictObject({
        run: z.optional(argv),
        /** heddle with the host's own file, instead of `run`: "agent". */
        heddle: z.optional(argv),
        on: hostName,
        as: z.optional(userName),
        cgroup: z.optional(cgroup),
        /** TCP port that the server listens on once it is ready. */
        listens: z.optional(z.int().check(z.minimum(1), z.maximum(65_535))),
        /** A regular expression that its output matches once it is ready. */
        says: z.optional(z.string().check(z.refine(isPattern, "must be a regular expression"))),
      })
      .check(z.refine(isOneProgram, ONE_PROGRAM)),
  }),
  ways: z.strictObject({
    ways: z.strictObject({
      from: hostName,
      as: z.array(sender).check(z.minLength(1)),
      to: z.union([address, z.array(address).check(z.minLength(1))]),
      by: z.optional(z.array(method).check(z.minLength(1))),
    }),
    /** By sender: the one host that all of its frames go to, whether it is answered, the source address. */
    expect: z.optional(
      z.record(
        sender,
        z.strictObject({
          by: z.optional(z.union([hostName, z.literal("nobody")])),
          answered: z.optional(z.boolean()),
          source: z.optional(address),
        }),
      ),
    ),
  }),
  pairs: z.strictObject({
    pairs: z.strictObject({
      between: z
        .record(hostName, z.array(linkName).check(z.minLength(1)))
        .check(z.refine((value) => Object.keys(value).length === 2, "must name two hosts with their links")),
      by: z.optional(z.array(pairMethod).check(z.minLength(1))),
      families: z.optional(z.array(family).check(z.minLength(1))),
      /** Neighbour tables are emptied once for the run (pairs run together), or before each pair (one by one). */
      flush: z.optional(z.enum(["run", "pair"])),
    }),
    expect: z.optional(
      z.strictObject({
        /** Every pair gets its answer, and every packet goes by the right link. The default. */
        all: z.optional(z.literal(true)),
        /** At least one pair does not: the state before. */
        fails: z.optional(z.literal(true)),
        /** Nothing is expected: the table is only shown. */
        shown: z.optional(z.literal(true)),
        /** At least so many right pairs of a method, over all families. */
        right: z.optional(z.strictObject({ ping: z.optional(count), tcp: z.optional(count) })),
        /** At least so many answered pairs of a method, over all families. */
        answered: z.optional(z.strictObject({ ping: z.optional(count), tcp: z.optional(count) })),
      }),
    ),
  }),
};

/** The keys of which a step has exactly one. */
export const STEP_KINDS = Object.keys(steps) as StepKind[];
export type StepKind = keyof typeof steps;
export type StepOf<K extends StepKind> = z.infer<(typeof steps)[K]>;
export type Step = { [K in StepKind]: StepOf<K> }[StepKind];
export type Expectation = z.infer<typeof expectation>;
export type TextExpectation = z.infer<typeof textExpectation>;
export type PairsExpectation = NonNullable<StepOf<"pairs">["expect"]>;
export type Method = z.infer<typeof method>;
/** Methods that pairs of links are tried by. */
export type PairMethod = z.infer<typeof pairMethod>;
/** A program and its arguments, as a list or as words. */
export type Words = z.infer<typeof argv>;

/** Schema of one kind of step. */
export function stepSchema(kind: StepKind): z.ZodMiniType {
  return steps[kind];
}

/** The kinds whose keys a step has: exactly one in a good step. */
export function kindsOf(step: object): StepKind[] {
  return STEP_KINDS.filter((kind) => Object.hasOwn(step, kind));
}

/** Whether a good step is of the kind. */
export function isStep<K extends StepKind>(step: Step, kind: K): step is Extract<Step, StepOf<K>> {
  return Object.hasOwn(step, kind);
}

/** A list of words as it is; a string split at its blanks. */
export function splitWords(words: Words): string[] {
  return typeof words === "string" ? words.split(/\s+/).filter((word) => word !== "") : words;
}
