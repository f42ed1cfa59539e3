// Owns whose sockets a section means: names and ranges of its `match` as ids that give a bit of the mark.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import type { OwnerNames } from "../../model/owners.ts";
import { parseCgroupKey } from "../../model/owners.ts";
import { disjointRanges } from "../../model/mark-ranges.ts";
import { MOST_HIERARCHIES, MOST_MEMBERS } from "../../model/socket-marks.ts";
import type { MarkedCgroup, MarkRange, SocketMarks } from "../../model/socket-marks.ts";
import type { Owner } from "../fields.ts";
import type { Section, View } from "../role.ts";
import type { Egress } from "./schema.ts";

/** The names that the section says. */
export function namesOf({ match }: Egress): OwnerNames {
  const named = (owners: readonly Owner[] = []): string[] =>
    owners.flatMap((owner) => ("name" in owner ? [owner.name] : []));
  return { users: named(match.users), groups: named(match.groups), cgroups: match.cgroups ?? [] };
}

/** Whether the section means the sockets of somebody, and not everybody's. */
export function choosesOwners({ match }: Egress): boolean {
  return match.users !== undefined || match.groups !== undefined || match.cgroups !== undefined;
}

/** The owners' ids with the bits, and a warning for each name that nobody knows. */
export function ownersOf(section: Section<Egress>, view: View, bits: number, diagnostics: Diagnostic[]): SocketMarks {
  const { users = [], groups = [], cgroups = [], members } = section.value.match;
  const place = (list: string, index: number): SourceRange => section.at("match", list, index);
  const ids = (list: "users" | "groups", owners: readonly Owner[]): MarkRange[] =>
    owners.flatMap((owner, index): MarkRange[] => {
      if (!("name" in owner)) return [{ ...owner, bits }];
      const id = Object.hasOwn(view.owners[list], owner.name) ? view.owners[list][owner.name] : undefined;
      if (id !== undefined) return [{ first: id, last: id, bits }];
      diagnostics.push(unknownOwner(list === "users" ? "user" : "group", owner.name, place(list, index)));
      return [];
    });
  const groupIds = ids("groups", groups);
  const ranges = members ? disjointRanges(groupIds).length : 0;
  if (ranges > MOST_MEMBERS) diagnostics.push(tooManyMembers(ranges, section.at("match", "groups")));
  const controllers = new Set(cgroups.flatMap((cgroup) => parseCgroupKey(cgroup).controller ?? []));
  if (controllers.size > MOST_HIERARCHIES) diagnostics.push(tooManyHierarchies(section.at("match", "cgroups")));
  return {
    users: ids("users", users),
    groups: groupIds,
    members: members ? groupIds : [],
    cgroups: cgroups.flatMap((cgroup, index): MarkedCgroup[] => {
      const id = Object.hasOwn(view.owners.cgroups, cgroup) ? view.owners.cgroups[cgroup] : undefined;
      if (id !== undefined) return [{ cgroup, id, bits }];
      diagnostics.push(unknownCgroup(cgroup, place("cgroups", index)));
      return [];
    }),
  };
}

function unknownOwner(what: "user" | "group", name: string, range: SourceRange): Diagnostic {
  return {
    code: `waiting-${what}`,
    severity: "warning",
    summary: `the ${what} "${name}" is not known`,
    detail:
      "The system's name service does not know the name, or is not ready yet. Until it does, nothing is chosen by it.",
    remedy: `Check it with \`getent ${what === "user" ? "passwd" : "group"} ${name}\`, and apply again when it is known.`,
    range,
  };
}

function unknownCgroup(cgroup: string, range: SourceRange): Diagnostic {
  return {
    code: "waiting-cgroup",
    severity: "warning",
    summary: `there is no control group ${cgroup}`,
    detail:
      parseCgroupKey(cgroup).controller === undefined
        ? "Whoever makes it has not been started yet, or its path is another one on this host."
        : "Whoever makes it has not been started yet, or the controller is of version 2 here, or has no hierarchy. One that has only a name, like systemd's, cannot be looked at.",
    remedy: "Look for it below /sys/fs/cgroup (or with systemd-cgls), and apply again when it is there.",
    range,
  };
}

function tooManyMembers(count: number, range: SourceRange): Diagnostic {
  return {
    code: "too-many-groups",
    severity: "error",
    summary: `${count} supplementary groups that do not follow each other`,
    detail: `At most ${MOST_MEMBERS} ranges of ids can be looked for among the groups of whoever makes a socket.`,
    remedy: "Say ranges of ids, or leave `members` out, so that the group that owns a socket counts.",
    range,
  };
}

function tooManyHierarchies(range: SourceRange): Diagnostic {
  return {
    code: "too-many-hierarchies",
    severity: "error",
    summary: `control groups in more than ${MOST_HIERARCHIES} hierarchies of version 1`,
    detail: "A task is in one control group of each hierarchy, and each is searched for every socket.",
    remedy: "Say the same tasks by their control groups in one hierarchy.",
    range,
  };
}
