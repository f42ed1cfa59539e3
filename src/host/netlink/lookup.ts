// Owns asking the kernel for one route: RTM_GETROUTE for a packet as described (net/ipv4/route.c, net/ipv6/route.c).
import { familyOf } from "../../model/ip.ts";
import { NLM_F, NLMSG, RTM } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { decodeAnswer, NetlinkError, toError } from "./errors.ts";
import type { Arrival, Conversation, Line } from "./line.ts";
import { MalformedMessage } from "./packet.ts";
import { decodeRoute, encodeRoute, ROUTE_FLAG, type RouteMessage } from "./route.ts";

/** A packet whose way is asked for. Absent means that it does not matter. */
export interface Question {
  destination: string;
  source?: string;
  /** Index of the link that it must leave by, as a bound socket says. */
  oif?: number;
  /** Index of the link that it came in by: the way of a forwarded packet. */
  iif?: number;
  mark?: number;
  uid?: number;
  tos?: number;
  /** TCP, UDP, ICMP and ICMPv6 only; the kernel knows no others here. */
  ipProtocol?: number;
  sourcePort?: number;
  destinationPort?: number;
  /** Answers with the entry of the table that matched, instead of the way that comes of it. */
  match?: boolean;
}

/** Asks. Rejects with NetlinkError, RangeError, or MalformedMessage. */
export async function lookUp(line: Line, question: Question): Promise<RouteMessage> {
  return new Promise<RouteMessage>((resolve, reject) => line.ask(new LookUp(question, resolve, reject)));
}

class LookUp implements Conversation {
  readonly #question: Question;
  readonly #resolve: (route: RouteMessage) => void;
  readonly #reject: (error: Error) => void;
  readonly #object: string;
  #sequence = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(question: Question, resolve: (route: RouteMessage) => void, reject: (error: Error) => void) {
    this.#question = question;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#object = `route to ${question.destination}`;
  }

  begin(line: Line): boolean {
    const encoder = new Encoder(128);
    this.#sequence = line.sequences();
    encodeRoute(encoder, RTM.route + 2, NLM_F.REQUEST, this.#sequence, toMessage(this.#question));
    this.#bytes = encoder.written();
    const sent = line.transport.send(this.#bytes);
    if (sent < 0) this.fail(new NetlinkError({ errno: sent, object: this.#object }));
    return sent >= 0;
  }

  message({ type, flags, sequence, packet, at, end }: Arrival): boolean {
    if (sequence !== this.#sequence) return true;
    if (type === NLMSG.ERROR) {
      this.fail(toError(decodeAnswer(packet, type, flags, at, end), this.#object, this.#bytes));
      return false;
    }
    const route = type === RTM.route ? decodeRoute(packet, at, end) : undefined;
    if (route === undefined) throw new MalformedMessage(`a route was asked for, and a message of type ${type} came`);
    this.#resolve(route);
    return false;
  }

  trouble(errno: number): boolean {
    this.fail(new NetlinkError({ errno, object: this.#object }));
    return false;
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}

function toMessage(question: Question): RouteMessage {
  const { destination, source, oif, iif, mark, uid, ipProtocol, sourcePort, destinationPort } = question;
  const family = familyOf(destination);
  return {
    family,
    table: 0,
    to: destination,
    tos: question.tos ?? 0,
    protocol: 0,
    scope: 0,
    type: 0,
    // Without LOOKUP_TABLE an IPv4 answer says "main" whatever table it was; IPv6 always tells, and refuses the flag.
    flags: (family === 4 ? ROUTE_FLAG.lookupTable : 0) | (question.match === true ? ROUTE_FLAG.fibMatch : 0),
    ...(source !== undefined && { from: source }),
    ...(oif !== undefined && { oif }),
    ...(iif !== undefined && { iif }),
    ...(mark !== undefined && { mark }),
    ...(uid !== undefined && { uid }),
    ...(ipProtocol !== undefined && { ipProtocol }),
    ...(sourcePort !== undefined && { sport: sourcePort }),
    ...(destinationPort !== undefined && { dport: destinationPort }),
  };
}
