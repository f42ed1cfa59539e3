// Owns the schemas of the values that sections share: addresses, prefixes, link names, numbers.
//
// Each says what is wrong in words for the one who wrote the file; `params.remedy` says what to write instead.
import * as z from "zod/mini";
import { addressBits, canonicalAddress, familyOf, networkOf, parseAddress, parsePrefix } from "../model/ip.ts";
import type { NumberRange } from "../model/kinds.ts";
import { cgroupKey, LAST_ID } from "../model/owners.ts";
import { readProbeTarget } from "../model/probe-target.ts";
import type { ProbeTarget } from "../model/probe-target.ts";

/** A key that may be left out, with its sentence for the JSON Schema and the manual. */
export function optional<T, I>(about: string, schema: z.ZodMiniType<T, I>): z.ZodMiniOptional<z.ZodMiniType<T, I>> {
  return described(about, z.optional(schema));
}

/** The schema with a sentence for the JSON Schema and the manual. A copy: the same field means other things elsewhere. */
export function described<S extends z.ZodMiniType>(about: string, schema: S): S {
  const copy = z.clone(schema);
  z.globalRegistry.add(copy, { description: about });
  return copy;
}

/** The schema with the name of what is written there, "an IP address", where its type alone does not tell. */
export function named<S extends z.ZodMiniType>(what: string, schema: S): S {
  const copy = z.clone(schema);
  z.globalRegistry.add(copy, { title: what });
  return copy;
}

/** Text that a function turns into a value, or refuses with a message and a remedy. */
function text<T>(expects: string, read: (text: string) => T | Refusal): z.ZodMiniType<T, string> {
  return named(expects, refine(z.string(`expected ${expects}, as text`), read));
}

function refine<In, T>(input: z.ZodMiniType<In, In>, read: (value: In) => T | Refusal): z.ZodMiniType<T, In> {
  return z.pipe(
    input,
    z.transform((input: In, context): T => {
      const result = read(input);
      if (!(result instanceof Refusal)) return result;
      context.issues.push({ code: "custom", message: result.message, input, params: { remedy: result.remedy } });
      return z.NEVER;
    }),
  );
}

/** Why a text is none of what was asked for, and what to write instead. */
export class Refusal {
  readonly message: string;
  readonly remedy: string | undefined;
  constructor(message: string, remedy?: string) {
    this.message = message;
    this.remedy = remedy;
  }
}

/** An IPv4 or IPv6 address, made canonical. */
export const address = text("an IP address", readAddress);

/** The canonical form of an address. */
export function readAddress(input: string): string | Refusal {
  const canonical = canonicalAddress(input);
  if (canonical !== undefined) return canonical;
  if (parsePrefix(input)) return new Refusal(`"${input}" is a prefix, not an address`, `Write ${input.split("/")[0]}.`);
  return new Refusal(`"${input}" is not an IP address`, "Write it like 172.16.34.1 or fd00:16::1.");
}

/** The same of IPv4 only, for what has no meaning in IPv6. */
export const ipv4Address = text("an IPv4 address", ipv4Only(readAddress));

/** An address of a link, with the length of its subnet, made canonical: "172.16.34.1/16". */
export const interfaceAddress = text("an address with the length of its subnet", readInterfaceAddress);

/** The same of IPv4 only. */
export const ipv4InterfaceAddress = text(
  "an IPv4 address with the length of its subnet",
  ipv4Only(readInterfaceAddress),
);

function ipv4Only(read: (input: string) => string | Refusal): (input: string) => string | Refusal {
  return (input) => {
    const found = read(input);
    if (found instanceof Refusal || familyOf(found) === 4) return found;
    return new Refusal(`"${input}" is an IPv6 address`, "Only IPv4 addresses can stand here.");
  };
}

function readInterfaceAddress(input: string): string | Refusal {
  const parts = parsePrefix(input);
  if (!parts) return new Refusal(`"${input}" is not an IP address with a length`, "Write it like 172.16.34.1/16.");
  if (!input.includes("/")) {
    return new Refusal(
      `"${input}" does not say how long its subnet is`,
      `Write it like ${input}/${parts.family === 4 ? 16 : 64}.`,
    );
  }
  const whole = `${parts.address}/${parts.length}`;
  if (parts.family === 4 && parts.length < 31 && networkOf(whole) === whole) {
    return new Refusal(`"${input}" is a network, not an address in it`, "Write the address of this host in it.");
  }
  return whole;
}

