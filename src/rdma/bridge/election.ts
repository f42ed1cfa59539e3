// Owns which of several bridges between the same fabrics passes a group's packets on: one at most at any time.
//
// Every group goes to the active bridge whose id and the group's hash make the highest number, so that a bridge that
// comes or goes moves its own groups only. A bridge begins with a group
//   - when it has listened long enough to know the others,
//   - when every peer, active or not, has said that it takes it for active (that peer may have, or take, the group),
//   - a moment later, without what waited in its sockets: whoever had the group has passed that on.
// It ends with it at once when it is another's, when an active peer does not know it any more, and when its own last
// hello is so old that peers may take it for gone; a process that was held up finds out by this. Whoever is silent is
// taken for gone later than it has stopped by itself. See docs/adr/0056 for what is assumed.
import { MOST_PEERS } from "./hello.ts";
import type { Hello } from "./hello.ts";

/** All in milliseconds. */
export const ELECTION_MS = {
  /** Between two hellos. */
  hello: 100,
  /** How long after its last hello a bridge may pass packets on. */
  lease: 1000,
  /** How long a silent peer is taken for active. The difference to the lease is what a hello may take on its way. */
  dead: 1500,
  /** How long a bridge listens before it becomes active. */
  listen: 2000,
  /** How long a bridge waits before it passes on packets of a group that it gets: copies of one message are not heard by all at once. */
  pause: 50,
} as const;

/** `waiting`: a fabric is not there; `listening`; `active`; `crowded`: there are too many bridges. */
export type ElectionState = "waiting" | "listening" | "active" | "crowded";

interface Peer {
  hello: Hello;
  heardMs: number;
  firstMs: number;
}

/** One bridge's view of all. Times are of a clock that only goes forward. */
export class Election {
  readonly id: bigint;
  readonly #name: number;
  readonly #groups: number;
  readonly #peers = new Map<bigint, Peer>();
  #ready = false;
  #listeningSinceMs = 0;
  #active = false;
  #saidMs = -Infinity;
  #noticedMs = -Infinity;
  /** The active peers. */
  #rivals: bigint[] = [];
  /** By group: whose it is by the numbers, whether it is had, since when, and by which change of hands. */
  #owned: boolean[] = [];
  readonly #had: boolean[];
  readonly #sinceMs: number[];
  readonly #changes: number[];
  /** Counts up whenever groups are got, or given up. */
  handovers = 0;
  /** Counts up whenever groups are got: see `serves`. */
  generation = 0;
  readonly #hashes: readonly number[];

  /** `hashes`: one for each group, by its index; equal on all bridges. */
  constructor(id: bigint, name: number, groups: number, hashes: readonly number[]) {
    this.id = id;
    this.#name = name;
    this.#groups = groups;
    this.#hashes = hashes;
    this.#had = hashes.map(() => false);
    this.#sinceMs = hashes.map(() => 0);
    this.#changes = hashes.map(() => 0);
    this.#allot();
  }

