// Owns what a bridge wants of a port on InfiniBand, whatever is below: packets in and out, and the way to the manager.
//
// Packets are native ones from the LRH on. A port whose adapter makes headers and CRCs itself takes them apart.
import type { FrameArena, FrameQueue, FrameSocket } from "../../host/frames.ts";
import type { Attachment } from "../fabric/adapter.ts";
import type { ManagementPort } from "../sa/management-port.ts";

export interface InfinibandPort {
  readonly management: ManagementPort;
  /** 16 bytes. */
  readonly gid: Uint8Array;
  /** The queue pair that multicast messages are sent from and come in by. */
  readonly qpn: number;
  /** As the subnet manager has given it; whoever asks the management port sets it. */
  lid: number;
  /** Packets that the adapter dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /**
   * Where packets can be taken from, and put, as they are; absent where they cannot. `checks`: the port takes in only what has
   * a right VCRC and ICRC. `seals`: it gives packets a VCRC.
   */
  readonly wire?: { socket: FrameSocket; checks: boolean; seals: boolean };
  /** Is called when there is something to receive. */
  onReadable: () => void;
  /** The queue pair gets a group's packets from now on. */
  attach(attachment: Attachment): void;
  detach(mgid: Uint8Array): void;
  /** What is there, at most a batch; a length of 0 or less is to be passed over. */
  receive(arena: FrameArena): number;
  /** Sends packets that end behind their ICRC, where 2 more bytes are free; as FrameSocket.send. */
  send(bytes: Uint8Array, queue: FrameQueue): number;
  close(): Promise<void>;
}
