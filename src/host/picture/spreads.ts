// Owns the part of a picture that programs which spread packets are: nothing where there are none, or nobody may look.
import type { LinkFact } from "../../model/facts.ts";
import type { PictureSpread } from "../../model/spread-picture.ts";
import { picturePlaced, readSpreading } from "../bpf/spread-watch.ts";
import { spreadPackets } from "../bpf/spread.ts";
import type { NamespaceFd } from "../native.ts";

/** Every section at work in the namespace. Throws HostError, other than for want of rights. */
export async function pictureSpreads(namespace: NamespaceFd, links: readonly LinkFact[]): Promise<PictureSpread[]> {
  const spreader = spreadPackets({ namespace });
  try {
    const program = await spreader.read(links);
    using maps = spreader.open();
    if (!program || !maps) return [];
    return readSpreading(maps, links).flatMap((now): PictureSpread[] => {
      const spec = program.spreads.find(({ name }) => name === now.spec.name);
      return spec ? [{ spec, ingress: program.ingress, ...picturePlaced(now, process.hrtime.bigint()) }] : [];
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM" || code === "EACCES") return [];
    throw error;
  }
}
