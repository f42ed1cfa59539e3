// Owns the programs that spread packets over links (native/bpf/spread.bpf.c) in one network namespace: putting them in
// place, reading back what the kernel has, taking them away.
//
// The maps outlive every exchange of the programs, and with them who has which bucket.
import { randomFillSync } from "node:crypto";
import { constants, release } from "node:os";
import { join } from "node:path";
import type { LinkFact } from "../../model/facts.ts";
import { prefixContains } from "../../model/ip.ts";
import { placeByWeight } from "../../model/spread-placement.ts";
import { SPREAD_BOUNDS } from "../../model/spread-program.ts";
import type { SpreadSpec, TcProgramSpec } from "../../model/spread-program.ts";
import { HostError } from "../error.ts";
import type { WatchedPath } from "../file-watch.ts";
import { makeStateFolder } from "../ledger/files.ts";
import { namespaceCookie } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { buildOf } from "./build.ts";
import { CONSTANTS, openPrograms, readObject } from "./load.ts";
import type { LoadedObject } from "./load.ts";
import type { BpfMap } from "./map.ts";
import { findBpffs, needBpffs } from "./mounts.ts";
import { openProgramMaps } from "./program.ts";
import {
  decodePrefix,
  decodeSpread,
  encodeFewPrefixes,
  encodeMember,
  encodePrefixes,
  encodeSpread,
  memberSlot,
  NO_SPREAD,
  numberKey,
  SIZE,
} from "./spread-maps.ts";
import type { StoredSpread } from "./spread-maps.ts";
import { framePlaces, isRightForFrames, number64, placeFrames } from "./spread-frames.ts";
import {
  areSocketProgramsHeld,
  placeSocketPrograms,
  removeSocketPrograms,
  socketPins,
  socketProgramsState,
} from "./spread-sockets.ts";
import { dropAll, isPlaced, pinNames, pinnedProgram, pinProgram } from "./spread-pins.ts";
import type { Attachment, PinnedAttachment } from "./spread-pins.ts";
import { openPlaces } from "./spread-places.ts";
import type { Places } from "./spread-places.ts";

const TOP = "heddle";
const NAME = "spread";
/** What stands for the index of a link that is not there. */
const NO_LINK = 0xffffffff;

/** Spreading in one network namespace. One writer at a time; reading is possible at any moment. */
export interface Spreader {
  /** What the kernel has, from the maps and links themselves; undefined where there is nothing. Throws HostError. */
  read(links: readonly LinkFact[]): Promise<TcProgramSpec | undefined>;
  /** Makes it so. Every packet is judged by the old state or the new one. Throws HostError. */
  write(spec: TcProgramSpec, links: readonly LinkFact[]): Promise<void>;
  /** Takes everything away. */
  remove(): Promise<void>;
  /**
   * Whether the programs are pinned, and what is pinned is at a link or a control group. A glance for who asks often: what
   * the programs do is not read, and filters of clsact are not seen. Throws HostError.
   */
  isAttached(): boolean;
  /** The pins as they are now, for who wants to hear of them being taken away; none where no bpffs is mounted. */
  pins(): WatchedPath[];
  /** Opens the maps of what runs, for whoever looks on or places buckets; the caller disposes of them. */
  open(): SpreadMaps | undefined;
}

/** Where the spreading is; absent parts are found. */
export interface SpreaderPlace {
  namespace: NamespaceFd;
  /** Where a bpffs is mounted. */
  bpffs?: string;
  /** Directory of the control group whose sockets are seen; absent means the root of version 2. */
  cgroup?: string;
  /** How programs are put at links; absent means as the kernel can: "tcx" since 6.6, "clsact" before. */
  attach?: "tcx" | "clsact";
}

/** The maps of the programs in place. */
export interface SpreadMaps extends Disposable {
  maps: ReadonlyMap<string, BpfMap>;
}

