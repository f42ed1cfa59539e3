// Owns the two ways in which programs come to links, as one: BPF links (kernel 6.6), and filters of clsact before that.
import { constants } from "node:os";
import { HostError } from "../error.ts";
import type { NamespaceFd } from "../native.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { Descriptor } from "./call.ts";
import { dropFilter, listFilters, placeFilter } from "./spread-clsact.ts";
import { dropAttachment, markedIndices, pinnedAttachments, placeAtLink } from "./spread-pins.ts";
import type { Attachment, PinnedAttachment } from "./spread-pins.ts";

/** Programs at the links of a namespace. Its socket is closed when it is disposed of. */
export interface Places extends Disposable {
  /** Ours at the links of the indices; with those that are pinned and whose link has gone, where these are asked for. */
  list(indices: readonly number[], dead?: "with dead ones"): Promise<PinnedAttachment[]>;
  /** Makes the program run there. Throws HostError. */
  place(place: Attachment, program: Descriptor): Promise<void>;
  drop(found: PinnedAttachment): Promise<void>;
  /** Takes all away, whichever way they came. */
  dropAll(): Promise<void>;
}

/** The places whose pins are in the folder; `attach` is the way that is taken, the kernel's best where absent. */
export function openPlaces(folder: string, namespace: NamespaceFd, attach: "tcx" | "clsact" | undefined): Places {
  let opened: RouteSocket | undefined;
  const socket = (): RouteSocket => (opened ??= openRouteSocket({ namespace }));
  // Filters are looked for where they can be: a host that has BPF links and was never told otherwise has none.
  const filtered = (): number[] => (attach === "tcx" ? [] : markedIndices(folder));
  const drop = async (found: PinnedAttachment): Promise<void> => {
    const { hook, index, path } = found;
    if (path === "" && hook !== "xdp") await dropFilter(socket(), folder, { hook, index });
    else dropAttachment(path);
  };
  const list: Places["list"] = async (indices, dead) => {
    const pinned = pinnedAttachments(folder).filter(({ index }) => index !== 0 || dead !== undefined);
    const present = filtered().filter((index) => indices.includes(index));
    return [...pinned, ...(present.length > 0 ? await listFilters(socket(), present) : [])];
  };
  return {
    list,
    drop,
    async place(place, program) {
      const { hook, index } = place;
      // Frames have links of BPF on every kernel that tells where they can be had.
      if (hook === "xdp") return placeAtLink(folder, place, program, namespace);
      if (attach !== "clsact") {
        try {
          return placeAtLink(folder, place, program, namespace);
        } catch (error) {
          const unknown = error instanceof HostError && error.errno === constants.errno.EINVAL;
          if (attach === "tcx" || !unknown) throw error;
        }
      }
      await placeFilter(socket(), folder, { hook, index }, program);
    },
    async dropAll() {
      for (const found of await list(filtered(), "with dead ones")) await drop(found);
    },
    [Symbol.dispose]: () => opened?.close(),
  };
}
