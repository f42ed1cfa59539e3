// Owns what is known of a message that was passed on, beside its bytes: what that depended on, and what it is counted for.
import type { Endpoint } from "./endpoint.ts";
import type { BridgedGroup } from "./group.ts";
import type { Host } from "./hosts.ts";
import type { Senders } from "./senders.ts";
import type { Session } from "./sessions.ts";

/** One object that is filled for each message in turn. */
export class Passage {
  /** All messages with the same headers are passed on in the same way, as long as what it depends on does not change. */
  alike = false;
  /** Bytes of payload, and from the BTH to behind the ICRC, that the other side carries. */
  mostPayload = 0;
  mostTransport = 0;
  /** Of a message between hosts: from whom to whom. */
  session: Session | undefined;
  source: Host | undefined;
  destination: Host | undefined;
  from: Endpoint | undefined;
  to: Endpoint | undefined;
  /** Of a message to a group: who sends on its side, and where the sender's address stands, from the packet's start. */
  group: BridgedGroup | undefined;
  senders: Senders | undefined;
  senderAt = 0;
  senderBytes = 0;

  /** Takes note of a message to a group. Its sequence number is the bridge's. */
  ofGroup(group: BridgedGroup, senders: Senders, senderAt: number, senderBytes: number): void {
    this.alike = true;
    this.group = group;
    this.senders = senders;
    this.senderAt = senderAt;
    this.senderBytes = senderBytes;
  }

  /** Takes note of the ends of a message between hosts. */
  ofSession(session: Session, source: Host, destination: Host, from: Endpoint, to: Endpoint): void {
    this.group = this.senders = undefined;
    this.session = session;
    this.source = source;
    this.destination = destination;
    this.from = from;
    this.to = to;
  }
}