/** The spreading of a namespace. Nothing is touched until it is asked to. */
export function spreadPackets({ namespace, bpffs: stated, cgroup, attach }: SpreaderPlace): Spreader {
  const below = join(TOP, namespaceCookie(namespace), NAME);
  const foundFolder = (): string | undefined => {
    const bpffs = stated ?? findBpffs(below);
    return bpffs === undefined ? undefined : join(bpffs, below);
  };
  const open = (): SpreadMaps | undefined => {
    const folder = foundFolder();
    const program = folder === undefined ? undefined : pinnedProgram(folder);
    const opened = program === undefined ? undefined : openProgramMaps(program);
    if (!opened) return undefined;
    const { maps } = opened;
    return { maps, [Symbol.dispose]: () => maps.forEach((map) => map[Symbol.dispose]()) };
  };
  return {
    open,
    async read(links) {
      using opened = open();
      if (!opened) return undefined;
      const folder = foundFolder() as string;
      using places = openPlaces(folder, namespace, attach);
      const indices = links.map(({ index }) => index);
      const all = await places.list(indices, "with dead ones");
      const alive = all.filter(({ index }) => index !== 0);
      const spec = readProgram(opened.maps, folder, links, alive);
      // What was cut off before it took away the pins of links that have gone is written again.
      return alive.length === all.length ? spec : { ...spec, broken: true };
    },
    async write(spec, links) {
      const bpffs = stated ?? (await needBpffs(below));
      const folder = join(bpffs, below);
      await makeStateFolder(folder);
      using kept = open();
      using places = openPlaces(folder, namespace, attach);
      using loaded = await writeProgram(folder, spec, links, kept?.maps ?? new Map(), places);
      if (spec.spreads.some(hasSocketPrograms)) {
        await placeSocketPrograms(folder, loaded.maps.values(), namespace, cgroup);
      } else {
        removeSocketPrograms(folder);
      }
    },
    isAttached() {
      const folder = foundFolder();
      return folder !== undefined && isPlaced(folder) && areSocketProgramsHeld(folder);
    },
    pins() {
      const bpffs = stated ?? findBpffs(below);
      if (bpffs === undefined) return [];
      return [...pinNames(join(bpffs, below)), ...socketPins()].map((name) => ({
        top: bpffs,
        path: join(below, name),
      }));
    },
    async remove() {
      const folder = foundFolder();
      if (folder === undefined) return;
      removeSocketPrograms(folder);
      using places = openPlaces(folder, namespace, attach);
      await places.dropAll();
      dropAll(folder, folder.slice(0, folder.length - below.length + TOP.length));
    },
  };
}

/** Packets that this host sends are marked by their sockets: no hook of links sees them before their route. */
function hasSocketPrograms({ mechanism, local }: Pick<SpreadSpec, "mechanism" | "local">): boolean {
  return mechanism !== "redirect" && local === true;
}

/** All spreads that the maps hold, by their number. */
export function readSpreads(
  maps: ReadonlyMap<string, BpfMap>,
  nameOfLink: (index: number) => string | undefined,
): Map<number, StoredSpread> {
  const found = new Map<number, StoredSpread>();
  for (let number = 0; number < SPREAD_BOUNDS.spreads; number++) {
    const bytes = maps.get("spreads")?.lookup(numberKey(number));
    const memberAt = (slot: number): Uint8Array | undefined => maps.get("members")?.lookup(numberKey(slot));
    const stored = bytes?.length === SIZE.spread ? decodeSpread(number, bytes, memberAt, nameOfLink) : undefined;
    if (stored) found.set(number, stored);
  }
  return found;
}

function readProgram(
  maps: ReadonlyMap<string, BpfMap>,
  folder: string,
  links: readonly LinkFact[],
  attachments: readonly PinnedAttachment[],
): TcProgramSpec {
  const nameOf = (index: number): string | undefined => links.find((link) => link.index === index)?.name;
  const spreads = readSpreads(maps, nameOf);
  const prefixes = readPrefixes(maps);
  const namesAt = (hook: Attachment["hook"]): string[] =>
    attachments.filter((one) => one.hook === hook).flatMap(({ index }) => nameOf(index) ?? []);
  const object = readObject(NAME);
  const place = object.constants.places.get("build");
  const constantBytes = maps.get(CONSTANTS)?.lookup(numberKey(0));
  const sameBuild =
    place !== undefined &&
    constantBytes !== undefined &&
    constantBytes.length >= place.offset + 8 &&
    new DataView(constantBytes.buffer).getBigUint64(place.offset, true) === buildOf(object);
  const sockets = [...spreads.values()].some(({ spec }) => hasSocketPrograms(spec)) ? "whole" : "absent";
  const rightSockets = socketProgramsState(folder, maps.get("spreads")?.id()) === sockets;
  const behind = attachments.filter(({ hook }) => hook !== "xdp");
  const rightFrames = attachments.every((one) => behind.includes(one) || isRightForFrames(one, links, maps));
  const rightLinks = [...spreads.values()].every(({ spec, indices, mtus }) =>
    spec.members.every(({ number, link: name }) => {
      const link = links.find(({ index }) => index === indices.get(number));
      return link?.name === name && link.mtu === mtus.get(number);
    }),
  );
  return {
    program: "spread",
    ingress: namesAt("tcx/ingress"),
    egress: namesAt("tcx/egress"),
    frames: namesAt("xdp"),
    spreads: [...spreads].map(([number, { spec }]) => {
      const to = prefixes.get(number) ?? [];
      const holes = (prefixes.get(NO_SPREAD) ?? []).filter((hole) => to.some((prefix) => prefixContains(prefix, hole)));
      return { ...spec, to, ...(spec.mechanism === "fast" && holes.length > 0 ? { except: holes } : {}) };
    }),
    ...(sameBuild && rightLinks && rightSockets && rightFrames && haveSameProgram(maps, behind)
      ? {}
      : { broken: true }),
  };
}

