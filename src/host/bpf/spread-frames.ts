// Owns the programs that pass frames on before the kernel makes packets of them (native/bpf/spread-frames.bpf.c): one for
// each link, since it has to know that link's hardware address. They use the maps of the programs behind them.
import type { LinkFact } from "../../model/facts.ts";
import type { TcProgramSpec } from "../../model/spread-program.ts";
import { buildOf } from "./build.ts";
import { CONSTANTS, openPrograms, readObject } from "./load.ts";
import type { BpfMap } from "./map.ts";
import { openProgramMaps } from "./program.ts";
import { numberKey } from "./spread-maps.ts";
import type { Attachment, PinnedAttachment } from "./spread-pins.ts";
import type { Places } from "./spread-places.ts";

const NAME = "spread-frames";
const HOOK = "xdp";

/** Where frames are to be passed on. */
export function framePlaces({ frames = [] }: TcProgramSpec, links: readonly LinkFact[]): Attachment[] {
  return links.filter(({ name }) => frames.includes(name)).map(({ index }) => ({ hook: HOOK, index }));
}

/** Puts a program at each of the links, over the maps; `shared` are the constants of all programs. Throws HostError. */
export async function placeFrames(
  spec: TcProgramSpec,
  links: readonly LinkFact[],
  maps: ReadonlyMap<string, BpfMap>,
  shared: Readonly<Record<string, Uint8Array>>,
  places: Places,
): Promise<void> {
  for (const place of framePlaces(spec, links)) {
    const object = readObject(NAME);
    const own = links.find(({ index }) => index === place.index);
    const constants = { ...shared, build: number64(buildOf(object)), own_address: number64(addressOf(own)) };
    using loaded = openPrograms(object, { constants, reuse: [...maps.values()] });
    const program = loaded.programs.get(HOOK);
    if (!program) throw new Error(`the BPF object has no program for ${HOOK}`);
    await places.place(place, program);
  }
}

/** Whether a program at a link is this build's, over these maps, and knows the link's hardware address. */
export function isRightForFrames(
  { program, index }: PinnedAttachment,
  links: readonly LinkFact[],
  maps: ReadonlyMap<string, BpfMap>,
): boolean {
  const opened = openProgramMaps(program);
  if (!opened) return false;
  const object = readObject(NAME);
  const bytes = opened.maps.get(CONSTANTS)?.lookup(numberKey(0));
  const told = (name: string): bigint | undefined => {
    const place = object.constants.places.get(name);
    if (!place || !bytes || bytes.length < place.offset + 8) return undefined;
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(place.offset, true);
  };
  const sameMaps = opened.maps.get("spreads")?.id() === maps.get("spreads")?.id();
  const own = links.find((link) => link.index === index);
  const right = sameMaps && told("build") === buildOf(object) && told("own_address") === addressOf(own);
  opened.maps.forEach((map) => map[Symbol.dispose]());
  return right;
}

/** A hardware address of six bytes as one number, the first byte lowest: as the program compares it. */
function addressOf(link: LinkFact | undefined): bigint {
  const bytes = (link?.hardwareAddress ?? "").split(":").map((byte) => Number.parseInt(byte, 16));
  return bytes.length === 6 ? bytes.reduceRight((all, byte) => (all << 8n) | BigInt(byte), 0n) : 0n;
}

/** Eight bytes of a constant. */
export function number64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
