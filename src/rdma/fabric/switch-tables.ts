// Owns the forwarding tables of the model's switch: read from the simulated switch, where the real OpenSM writes them.
import { u16, u8 } from "../codec/bytes.ts";
import { FIRST_MLID } from "../codec/lrh.ts";
import type { IbsimPort } from "../sa/ibsim-port.ts";

/** Attributes of subnet management (IBA vol 1, 14.2.5), and how many entries one answer has. */
const LINEAR = { attribute: 0x0019, entries: 64 } as const;
const MULTICAST = { attribute: 0x001b, entries: 32 } as const;
/** What ibsim's switches have room for (ibsim 0.10, sim.h): 1024 groups. */
const MULTICAST_BLOCKS = 32;
/** Enough for the LIDs of one switch and its hosts. */
const LINEAR_BLOCKS = 1;
const NO_PORT = 0xff;
/** A switch of more ports has its masks in several answers. */
export const MOST_PORTS = 15;

/** LID to port, and group LID to ports. */
export class SwitchTables {
  readonly #node: IbsimPort;
  readonly #linear = new Uint8Array(LINEAR_BLOCKS * LINEAR.entries).fill(NO_PORT);
  readonly #multicast = new Uint16Array(MULTICAST_BLOCKS * MULTICAST.entries);

  /** `node` is the place of the switch itself. */
  constructor(node: IbsimPort) {
    this.#node = node;
  }

  /** Reads all of them. Rejects with FabricError. */
  async read(): Promise<void> {
    for (let block = 0; block < LINEAR_BLOCKS; block++) {
      this.#linear.set(await this.#node.askSelf(LINEAR.attribute, block), block * LINEAR.entries);
    }
    for (let block = 0; block < MULTICAST_BLOCKS; block++) {
      const masks = await this.#node.askSelf(MULTICAST.attribute, block);
      for (let i = 0; i < MULTICAST.entries; i++) this.#multicast[block * MULTICAST.entries + i] = u16(masks, i * 2);
    }
  }

  /** The port that leads to a LID; undefined when none does. */
  portOf(lid: number): number | undefined {
    const port = lid < this.#linear.length ? u8(this.#linear, lid) : NO_PORT;
    return port === NO_PORT ? undefined : port;
  }

  /** The ports of a group LID, a bit for each from bit 0; 0 for none. */
  portsOf(mlid: number): number {
    return this.#multicast[mlid - FIRST_MLID] ?? 0;
  }
}