/** Whether every attachment runs programs of the maps' generation: after a write that was cut off they differ. */
function haveSameProgram(maps: ReadonlyMap<string, BpfMap>, attachments: readonly { program: number }[]): boolean {
  const wanted = idOfConstants(maps);
  return [...new Set(attachments.map(({ program }) => program))].every((program) => {
    const opened = openProgramMaps(program);
    if (!opened) return false;
    const same = idOfConstants(opened.maps) === wanted;
    opened.maps.forEach((map) => map[Symbol.dispose]());
    return same;
  });
}

function idOfConstants(maps: ReadonlyMap<string, BpfMap>): number | undefined {
  return maps.get(CONSTANTS)?.id();
}

function readPrefixes(maps: ReadonlyMap<string, BpfMap>): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const name of ["prefixes4", "prefixes6"]) {
    for (const { key, value } of maps.get(name)?.readAll() ?? []) {
      const number = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
      const list = found.get(number);
      if (list) list.push(decodePrefix(key));
      else found.set(number, [decodePrefix(key)]);
    }
  }
  return found;
}

async function writeProgram(
  folder: string,
  spec: TcProgramSpec,
  links: readonly LinkFact[],
  kept: ReadonlyMap<string, BpfMap>,
  places: Places,
): Promise<LoadedObject> {
  checkBounds(spec);
  const object = readObject(NAME);
  const allMarks = numberKey(spec.spreads.reduce((bits, { mask }) => (bits | mask) >>> 0, 0));
  const numbers = numberSpreads(spec.spreads, kept);
  const atLinks = links.filter(({ name }) => spec.ingress.includes(name) || spec.egress.includes(name));
  const shared = {
    ...encodeFewPrefixes(
      spec.spreads.flatMap(({ name, to, except = [] }) => [
        ...to.map((prefix) => [prefix, numbers.get(name) as number] as const),
        ...except.map((prefix) => [prefix, NO_SPREAD] as const),
      ]),
    ),
    has_coarse_clock: numberKey(hasCoarseClock() ? 1 : 0),
  };
  const constants = {
    ...shared,
    all_marks: allMarks,
    all_ethernet: numberKey(atLinks.every(({ type }) => type === "ether") ? 1 : 0),
    build: number64(buildOf(object)),
  };
  const options = { constants, reuse: [...kept.values()] };
  const loaded = openPrograms(object, options, (maps) => writeMaps(maps, spec.spreads, numbers, links));
  try {
    await placePrograms(folder, spec, links, loaded, places);
    // Behind them is where goes what they do not take, so they come last.
    await placeFrames(spec, links, loaded.maps, shared, places);
    dropOthers(loaded, spec.spreads, numbers);
    return loaded;
  } catch (error) {
    loaded[Symbol.dispose]();
    throw error;
  }
}

/** Puts the programs at the links, and takes them from those where they are not to be any more. */
async function placePrograms(
  folder: string,
  spec: TcProgramSpec,
  links: readonly LinkFact[],
  loaded: LoadedObject,
  places: Places,
): Promise<void> {
  const indexOf = (name: string): number[] => links.filter((link) => link.name === name).map(({ index }) => index);
  const packets: Attachment[] = [
    ...spec.ingress.flatMap(indexOf).map((index): Attachment => ({ hook: "tcx/ingress", index })),
    ...spec.egress.flatMap(indexOf).map((index): Attachment => ({ hook: "tcx/egress", index })),
  ];
  const wanted = [...packets, ...framePlaces(spec, links)];
  // It is the one that uses every map, and so keeps them all.
  pinProgram(folder, programOf(loaded, "tcx/egress"));
  for (const place of packets) await places.place(place, programOf(loaded, place.hook));
  for (const found of await places.list(
    links.map(({ index }) => index),
    "with dead ones",
  )) {
    if (!wanted.some(({ hook, index }) => hook === found.hook && index === found.index)) await places.drop(found);
  }
}

function programOf(loaded: LoadedObject, hook: Attachment["hook"]) {
  const program = loaded.programs.get(hook);
  if (!program) throw new Error(`the BPF object has no program for ${hook}`);
  return program;
}

/** Whether programs can read the clock that ticks, which costs next to nothing (bpf_ktime_get_coarse_ns, Linux 5.11). */
function hasCoarseClock(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 11);
}

