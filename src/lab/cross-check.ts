// Owns what the parts of a topology say about each other: a link's segment, a user's groups, a step's host.
import { nearest } from "../model/nearest.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { addressesOf, type HostPlace, type TopologyFile } from "./schema.ts";
import { isStep, type Step } from "./step-schema.ts";
import type { Path, YamlSource } from "./yaml-source.ts";

/** Everything that refers to something that is not there, and whatever would be there twice. */
export function crossCheck(source: YamlSource, file: TopologyFile): Diagnostic[] {
  const found: Diagnostic[] = [];
  const macs = new Map<string, string>();
  for (const [hostName, host] of Object.entries(file.hosts)) {
    const at = ["hosts", hostName];
    for (const [linkName, link] of Object.entries(host.links)) {
      const path = [...at, "links", linkName];
      found.push(...refers(source, "segment", link.segment, Object.keys(file.segments), [...path, "segment"]));
      if (link.mac === undefined) continue;
      const first = macs.get(link.mac);
      const place = `${linkName} of ${hostName}`;
      if (first !== undefined)
        found.push(twice(source, `${link.mac} is the address of ${first} too`, [...path, "mac"]));
      macs.set(link.mac, place);
    }
    found.push(...checkUsers(source, file, host, at));
  }
  return found;
}

function checkUsers(source: YamlSource, file: TopologyFile, host: HostPlace, at: Path): Diagnostic[] {
  const groups = Object.keys({ ...file.groups, ...host.groups });
  const found: Diagnostic[] = [];
  const uids = new Map<number, string>();
  for (const [name, user] of Object.entries(host.users ?? {})) {
    const path = [...at, "users", name];
    if (user.group !== undefined) found.push(...refers(source, "group", user.group, groups, [...path, "group"]));
    for (const [index, group] of (user.groups ?? []).entries()) {
      found.push(...refers(source, "group", group, groups, [...path, "groups", index]));
    }
    const first = uids.get(user.uid);
    if (first !== undefined) found.push(twice(source, `${user.uid} is the uid of ${first} too`, [...path, "uid"]));
    uids.set(user.uid, name);
  }
  return found;
}

/** What is wrong with the hosts, links and users that a step names. */
export function crossCheckStep(source: YamlSource, file: TopologyFile, step: Step, at: Path): Diagnostic[] {
  const hosts = Object.keys(file.hosts);
  const host = (name: string, path: Path): Diagnostic[] => refers(source, "host", name, hosts, path);
  const place = (on: string, user: string | undefined, path: Path): Diagnostic[] => {
    if (on !== "all" && !file.hosts[on]) return host(on, [...path, "on"]);
    if (user === undefined) return [];
    return (on === "all" ? hosts : [on]).flatMap((name) =>
      refers(source, "user", user, Object.keys(file.hosts[name]?.users ?? {}), [...path, "as"]),
    );
  };
  const link = (hostName: string, name: string, path: Path): Diagnostic[] => {
    const there = file.hosts[hostName];
    return there ? refers(source, "link", name, Object.keys(there.links), path) : [];
  };
  if (isStep(step, "run")) return place(step.on, step.as, at);
  if (isStep(step, "wait")) return place(step.wait.on, step.wait.as, [...at, "wait"]);
  if (isStep(step, "serve")) return place(step.serve.on, step.serve.as, [...at, "serve"]);
  if (isStep(step, "flush") || isStep(step, "sysctls")) return place(step.on, undefined, at);
  if (isStep(step, "heddle")) {
    const bare = (step.on === "all" ? hosts : [step.on]).filter((name) => file.hosts[name] && !file.hosts[name].config);
    const missing = bare.map((name): Diagnostic => ({
      code: "no-config",
      severity: "error",
      summary: `host ${name} has no config that heddle could use`,
      remedy: `Add "config:" to host ${name}: the text of a heddle.yaml or the path of one.`,
      range: source.rangeOf(at),
    }));
    return [...place(step.on, undefined, at), ...missing];
  }
  if (isStep(step, "link")) {
    const path = [...at, "link"];
    return [...host(step.link.host, [...path, "host"]), ...link(step.link.host, step.link.name, [...path, "name"])];
  }
  if (isStep(step, "ways")) {
    const path = [...at, "ways"];
    const { from, as } = step.ways;
    const users = Object.keys(file.hosts[from]?.users ?? {});
    return [
      ...host(from, [...path, "from"]),
      ...as.flatMap((who, index) => {
        const [user = ""] = who.split(" in ");
        return file.hosts[from] ? refers(source, "user", user, ["root", ...users], [...path, "as", index]) : [];
      }),
      ...Object.keys(step.expect ?? {}).flatMap((who) => refers(source, "sender", who, as, [...at, "expect", who])),
    ];
  }
  if (isStep(step, "pairs")) {
    return Object.entries(step.pairs.between).flatMap(([name, links]) => {
      const path = [...at, "pairs", "between", name];
      return [
        ...host(name, path),
        ...links.flatMap((each, index) => [
          ...link(name, each, [...path, index]),
          ...hasAddress(source, file, name, each, step.pairs.families ?? [4, 6], [...path, index]),
        ]),
      ];
    });
  }
  return [];
}

function hasAddress(
  source: YamlSource,
  file: TopologyFile,
  host: string,
  link: string,
  families: readonly (4 | 6)[],
  path: Path,
): Diagnostic[] {
  const place = file.hosts[host]?.links[link];
  if (!place) return [];
  return families
    .filter((family) => addressesOf(place, family).length === 0)
    .map((family) => ({
      code: "no-address",
      severity: "error",
      summary: `${link} of ${host} has no IPv${family} address, so it is in no IPv${family} pair`,
      remedy: `Give it one, or say "families: [${family === 4 ? 6 : 4}]".`,
      range: source.rangeOf(path),
    }));
}

function refers(source: YamlSource, what: string, name: string, known: readonly string[], path: Path): Diagnostic[] {
  if (known.includes(name)) return [];
  const meant = nearest(name, known);
  return [
    {
      code: `unknown-${what}`,
      severity: "error",
      summary: `there is no ${what} ${name}`,
      detail: known.length > 0 ? `There is: ${known.join(", ")}.` : `There is no ${what} at all here.`,
      ...(meant !== undefined && { remedy: `Did you mean ${meant}?` }),
      range: source.rangeOf(path),
    },
  ];
}

function twice(source: YamlSource, summary: string, path: Path): Diagnostic {
  return { code: "duplicate", severity: "error", summary, range: source.rangeOf(path) };
}
