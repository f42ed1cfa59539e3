// Owns the contract between heddle and a host: what can be asked of one, and what can be done to it.
import type { FrameLinks, LinkFact } from "../model/facts.ts";
import type { Kind } from "../model/kinds.ts";
import type { Observed } from "../model/objects.ts";
import type { OwnerNames, Owners } from "../model/owners.ts";
import type { Step } from "../model/plan.ts";
import type { CgroupProgramSpec, SocketCounts } from "../model/socket-marks.ts";
import type { HostError } from "./error.ts";

/** How much of a kind is looked at. */
export interface Scope {
  /** The sysctls to read: there are thousands, and only these matter. */
  sysctls: readonly string[];
  /**
   * Whether nftables tables are wanted or remembered: whoever may not look at them is then told so. Otherwise there
   * are none for him. Absent means no.
   */
  nftTables?: boolean;
  /** The same for programs of control groups. */
  cgroupPrograms?: boolean;
  /** Routing tables to list routes of; absent means all. */
  tables?: readonly number[];
  /** The same for programs at links. */
  tcPrograms?: boolean;
}

/** What became of a step: no error means done. */
export interface StepResult {
  step: Step;
  error?: HostError;
  /** What the kernel made of the object, where its words may be others than those of the step. */
  made?: Observed;
}

/** The half of a kind that touches the host. */
export interface KindDriver<K extends Kind = Kind> {
  /** All objects of the kind in the scope, normalised, in the kernel's order. Throws HostError. */
  list(links: readonly LinkFact[], scope: Scope, signal?: AbortSignal): Promise<Observed<K>[]>;
  /**
   * Does the steps in their order (deletions that follow each other in any), all of them though some fail, in as few
   * system calls as it can. Creating what is
   * there fails with EEXIST; deleting what is not there is no error.
   */
  perform(steps: readonly Step[], links: readonly LinkFact[], signal?: AbortSignal): Promise<StepResult[]>;
}

/** One host: this one, one in another network namespace, or a model of one. */
export interface Host {
  /** All links with their addresses, in the kernel's order. */
  links(signal?: AbortSignal): Promise<LinkFact[]>;
  /** Names that the host gives to routing tables. */
  tableNames(): Promise<Record<string, number>>;
  /**
   * The numbers of those who are named, as far as the host knows them: its name service may not be up yet. What was told a
   * moment ago is believed, unless it is asked for anew.
   */
  owners(names: OwnerNames, anew?: "anew"): Promise<Owners>;
  /** Connections that have the bits of the program, and those that should have them and are older, by the number of the bit. */
  countSockets(program: CgroupProgramSpec): Promise<Record<number, SocketCounts>>;
  /** Whether BPF programs can mark sockets here. Rejects with HostError where nobody but root can tell. */
  canMarkSockets(): Promise<boolean>;
  /** Whether BPF programs can run at links here. Rejects with HostError where nobody but root can tell. */
  canSpread(): Promise<boolean>;
  /** Whether tables of nftables can be made here: the program is there, and the kernel has them, as far as can be told. */
  hasNftables(): Promise<boolean>;
  /** Who looks at packets on their way through: "inet filter forward"; undefined where that cannot be told. */
  packetFilters(): Promise<string[] | undefined>;
  /** At which links frames can be passed on; undefined where that cannot be told. Rejects with HostError. */
  frameLinks(): Promise<FrameLinks | undefined>;
  drivers: { readonly [K in Kind]: KindDriver<K> };
  /** What the kernel's events of this host's own doings carry (nlmsg_pid); absent where there are no events. */
  readonly port?: number;
  close(): void;
}