function checkBounds({ spreads }: TcProgramSpec): void {
  const prefixes = spreads.reduce((sum, { to, except = [] }) => sum + to.length + except.length, 0);
  const bounds: [count: number, most: number, what: string][] = [
    [spreads.length, SPREAD_BOUNDS.spreads, "sections of spread"],
    [prefixes, SPREAD_BOUNDS.prefixes, "prefixes to spread"],
  ];
  for (const [count, most, what] of bounds) {
    if (count <= most) continue;
    const kernelMessage = `at most ${most} can be had`;
    throw new HostError({ errno: constants.errno.E2BIG, object: `${count} ${what}`, kernelMessage });
  }
}

/** A section keeps its number, so that its buckets stay where they are. */
function numberSpreads(spreads: readonly SpreadSpec[], kept: ReadonlyMap<string, BpfMap>): Map<string, number> {
  const before = new Map([...readSpreads(kept, () => undefined)].map(([number, { spec }]) => [spec.name, number]));
  const numbers = new Map(
    spreads.flatMap(({ name }) => (before.has(name) ? [[name, before.get(name) as number]] : [])),
  );
  const taken = new Set([...numbers.values(), ...before.values()]);
  const free = Array.from({ length: SPREAD_BOUNDS.spreads }, (_, i) => i);
  // One that has just been given up is taken last: packets may still be judged by it.
  const order = [...free.filter((number) => !taken.has(number)), ...free.filter((number) => taken.has(number))];
  for (const { name } of spreads) {
    if (numbers.has(name)) continue;
    const used = new Set(numbers.values());
    numbers.set(name, order.find((number) => !used.has(number)) as number);
  }
  return numbers;
}

/** Everything new stands before a packet can be led to it: members, then buckets, then the spread, then its prefixes. */
function writeMaps(
  loaded: LoadedObject,
  spreads: readonly SpreadSpec[],
  numbers: ReadonlyMap<string, number>,
  links: readonly LinkFact[],
): void {
  const before = readSpreads(loaded.maps, () => undefined);
  for (const spec of spreads) {
    const number = numbers.get(spec.name) as number;
    const known = before.get(number)?.spec.name === spec.name ? before.get(number) : undefined;
    const linkOf = (name: string): LinkFact | undefined => links.find((link) => link.name === name);
    for (let member = 1; member <= SPREAD_BOUNDS.members; member++) {
      const wanted = spec.members.find((one) => one.number === member);
      const link = wanted && linkOf(wanted.link);
      const bytes = wanted ? encodeMember(wanted, link?.index ?? 0, link?.mtu ?? 0) : new Uint8Array(SIZE.member);
      loaded.map("members").update(numberKey(memberSlot(number, member)), bytes);
    }
    const placements = loaded.map("placements");
    const placed = known ? placements.lookup(numberKey(number)) : undefined;
    const alike = known && sameShares(known.spec.members, spec.members);
    if (!placed || !alike) placements.update(numberKey(number), placeByWeight(spec.members, placed));
    const up = spec.members.filter(({ link }) => linkOf(link)?.up && linkOf(link)?.carrier).map((one) => one.number);
    const key = known?.key ?? randomFillSync(new Uint8Array(16));
    const ofIndex = spec.of === undefined ? 0 : (linkOf(spec.of)?.index ?? NO_LINK);
    loaded.map("spreads").update(numberKey(number), encodeSpread(spec, { key, up }, ofIndex));
    // Whoever places buckets, maybe of another process, hears of the first packet.
    if (spec.by === "load") loaded.map("untold").update(numberKey(number), number64(1n));
    const holes = encodePrefixes(NO_SPREAD, spec.except ?? []);
    const wanted = encodePrefixes(number, spec.to);
    // The holes first: no packet for them may be led astray meanwhile.
    for (const entries of [holes, wanted]) {
      for (const [map, all] of Object.entries(entries)) loaded.map(map).updateAll(all);
    }
  }
}

/** Whether the same members have the same weights: then who has which bucket is not ours to say. */
function sameShares(one: SpreadSpec["members"], other: SpreadSpec["members"]): boolean {
  const text = (members: SpreadSpec["members"]): string =>
    members.map(({ number, weight }) => `${number}:${weight}`).join();
  return text(one) === text(other);
}

/** Takes away prefixes and spreads that nobody wants any more, the prefixes first. */
function dropOthers(loaded: LoadedObject, spreads: readonly SpreadSpec[], numbers: ReadonlyMap<string, number>): void {
  const wanted = new Set(spreads.flatMap(({ to, except = [] }) => [...to, ...except]));
  for (const name of ["prefixes4", "prefixes6"]) {
    for (const { key } of loaded.map(name).readAll()) if (!wanted.has(decodePrefix(key))) loaded.map(name).delete(key);
  }
  const used = new Set(numbers.values());
  for (const number of readSpreads(loaded.maps, () => undefined).keys()) {
    if (!used.has(number)) loaded.map("spreads").update(numberKey(number), new Uint8Array(SIZE.spread));
  }
}
