// Owns two segments of one subnet for tests: two switches, hosts that can be moved from one to the other, and a router's links.
import { TestNamespace } from "./namespace.ts";

export type Segment = "left" | "right";

export class SegmentLab implements Disposable {
  readonly #wire = new TestNamespace();
  readonly #hosts: TestNamespace[] = [];
  #count = 0;

  constructor() {
    for (const name of ["left", "right"]) {
      this.#wire.ip(`link add ${name} type bridge mcast_snooping 0`);
      this.#wire.ip(`link set ${name} up`);
    }
  }

  /** Gives a namespace a link to a segment, up, with the address (and its length) where there is one. Gives the name of the far end. */
  connect(namespace: TestNamespace, link: string, segment: Segment, address?: string): string {
    const far = `p${++this.#count}`;
    this.#wire.ip(`link add ${far} type veth peer name ${link} netns /proc/${process.pid}/fd/${namespace.fd}`);
    this.#wire.ip(`link set ${far} master ${segment} up`);
    namespace.ip(`link set ${link} up`);
    if (address !== undefined) namespace.addAddress(link, address);
    return far;
  }

  /** A host with one link, eth0. */
  host(segment: Segment, address: string): { namespace: TestNamespace; move: (to: Segment) => void } {
    const namespace = new TestNamespace();
    this.#hosts.push(namespace);
    const far = this.connect(namespace, "eth0", segment, address);
    return { namespace, move: (to) => void this.#wire.ip(`link set ${far} master ${to}`) };
  }

  [Symbol.dispose](): void {
    for (const host of this.#hosts) host[Symbol.dispose]();
    this.#wire[Symbol.dispose]();
  }
}
