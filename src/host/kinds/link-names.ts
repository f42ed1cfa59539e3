// Owns the translation between the kernel's interface indices and the names that specs use.
import type { LinkFact } from "../../model/facts.ts";
import { HostError } from "../error.ts";

/** Names and indices of the links of one look. */
export class LinkNames {
  readonly #names = new Map<number, string>();
  readonly #indices = new Map<string, number>();

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

  /** The index of a name; throws HostError with ENODEV where the look saw no such link. */
  index(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new HostError({ errno: 19, object: `link ${name}` });
    return index;
  }
}
