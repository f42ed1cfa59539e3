// Owns the moving addresses on this host's links: lent by the kernel for a few seconds, taken off, and announced.
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { HostError } from "../../host/error.ts";
import { openPacketSocket, OWN_NAMESPACE, sendPacket } from "../../host/native.ts";
import type { RouteSocket } from "../../host/netlink/client.ts";
import { ADDRESS_FLAG } from "../../host/netlink/address.ts";
import type { AddressMessage } from "../../host/netlink/address.ts";
import type { LinkMessage } from "../../host/netlink/link.ts";
import { VERB } from "../../host/netlink/requests.ts";
import { parseHex } from "../../host/netlink/text.ts";
import { familyOf, parseAddress } from "../../model/ip.ts";
import { MOVING_PROTOCOL } from "../../model/kinds.ts";
import { makeAnnouncement } from "../../probes/announcement.ts";
import { LEASE_S } from "../machine.ts";
import type { MovingAddress } from "../setup.ts";

/** ENODEV, EADDRNOTAVAIL: what is not there need not be taken away. */
const NOT_THERE: ReadonlySet<number | undefined> = new Set([constants.errno.ENODEV, constants.errno.EADDRNOTAVAIL]);

/** The moving addresses on the links of the namespace of the process. */
export class LentAddresses {
  readonly #socket: RouteSocket;
  readonly #packets = openPacketSocket(OWN_NAMESPACE);
  #links: LinkMessage[] = [];

  constructor(socket: RouteSocket) {
    this.#socket = socket;
  }

  /** Puts them on their links, or has them lent anew. Links that are not there are left out. Throws HostError. */
  async hold(addresses: readonly MovingAddress[]): Promise<void> {
    await this.#findLinks(addresses);
    await this.#perform(addresses, "new");
  }

  /** Takes them off. Throws HostError. */
  async release(addresses: readonly MovingAddress[]): Promise<void> {
    await this.#findLinks(addresses);
    await this.#perform(addresses, "delete");
  }

  /** Tells the neighbours that they are here, on links that are up. */
  announce(addresses: readonly MovingAddress[]): void {
    for (const { link, address } of addresses) {
      const found = this.#links.find(({ name }) => name === link);
      const ip = parseAddress(address);
      if (!found || !ip) continue;
      const [own, broadcast] = [parseHex(found.hardwareAddress ?? ""), parseHex(found.broadcast ?? "")];
      const announcement = makeAnnouncement({ hardware: found.type, own, broadcast }, ip, "router");
      if (!announcement) continue;
      try {
        sendPacket(this.#packets, found.index, announcement.protocol, announcement.to, announcement.bytes);
      } catch (error) {
        // A link that is down or congested: the announcement is repeated, and keepalived sees to links.
        if (!(error instanceof HostError)) throw error;
      }
    }
  }

  close(): void {
    closeSync(this.#packets);
  }

  async #findLinks(addresses: readonly MovingAddress[]): Promise<void> {
    this.#links = (await this.#socket.listLinks()).filter(({ name }) => addresses.some(({ link }) => link === name));
  }

  async #perform(addresses: readonly MovingAddress[], type: "new" | "delete"): Promise<void> {
    const requests = addresses.flatMap(({ link, address, length }) => {
      const index = this.#links.find(({ name }) => name === link)?.index;
      if (index === undefined) return [];
      const message: AddressMessage = {
        family: familyOf(address),
        index,
        address,
        prefixLength: length,
        scope: 0,
        flags: familyOf(address) === 6 && type === "new" ? ADDRESS_FLAG.nodad | ADDRESS_FLAG.noPrefixRoute : 0,
        ...(type === "new" ? { validLifetime: LEASE_S, preferredLifetime: LEASE_S, protocol: MOVING_PROTOCOL } : {}),
      };
      return [{ object: "address" as const, type, flags: type === "new" ? VERB.replace : 0, message }];
    });
    const results = await this.#socket.perform(requests);
    const failed = results.find((error) => error && !(type === "delete" && NOT_THERE.has(error.errno)));
    if (failed) throw failed;
  }
}
