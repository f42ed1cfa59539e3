// Owns the translation between the kernel's interface indices and the names that specs use.
import type { LinkFact } from "../../model/facts.ts";
import type { Hop } from "../../model/kinds.ts";
import { HostError } from "../error.ts";

/** Names and indices of the links of one look. */
export class LinkNames {
  readonly #names = new Map<number, string>();
  readonly #indices = new Map<string, number>();
  #last: { index?: number | undefined; via?: string | undefined; onlink?: true | undefined; hops: Hop[] } = {
    hops: [],
  };

  constructor(links: readonly LinkFact[]) {
    for (const { name, index } of links) {
      this.#names.set(index, name);
      this.#indices.set(name, index);
    }
  }

  /** The name of an index. A link that came after the look is called by its number, which no link's name can be. */
  name(index: number): string {
    return this.#names.get(index) ?? `#${index}`;
  }

  /**
   * The hops of a route with at most one, by the index of its link and by its gateway. Routes that follow each other
   * mostly go the same way: then it is the same list, which nobody changes.
   */
  wayBy(index: number | undefined, via: string | undefined, onlink: true | undefined): Hop[] {
    const last = this.#last;
    if (last.index === index && last.via === via && last.onlink === onlink) return last.hops;
    const hop: Hop = {
      ...(index === undefined ? {} : { link: this.name(index) }),
      ...(via === undefined ? {} : { via }),
      ...(onlink ? { onlink } : {}),
    };
    const hops = index === undefined && via === undefined ? [] : [hop];
    this.#last = { index, via, onlink, hops };
    return hops;
  }

  /** The index of a name; throws HostError with ENODEV where the look saw no such link. */
  index(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new HostError({ errno: 19, object: `link ${name}` });
    return index;
  }
}
