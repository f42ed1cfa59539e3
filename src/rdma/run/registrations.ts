// Owns which hosts on Ethernet the subnet administrator is told of at a running bridge, so that those who ask it for an IP
// address find the bridge's port.
import { formatAddress } from "../../model/ip.ts";
import { addressRecord } from "../bridge/address-record.ts";
import type { AddressService } from "../bridge/address-record.ts";
import type { Host, Hosts } from "../bridge/hosts.ts";
import type { SaClient } from "../sa/sa-client.ts";
import { ServiceKeeper } from "../sa/service-keeper.ts";
import type { ServiceState } from "../sa/service-keeper.ts";

/** Seconds for which the administrator believes a bridge that does not say it again. */
const LEASE_S = 120;
/** How often hosts are looked at, and asked for while they are not found, milliseconds. */
const EVERY_MS = 1000;

/**
 * How it is with a stated host: as the administrator has it; or `not-found`; `elsewhere`: found on InfiniBand, where it
 * needs no bridge; `standby`: another bridge answers for hosts.
 */
export type RegistrationState = ServiceState | "not-found" | "elsewhere" | "standby";

export interface RegistrationStatus {
  address: string;
  state: RegistrationState;
  /** Why it is refused. */
  why?: string;
}

/** What registrations are made with. */
export interface RegistrationOptions {
  /** The stated addresses, 4 or 16 bytes each, at most MOST_ADDRESS_RECORDS. */
  addresses: readonly Uint8Array[];
  hosts: Hosts;
  client: SaClient;
  /** Of the bridge's port. */
  gid: Uint8Array;
  pKey: number;
}

interface Stated {
  address: Uint8Array;
  service: AddressService;
  host: Host | undefined;
}

export class Registrations {
  readonly #hosts: Hosts;
  readonly #keeper: ServiceKeeper;
  readonly #stated: readonly Stated[];
  #answers = false;
  #ticked = -Infinity;

  constructor({ addresses, hosts, client, gid, pKey }: RegistrationOptions) {
    this.#hosts = hosts;
    this.#keeper = new ServiceKeeper(client);
    this.#stated = addresses.map((address, number) => ({
      address,
      service: addressRecord({ number, address, gid, pKey, lease: LEASE_S }),
      host: undefined,
    }));
  }

  /** Looks at the hosts; `answers`: this bridge is the one that answers for them. To be called often. */
  tick(nowMs: number, answers: boolean): void {
    if (this.#stated.length === 0 || nowMs - this.#ticked < EVERY_MS) return;
    this.#ticked = nowMs;
    this.#answers = answers;
    for (const stated of this.#stated) {
      stated.host = this.#hosts.take(stated.address, "ethernet", nowMs);
      // Nobody has to ask for it first: who asks the administrator asks nobody else.
      if (stated.host !== undefined && !stated.host.ready) this.#hosts.seek(stated.host, nowMs);
      if (placeOf(stated.host, answers) === undefined) this.#keeper.hold(stated.service);
      else this.#keeper.release(stated.service);
    }
  }

  /** Tells the administrator what is due. */
  async look(nowMs: number): Promise<void> {
    if (this.#stated.length > 0) await this.#keeper.check(nowMs);
  }

  /** Takes back what was told, as far as somebody answers. */
  async leave(): Promise<void> {
    if (this.#stated.length > 0) await this.#keeper.close(performance.now());
  }

  /** How it is with each of them. */
  get status(): RegistrationStatus[] {
    return this.#stated.map(({ address, host, service }) => {
      const state = placeOf(host, this.#answers);
      const kept = this.#keeper.stateOf(service) ?? { state: "wanted" };
      return { address: formatAddress(address), ...(state === undefined ? kept : { state }) };
    });
  }
}

/** Why a host is not to be registered; undefined when it is. */
function placeOf(host: Host | undefined, answers: boolean): "not-found" | "elsewhere" | "standby" | undefined {
  if (host?.ready !== true) return "not-found";
  if (host.side === "infiniband") return "elsewhere";
  return answers ? undefined : "standby";
}
