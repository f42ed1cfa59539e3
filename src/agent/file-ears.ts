// Owns what the agent hears of things that change without an event of the network's: sysctls, control groups and BPF
// programs. The first two and the pins of the third are files, which inotify watches; what is attached is glanced at.
import { dirname, basename, join } from "node:path";
import { markSockets } from "../host/bpf/mark-sockets.ts";
import { spreadPackets } from "../host/bpf/spread.ts";
import { cgroupPlaces } from "../host/cgroups.ts";
import { HostError } from "../host/error.ts";
import { FileWatch } from "../host/file-watch.ts";
import type { WatchedPath } from "../host/file-watch.ts";
import { OWN_NAMESPACE } from "../host/native.ts";
import { PROGRAM_KINDS } from "./interest.ts";
import type { Interest, ProgramKind } from "./interest.ts";
import type { Hint } from "./pace.ts";

/**
 * How often the links of the BPF programs are glanced at, milliseconds: that somebody detaches one is told by nothing, and
 * chosen users go by the ordinary way, and nothing is spread, until it is seen. Six system calls on a small machine take
 * some 20 µs.
 */
const GLANCE_MS = 5000;

const SYSCTLS = "/proc/sys";
const GROUP: Hint = { changed: "cgroupProgram", urgency: "urgent" };
const SYSCTL: Hint = { changed: "sysctl", urgency: "urgent" };

/** Programs of a kind, as far as whoever hears of them has to know. */
interface Glanced {
  isAttached(): boolean;
  pins(): WatchedPath[];
}

/** Hears by files. */
export class FileEars {
  readonly #hear: (hint: Hint) => void;
  readonly #sysctls = new FileWatch(() => this.#hear(SYSCTL));
  readonly #cgroups = new FileWatch(() => this.#hear(GROUP));
  readonly #pins: Readonly<Record<ProgramKind, FileWatch>>;
  readonly #programs: Readonly<Record<ProgramKind, Glanced>> = {
    cgroupProgram: markSockets(),
    tcProgram: spreadPackets({ namespace: OWN_NAMESPACE }),
  };
  #wanted: readonly ProgramKind[] = [];
  #glance: NodeJS.Timeout | undefined;

  constructor(hear: (hint: Hint) => void) {
    this.#hear = hear;
    const pinsOf = (kind: ProgramKind): FileWatch => new FileWatch(() => hear(programHint(kind)));
    this.#pins = { cgroupProgram: pinsOf("cgroupProgram"), tcProgram: pinsOf("tcProgram") };
  }

  /**
   * What matters from now on. False where a control group may come or go unheard, so that it has to be looked for from
   * time to time; of all else the safety net is enough.
   */
  async attend({ sysctls, cgroups, programs }: Interest): Promise<boolean> {
    const places = await cgroupPlaces(cgroups);
    const switches = sysctls.map((path) => ({ top: dirname(join(SYSCTLS, path)), path: basename(path) }));
    const groups = this.#cgroups.attend([...places.values()]);
    const news = [
      { hint: SYSCTL, ...this.#sysctls.attend(switches) },
      { hint: GROUP, ...groups },
      ...PROGRAM_KINDS.map((kind) => {
        const pins = programs.includes(kind) ? this.#programs[kind].pins() : [];
        return { hint: programHint(kind), ...this.#pins[kind].attend(pins) };
      }),
    ];
    for (const { hint, anew } of news) if (anew) this.#hear(hint);
    this.#wanted = programs;
    if (programs.length === 0) {
      clearInterval(this.#glance);
      this.#glance = undefined;
    } else this.#glance ??= setInterval(() => this.#wanted.forEach((kind) => this.#look(kind)), GLANCE_MS).unref();
    return groups.whole && cgroups.every((key) => places.has(key));
  }

  close(): void {
    clearInterval(this.#glance);
    for (const watch of [this.#sysctls, this.#cgroups, ...Object.values(this.#pins)]) watch.close();
  }

  #look(kind: ProgramKind): void {
    try {
      if (!this.#programs[kind].isAttached()) this.#hear(programHint(kind));
    } catch (error) {
      // What keeps it from being glanced at, a look says.
      if (!(error instanceof HostError)) throw error;
      this.#hear(programHint(kind));
    }
  }
}

function programHint(kind: ProgramKind): Hint {
  return { changed: kind, urgency: "urgent" };
}
