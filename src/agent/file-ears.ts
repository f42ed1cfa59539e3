// Owns what the agent hears of things that change without an event of the network's: sysctls, control groups and BPF
// programs. The first two and the pins of the third are files, which inotify watches; what is attached is glanced at.
import { dirname, basename, join } from "node:path";
import { markSockets } from "../host/bpf/mark-sockets.ts";
import { cgroupPlaces } from "../host/cgroups.ts";
import { HostError } from "../host/error.ts";
import { FileWatch } from "../host/file-watch.ts";
import type { Interest } from "./interest.ts";
import type { Hint } from "./pace.ts";

/**
 * How often the links of the BPF programs are glanced at, milliseconds: that somebody detaches one is told by nothing, and
 * chosen users go by the ordinary way until it is seen. Six system calls on a small machine take some 20 µs.
 */
const GLANCE_MS = 5000;

const SYSCTLS = "/proc/sys";
const PROGRAM: Hint = { changed: "cgroupProgram", urgency: "urgent" };
const SYSCTL: Hint = { changed: "sysctl", urgency: "urgent" };

/** Hears by files. */
export class FileEars {
  readonly #hear: (hint: Hint) => void;
  readonly #sysctls = new FileWatch(() => this.#hear(SYSCTL));
  readonly #cgroups = new FileWatch(() => this.#hear(PROGRAM));
  readonly #pins = new FileWatch(() => this.#hear(PROGRAM));
  readonly #marker = markSockets();
  #glance: NodeJS.Timeout | undefined;

  constructor(hear: (hint: Hint) => void) {
    this.#hear = hear;
  }

  /**
   * What matters from now on. False where a control group may come or go unheard, so that it has to be looked for from
   * time to time; of all else the safety net is enough.
   */
  async attend({ sysctls, cgroups, program }: Interest): Promise<boolean> {
    const places = await cgroupPlaces(cgroups);
    const switches = sysctls.map((path) => ({ top: dirname(join(SYSCTLS, path)), path: basename(path) }));
    const news = [
      { hint: SYSCTL, ...this.#sysctls.attend(switches) },
      { hint: PROGRAM, ...this.#pins.attend(program ? this.#marker.pins() : []) },
    ];
    const groups = this.#cgroups.attend([...places.values()]);
    for (const { hint, anew } of [...news, { hint: PROGRAM, ...groups }]) if (anew) this.#hear(hint);
    if (!program) {
      clearInterval(this.#glance);
      this.#glance = undefined;
    } else this.#glance ??= setInterval(() => this.#look(), GLANCE_MS).unref();
    return groups.whole && cgroups.every((key) => places.has(key));
  }

  close(): void {
    clearInterval(this.#glance);
    for (const watch of [this.#sysctls, this.#cgroups, this.#pins]) watch.close();
  }

  #look(): void {
    try {
      if (!this.#marker.isAttached()) this.#hear(PROGRAM);
    } catch (error) {
      // What keeps it from being glanced at, a look says.
      if (!(error instanceof HostError)) throw error;
      this.#hear(PROGRAM);
    }
  }
}