/** A hardware address of 6 bytes (Ethernet) or 20 (InfiniBand), in lower case with colons. */
export const hardwareAddress = text("a hardware address", (input) => {
  const lower = input.toLowerCase().replaceAll("-", ":");
  if (/^[0-9a-f]{2}(:[0-9a-f]{2})*$/.test(lower) && [6, 20].includes(lower.split(":").length)) return lower;
  return new Refusal(
    `"${input}" is not a hardware address`,
    "Write 6 bytes (20 for InfiniBand) like 02:00:00:00:00:01.",
  );
});

/** A prefix without host bits, made canonical; an address alone is a host prefix. */
export const prefix = text("an IP prefix", readPrefix);

/** A prefix, or the word "default" for whichever family the rest says. */
export const prefixOrDefault = text('an IP prefix or "default"', readPrefixOrDefault);

/** The canonical form of a prefix without host bits, or the word "default". */
export function readPrefixOrDefault(input: string): string | Refusal {
  return input === "default" ? "default" : readPrefix(input);
}

function readPrefix(input: string): string | Refusal {
  const parts = parsePrefix(input);
  if (!parts) return new Refusal(`"${input}" is not an IP prefix`, "Write it like 10.20.0.0/16 or fd00:16::/64.");
  const whole = `${parts.address}/${parts.length}`;
  // An address alone has no bits behind its length.
  const network = parts.length === addressBits(parts.family) ? whole : networkOf(whole);
  if (network !== whole) {
    const host = `${parts.address}/${familyOf(parts.address) === 4 ? 32 : 128}`;
    return new Refusal(
      `"${input}" has bits set behind its length`,
      `Write ${network} for the network, or ${host} for the one address.`,
    );
  }
  return whole;
}

/** Addresses from one to another, both included: "192.0.2.1-192.0.2.8". */
export const addressRange = text("a range of IP addresses", (input): { first: string; last: string } | Refusal => {
  const [first, last, ...more] = input.split("-").map((part) => canonicalAddress(part.trim()));
  if (first === undefined || last === undefined || more.length > 0 || familyOf(first) !== familyOf(last)) {
    return new Refusal(`"${input}" is not a range of IP addresses`, "Write it like 192.0.2.1-192.0.2.8.");
  }
  const [from, to] = [parseAddress(first) ?? [], parseAddress(last) ?? []];
  const differs = [...from].findIndex((byte, i) => byte !== to[i]);
  if (differs < 0 || (from[differs] as number) < (to[differs] as number)) return { first, last };
  return new Refusal(`"${input}" ends before it begins`, `Write ${last}-${first}.`);
});

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 };

/** A time with its unit, in milliseconds: "20ms", "1.5s", "2min". `stepMs` is how fine it can be said. */
export function duration(leastMs: number, mostMs: number, stepMs: number): z.ZodMiniType<number, string> {
  return text("a time with its unit", (input): number | Refusal => {
    const [, number, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|min)$/.exec(input) ?? [];
    if (number === undefined) return new Refusal(`"${input}" is not a time`, "Write it like 20ms, 1.5s or 2min.");
    const ms = Number(number) * (UNITS_MS[unit] as number);
    if (ms >= leastMs && ms <= mostMs && ms % stepMs === 0) return ms;
    const steps = stepMs === 1 ? "" : `, in steps of ${stepMs}ms`;
    return new Refusal(`"${input}" is out of range`, `Write a time from ${leastMs}ms to ${mostMs / 1000}s${steps}.`);
  });
}

const UTF8 = new TextEncoder();

/** The name of a link as the kernel allows it (dev_valid_name, net/core/dev.c). */
export const linkName = text("the name of a link", readLinkName);

