// Owns what finding hosts by their addresses has to do with the network: who is asked, and what is to be sent.

/**
 * Flag in the hardware address of a bridge's answers on InfiniBand, of those that RFC 4391 reserves and hosts pass over:
 * another bridge must not take the host for one of InfiniBand.
 */
export const BRIDGE_FLAG = 0x01;

/** Who asked, or who is answered, on InfiniBand. */
export interface IpoibPeer {
  lid: number;
  qpn: number;
  gid: Uint8Array;
}

/** Who the bridge is on InfiniBand's IP. */
export interface IpoibSelf {
  qpn: number;
  gid: Uint8Array;
}

/** What is to be sent. */
export interface AddressEvents {
  /** A frame. */
  sendFrame(frame: Uint8Array): void;
  /** The payload of a datagram of IPoIB; to everybody where `to` is undefined. */
  sendIpoib(payload: Uint8Array, to: IpoibPeer | undefined): void;
  /** The same, to a group of IPv6. */
  sendIpoibGroup(payload: Uint8Array, group: Uint8Array): void;
}
