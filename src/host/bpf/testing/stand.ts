// Owns what tests of BPF programs stand on: a cgroup, a bpffs and a network namespace of their own, and a program that
// makes sockets there as anybody. Needs real root; the host's own cgroups, bpffs and network stay as they are.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newNamespace } from "../../native.ts";
import { markSockets } from "../mark-sockets.ts";
import type { SocketMarker } from "../mark-sockets.ts";
import { needCgroupRoot } from "../mounts.ts";

/** Who makes sockets; absent ids are root's. */
export interface Person {
  user?: number;
  group?: number;
  /** Supplementary groups; absent means none. */
  groups?: readonly number[];
  /** Directory of a cgroup; absent means the stand's. */
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
    const inside = (program: string, ...words: string[]): void =>
      void execFileSync("nsenter", [`--net=/proc/${process.pid}/fd/${namespace}`, program, ...words]);
    inside("ip", "link", "set", "lo", "up");
    inside("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647", "net.ipv4.tcp_fastopen=3");
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

  [Symbol.dispose](): void {
    closeSync(this.namespace);
    execFileSync("umount", [this.bpffs]);
    rmSync(this.folder, { recursive: true });
    removeCgroups(this.cgroup);
  }
}

/** Directories of cgroups are empty though they show files. */
function removeCgroups(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroups(join(path, entry.name));
  }
  rmdirSync(path);
}