/** The text itself, where a link can be called so. */
export function readLinkName(input: string): string | Refusal {
  const fits = UTF8.encode(input).length <= 15;
  if (fits && /^[^\s/:\p{Cc}]+$/u.test(input) && input !== "." && input !== "..") return input;
  return new Refusal(`"${input}" cannot be the name of a link`, "A name has 1 to 15 bytes, without spaces, / and :.");
}

/** A user or group by name, or ids from one to another. */
export type Owner = { name: string } | NumberRange;

/** A user or group: "alice", `5001`, "5000-5999". */
export const owner: z.ZodMiniType<Owner, string | number> = named(
  "a name, an id or a range of ids",
  refine(z.union([z.number(), z.string()], "expected a name, an id or a range of ids"), (input): Owner | Refusal => {
    const written = String(input);
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(written);
    const range = match && { first: Number(match[1]), last: Number(match[2] ?? match[1]) };
    if (range && range.first <= range.last && range.last <= LAST_ID) return range;
    if (range || typeof input === "number") {
      return new Refusal(
        `"${written}" is no id or range of ids`,
        `Ids are whole numbers from 0 to ${LAST_ID}, the lower first.`,
      );
    }
    if (/^(?!-)[^\s:,\p{Cc}]{1,256}$/u.test(input)) return { name: input };
    return new Refusal(
      `"${written}" cannot be a name`,
      "A name has no spaces, colons and commas, and no dash at its beginning.",
    );
  }),
);

/** A control group by its path from the root of its hierarchy, with the controller of one of version 1 in front. */
export const cgroup = text("the path of a control group", readCgroup);

/** The key of a control group as a person writes it. */
export function readCgroup(input: string): string | Refusal {
  const [, controller, path = ""] = /^(?:([a-z_]+):(?=.))?\/?(.*)$/.exec(input) ?? [];
  const parts = path.split("/");
  if (parts.every((part) => part !== "" && part !== "." && part !== ".." && !part.includes("\0"))) {
    return cgroupKey({ path: `/${path}`, ...(controller === undefined ? {} : { controller }) });
  }
  return new Refusal(
    `"${input}" is not the path of a control group`,
    'Write it from the root of its hierarchy, like "system.slice/slurmstepd.scope", or "freezer:slurm" for one of version 1.',
  );
}

/** A name that the file gives to something: a role instance, a table. */
export const name = named(
  "a name",
  z.string().check(
    z.regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,30}$/, {
      error: "a name begins with a letter and has at most 31 letters, digits, dots, dashes and underscores",
    }),
  ),
);

/** A whole number in the range, both ends included. */
export function wholeNumber(first: number, last: number): z.ZodMiniType<number, number> {
  const error = `expected a whole number from ${first} to ${last}`;
  return z.number(error).check(z.int(error), z.gte(first, error), z.lte(last, error));
}

/** A range of whole numbers: `80`, "80" or "8000-8100". */
export function numberRange(first: number, last: number): z.ZodMiniType<NumberRange, string | number> {
  const expects = `a number or range from ${first} to ${last}`;
  const fits = (range: NumberRange): boolean => range.first >= first && range.first <= range.last && range.last <= last;
  const fromText = text(expects, (input): NumberRange | Refusal => {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(input);
    const range = match && { first: Number(match[1]), last: Number(match[2] ?? match[1]) };
    if (range && fits(range)) return range;
    return new Refusal(`"${input}" is not ${expects}`, `Write it like "${first}" or "${first}-${last}".`);
  });
  const fromNumber = z.pipe(
    wholeNumber(first, last),
    z.transform((value: number): NumberRange => ({ first: value, last: value })),
  );
  return named(expects, z.union([fromNumber, fromText]));
}

/** A target that is asked again and again, in one of the given ways. */
export function probeTarget(ways: readonly ProbeTarget["by"][]): z.ZodMiniType<ProbeTarget, string> {
  return text("a target", (input): ProbeTarget | Refusal => {
    const target = readProbeTarget(input);
    if (!("by" in target)) return new Refusal(target.message, target.remedy);
    if (ways.includes(target.by)) return target;
    return new Refusal(`"${input}" does not say how it is asked`, "Write tcp://192.0.2.1:443 or http://192.0.2.1/.");
  });
}
