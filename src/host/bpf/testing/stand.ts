// Owns what tests of BPF programs stand on: a cgroup, a bpffs and a network namespace of their own, and a program that
// makes sockets there as anybody. Needs real root; the host's own cgroups, bpffs and network stay as they are.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newNamespace } from "../../native.ts";
import { Attributes, call } from "../call.ts";
import { HOOKS } from "../load.ts";
import { markSockets } from "../mark-sockets.ts";
import type { SocketMarker } from "../mark-sockets.ts";
import { needCgroupRoot } from "../mounts.ts";

/** Who makes sockets; absent ids are root's. */
export interface Person {
  user?: number;
  group?: number;
  /** Supplementary groups; absent means none. */
  groups?: readonly number[];
  /** Directory of a cgroup, or several with spaces between; absent means the stand's. */
  cgroup?: string;
  /** A network namespace other than the stand's. */
  namespace?: number;
  /** Further words before the sorts of sockets: "fsuid=7". */
  words?: readonly string[];
}

/** Takes the way into a cgroup, then becomes the rest of its words. */
const ENTER = 'for place in $1; do echo 0 >"$place/cgroup.procs" || exit 9; done; shift; exec "$@"';

/** A cgroup, a bpffs and a network namespace, until it is disposed of. */
export class Stand implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "heddle-bpf-"));
  readonly bpffs = join(this.folder, "bpffs");
  readonly sockets = join(this.folder, "sockets");
  readonly namespace = newNamespace();
  readonly cgroup: string;

  private constructor(root: string) {
    this.cgroup = join(root, `heddle-test-${process.pid}-${this.folder.slice(-6)}`);
    mkdirSync(this.cgroup);
    chmodSync(this.folder, 0o755);
    mkdirSync(this.bpffs);
    execFileSync("mount", ["-t", "bpf", "-o", "mode=700", "bpf", this.bpffs]);
    const source = fileURLToPath(new URL("sockets.c", import.meta.url));
    execFileSync("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", this.sockets, source]);
    this.prepare(this.namespace);
  }

  static async make(): Promise<Stand> {
    return new Stand(await needCgroupRoot());
  }

  /** Makes a namespace fit for the sockets: loopback up, ping and fast open for everybody. */
  prepare(namespace: number): void {
    this.inside(namespace, "ip", "link", "set", "lo", "up");
    this.inside(namespace, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647", "net.ipv4.tcp_fastopen=3");
  }

  /** Runs a program as root in a namespace and gives what it says. */
  inside(namespace: number, ...words: readonly string[]): string {
    return execFileSync("nsenter", [`--net=/proc/${process.pid}/fd/${namespace}`, ...words], { encoding: "utf8" });
  }

  marker(): SocketMarker {
    return markSockets({ namespace: this.namespace, cgroup: this.cgroup, bpffs: this.bpffs });
  }

  /** A cgroup below the stand's. */
  childCgroup(...names: string[]): string {
    const path = join(this.cgroup, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Words that run a program as somebody, in the stand's namespace and cgroup. */
  wordsAs(person: Person, ...words: readonly string[]): string[] {
    const groups = person.groups?.length ? [`--groups=${person.groups.join(",")}`] : ["--clear-groups"];
    const inside = `--net=/proc/${process.pid}/fd/${person.namespace ?? this.namespace}`;
    const become = ["setpriv", `--reuid=${person.user ?? 0}`, `--regid=${person.group ?? 0}`, ...groups, "--"];
    const cgroup = person.cgroup ?? this.cgroup;
    return ["sh", "-c", ENTER, "sh", cgroup, "nsenter", inside, "--", ...become, ...words];
  }

  /** Marks of sockets of the sorts that somebody makes: a number, or "errno N". */
  marks(person: Person, ...sorts: readonly string[]): Record<string, number | string> {
    const [program = "", ...words] = this.wordsAs(person, this.sockets, ...(person.words ?? []), ...sorts);
    const lines = execFileSync(program, words, { encoding: "utf8" }).trim().split("\n");
    return Object.fromEntries(
      lines.map((line) => {
        const [sort = "", ...rest] = line.split(" ");
        return [sort, rest.length === 1 ? Number.parseInt(rest[0] ?? "", 16) : rest.join(" ")];
      }),
    );
  }

  /** Starts making sockets over and over for some time; `seen` of the child's output lists each mark once. */
  loop(person: Person, ms: number, ...sorts: readonly string[]): ChildProcess {
    const [program = "", ...words] = this.wordsAs(person, this.sockets, `loop=${ms}`, ...sorts);
    return spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** Everything below the bpffs but what the kernel itself puts there. */
  pins(): string[] {
    return readdirSync(this.bpffs, { recursive: true, encoding: "utf8" }).filter((name) => !name.endsWith(".debug"));
  }

  /** Waits until no program is attached to the cgroup itself: the kernel ends links of a dead process when it can. */
  async untilUnattached(cgroup = this.cgroup): Promise<void> {
    const end = Date.now() + 30_000;
    const fd = openSync(cgroup, "r");
    const hooks = Object.entries(HOOKS).filter(([name]) => name.startsWith("cgroup/"));
    try {
      while (hooks.some(([, { attach }]) => countPrograms(fd, attach) > 0)) {
        if (Date.now() > end) throw new Error("programs are still attached after 30 s");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.namespace);
    execFileSync("umount", [this.bpffs]);
    rmSync(this.folder, { recursive: true });
    removeCgroups(this.cgroup);
  }
}

/** How many programs are attached to a cgroup's hook (BPF_PROG_QUERY). */
function countPrograms(fd: number, attach: number): number {
  const attributes = new Attributes(28).u32(0, fd).u32(4, attach);
  call(16, attributes, "programs of a cgroup");
  return attributes.view.getUint32(24, true);
}

/** Directories of cgroups are empty though they show files. */
function removeCgroups(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroups(join(path, entry.name));
  }
  rmdirSync(path);
}
