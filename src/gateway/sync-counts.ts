// Owns what conntrackd says of itself: the texts of `conntrackd -s` and `conntrackd -s runtime`.

/** Counts since it was started. */
export interface SyncCounts {
  /** Connections that it knows of here, to be given to others. */
  own: number;
  /** Changes of others' connections that were put into this kernel, and those that the kernel refused. */
  injected: number;
  refused: number;
  /** Messages sent, received, lost. */
  sent: number;
  received: number;
  lost: number;
}

/** Reads the counts; undefined when the text is none of conntrackd's. */
export function readSyncCounts(text: string): SyncCounts | undefined {
  const own = /cache internal:\s+current active connections:\s+(\d+)/.exec(text);
  const external =
    /external inject:\s+connections created:\s+(\d+)\s+failed:\s+(\d+)\s+connections updated:\s+(\d+)\s+failed:\s+(\d+)\s+connections destroyed:\s+(\d+)/.exec(
      text,
    );
  const packets = /(\d+) Pckts sent\s+(\d+) Pckts recv/.exec(text);
  const lost = /(\d+) Lost msgs/.exec(text);
  if (!own || !external || !packets) return undefined;
  const [created = 0, failed = 0, updated = 0, failedToo = 0, destroyed = 0] = external.slice(1).map(Number);
  return {
    own: Number(own[1]),
    injected: created + updated + destroyed,
    refused: failed + failedToo,
    sent: Number(packets[1]),
    received: Number(packets[2]),
    lost: Number(lost?.[1] ?? 0),
  };
}

/** Reads how often the kernel told of changes faster than they were heard; undefined when the text does not say. */
export function readOverruns(text: string): number | undefined {
  const [, count] = /^\s*netlink overrun:\s+(\d+)/m.exec(text) ?? [];
  return count === undefined ? undefined : Number(count);
}