  /** Says whether both fabrics are there. When they are not, or are again, everything begins anew. */
  setReady(ready: boolean, nowMs: number): void {
    if (ready === this.#ready) return;
    this.#ready = ready;
    this.#begin(nowMs);
  }

  /** Takes note of a peer's hello. True when this bridge has to say something at once: others wait for it. */
  hear(hello: Hello, nowMs: number): boolean {
    this.#notice(nowMs);
    if (hello.id === this.id || hello.name !== this.#name) return false;
    if (!this.#peers.has(hello.id) && this.#peers.size > MOST_PEERS) return false;
    this.#peers.set(hello.id, { hello, heardMs: nowMs, firstMs: this.#peers.get(hello.id)?.firstMs ?? nowMs });
    return this.#view(nowMs);
  }

  /** What is to be said now. True when it has to be said: call `hello` then. To be called often. */
  tick(nowMs: number): boolean {
    this.#notice(nowMs);
    const changed = this.#view(nowMs);
    if (this.#ready && !this.#active && nowMs - this.#listeningSinceMs >= ELECTION_MS.listen) {
      this.#active = true;
      this.#shareOut(nowMs);
      return true;
    }
    return changed || nowMs - this.#saidMs >= ELECTION_MS.hello;
  }

  /** The hello to send at once; from it the lease counts. */
  hello(nowMs: number): Hello {
    this.#saidMs = nowMs;
    return { id: this.id, active: this.#active, name: this.#name, groups: this.#groups, peers: this.#rivals };
  }

  /** Ends: the hello that hands all groups to the others. */
  resign(nowMs: number): Hello {
    this.setReady(false, nowMs);
    return this.hello(nowMs);
  }

  /** Whether any group's packets may be passed on now. */
  mayServe(nowMs: number): boolean {
    return this.#active && nowMs - this.#saidMs < ELECTION_MS.lease;
  }

  /**
   * Whether packets of the group may be passed on now, if `mayServe`. `emptied`: the generation when the socket that they
   * come from was empty last; what has waited in it since before the group was got is another bridge's.
   */
  serves(index: number, nowMs: number, emptied: number): boolean {
    if (!(this.#had[index] as boolean)) return false;
    return (this.#changes[index] as number) <= emptied && nowMs - (this.#sinceMs[index] as number) >= ELECTION_MS.pause;
  }

  /** Whether the bridge has the group. */
  has(index: number): boolean {
    return this.#had[index] as boolean;
  }

  get state(): ElectionState {
    if (!this.#ready) return "waiting";
    if (this.#peers.size > MOST_PEERS) return "crowded";
    return this.#active ? "active" : "listening";
  }

  /** Ids of the active peers, and whether each bridges the same groups. */
  get peers(): { id: bigint; active: boolean; sameGroups: boolean }[] {
    return [...this.#peers.values()].map(({ hello: { id, active, groups } }) => {
      return { id, active, sameGroups: groups === this.#groups };
    });
  }

  /** Begins anew when the process was held up: peers may have taken over, and what is heard next may be as old as that. */
  #notice(nowMs: number): void {
    const late = this.#active && nowMs - this.#saidMs >= ELECTION_MS.lease;
    if (late || nowMs - this.#noticedMs >= ELECTION_MS.lease) this.#begin(nowMs);
    this.#noticedMs = nowMs;
  }

  #begin(nowMs: number): void {
    this.#active = false;
    this.#listeningSinceMs = nowMs;
    this.#shareOut(nowMs);
  }

  /** Looks at the peers anew. True when the set of active ones is another, which they wait to hear. */
  #view(nowMs: number): boolean {
    for (const [id, { heardMs }] of this.#peers) if (nowMs - heardMs >= ELECTION_MS.dead) this.#peers.delete(id);
    const active = [...this.#peers.values()].filter(({ hello }) => hello.active);
    const rivals = active.slice(0, MOST_PEERS).map(({ hello }) => hello.id);
    rivals.sort(compare);
    const same = rivals.length === this.#rivals.length && rivals.every((id, i) => id === this.#rivals[i]);
    this.#rivals = rivals;
    if (!same) this.#allot();
    this.#shareOut(nowMs);
    return !same;
  }

  /** Takes and gives up groups. */
  #shareOut(nowMs: number): void {
    const peers = [...this.#peers.values()];
    const fits = this.#active && peers.length <= MOST_PEERS;
    const knows = ({ hello }: Peer): boolean => hello.peers.includes(this.id);
    const mayTake = fits && peers.every(knows);
    // Who has just come knows nobody yet, and takes nothing before it does.
    const mayKeep =
      fits && peers.every((peer) => knows(peer) || (!peer.hello.active && nowMs - peer.firstMs < ELECTION_MS.lease));
    let got = false;
    for (const [i, owned] of this.#owned.entries()) {
      const had = this.#had[i] as boolean;
      const has = owned && (had ? mayKeep : mayTake);
      this.#had[i] = has;
      if (has !== had) this.handovers++;
      if (!has || had) continue;
      this.#sinceMs[i] = nowMs;
      this.#changes[i] = this.generation + 1;
      got = true;
    }
    if (got) this.generation++;
  }

  #allot(): void {
    this.#owned = this.#hashes.map((hash) => {
      const own = score(this.id, hash);
      return this.#rivals.every((id) => {
        const other = score(id, hash);
        return own > other || (own === other && this.id > id);
      });
    });
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Mixes id and hash (the finalizer of MurmurHash3, twice). */
function score(id: bigint, hash: number): number {
  const low = Number(id & 0xffffffffn);
  const high = Number(id >> 32n);
  return mix(mix(low ^ hash) ^ high) >>> 0;
}

function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
