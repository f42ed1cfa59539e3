// Owns what a port of an InfiniBand fabric has to offer to whoever asks the subnet administrator.

/** Where a port is at this moment; a subnet manager may move it. */
export interface PortPlace {
  /** The port's own LID; 0 while no subnet manager has given it one. */
  lid: number;
  /** The LID of the subnet manager, where its administrator answers. */
  smLid: number;
  /** What the port can carry, gigabits per second and bytes of payload; absent where it is not known. */
  rate?: number;
  mtu?: number;
}

/** Queue pair 1 of a port: management datagrams in and out. */
export interface ManagementPort {
  /** 16 bytes. */
  readonly gid: Uint8Array;
  /** Asks where the port is now. Rejects with FabricError. */
  place(): Promise<PortPlace>;
  /** Sends a datagram of 256 bytes to queue pair 1 of the LID; nobody tells whether it arrived. */
  send(mad: Uint8Array, dlid: number): void;
  /** Is called with every datagram that comes in, whole, and the LID that it came from. */
  onMad: (mad: Uint8Array, slid: number) => void;
  /** Gives the port back. */
  close(): Promise<void>;
}

/** The fabric refused, or nobody answered. */
export class FabricError extends Error {
  override name = "FabricError";
  /** The status of the answer; absent when there was none. */
  readonly status?: number;

  constructor(message: string, status?: number) {
    super(message);
    if (status !== undefined) this.status = status;
  }
}
