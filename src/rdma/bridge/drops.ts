// Owns why a bridge does not pass a packet on, and the counts of it.

/** The reasons, each with what it means. */
export const DROP_REASONS = {
  "no-group": "to a group that the file does not bridge",
  "wrong-way": "the group is bridged in the other direction only",
  own: "sent by this bridge, and come back",
  bridged: "a bridge has passed it on already",
  standby: "another bridge has the group, or this one waits for its turn",
  broken: "not what its headers say",
  "not-ud": "no message of an unreliable datagram queue pair",
  "p-key": "of another partition",
  "q-key": "without the group's key",
  "too-big": "longer than the other side's packets may be",
  "not-joined": "the other side's group cannot be had now",
  unsent: "the other side took it not",
  icrc: "damaged, of those that the bridge itself reads",
  "wrong-qp": "management to or from another queue pair than its own, or no number of the bridge's",
  "no-host": "to or from a host that is not found on its side",
  "no-session": "nobody has asked for that queue pair",
  spoofed: "from elsewhere than where its sender is",
  flood: "one request too many of its host",
  late: "an answer to no request, or to one that is answered",
  service: "a request for no service that is bridged",
  full: "there is no room for one more session",
} as const;

export type DropReason = keyof typeof DROP_REASONS;

/** The reasons by number: counts are arrays. */
export const DROP_NAMES = Object.keys(DROP_REASONS) as DropReason[];

/** Numbers of the reasons; PASSED stands for none. */
export const DROP = Object.fromEntries(DROP_NAMES.map((name, number) => [name, number])) as Record<DropReason, number>;
export const PASSED = -1;

/** What became of the packets of one direction. */
export class Tally {
  packets = 0;
  /** Of payload. */
  bytes = 0;
  readonly drops = new Float64Array(DROP_NAMES.length);

  pass(bytes: number, packets = 1): void {
    this.packets += packets;
    this.bytes += bytes;
  }

  drop(reason: number, packets = 1): void {
    this.drops[reason] = (this.drops[reason] as number) + packets;
  }

  /** A packet that was counted as passed on is lost after all. */
  takeBack(bytes: number): void {
    this.packets--;
    this.bytes -= bytes;
    this.drop(DROP.unsent);
  }

  /** Plain data: only reasons that occurred. */
  toJSON(): { packets: number; bytes: number; drops: Partial<Record<DropReason, number>> } {
    const drops: Partial<Record<DropReason, number>> = {};
    for (const [number, name] of DROP_NAMES.entries()) {
      const count = this.drops[number] as number;
      if (count > 0) drops[name] = count;
    }
    return { packets: this.packets, bytes: this.bytes, drops };
  }
}
