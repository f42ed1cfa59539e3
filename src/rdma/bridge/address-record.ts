// Owns how the subnet administrator is told which port an IP address is at: service records as DAPL's Address Translation
// Service has them, which InfiniBand programs have asked for since before RDMA-CM (OpenIB's ib_at_priv.h, 2005; Solaris
// ibcm_impl.h; WinOF iba/ib_al_ifc.h).
import { copyBytes } from "../codec/bytes.ts";
import type { ServiceRecord } from "../codec/sa-records.ts";

/** Addresses that one port can have: the service ids of the convention, which tell a port's records apart. */
export const MOST_ADDRESS_RECORDS = 256;

/** The first id, 0x10000CE100415453; the byte that numbers them is the fifth. */
const FIRST_SERVICE_ID = 0x10000ce100415453n;
const NUMBER_SHIFT = 24n;
const NAME = "DAPL Address Translation Service";

/** What a record says. */
export interface AddressRecord {
  /** Below MOST_ADDRESS_RECORDS, another one for each address of the port. */
  number: number;
  /** 4 or 16 bytes. */
  address: Uint8Array;
  /** Of the port that packets to the address go to. */
  gid: Uint8Array;
  pKey: number;
  /** Seconds until the administrator forgets it. */
  lease: number;
}

/** A service record with the fields that the convention has. */
export type AddressService = Pick<ServiceRecord, "serviceId" | "serviceGid" | "pKey" | "lease" | "name" | "data8">;

/** The record of an address. RangeError for a number that there is not. */
export function addressRecord({ number, address, gid, pKey, lease }: AddressRecord): AddressService {
  if (number < 0 || number >= MOST_ADDRESS_RECORDS) throw new RangeError(`no number of an address: ${number}`);
  const serviceId = FIRST_SERVICE_ID + (BigInt(number) << NUMBER_SHIFT);
  return { serviceId, serviceGid: gid, pKey, lease, name: serviceName(), data8: addressData(address) };
}

/** What those who know the address ask for: the name, and the address. */
export function addressQuestion(address: Uint8Array): Pick<ServiceRecord, "name" | "data8"> {
  return { name: serviceName(), data8: addressData(address) };
}

function serviceName(): Uint8Array {
  const name = new Uint8Array(64);
  name.set(new TextEncoder().encode(NAME));
  return name;
}

/** An IPv4 address is in the last four bytes, behind zeros. */
function addressData(address: Uint8Array): Uint8Array {
  const data = new Uint8Array(16);
  copyBytes(data, data.length - address.length, address, 0, address.length);
  return data;
}
