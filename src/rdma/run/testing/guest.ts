// Owns a guest of the tests: a stock kernel with a soft RDMA device (rdma_rxe) and real programs of RDMA-CM, in an emulator,
// with its card at a link of the tests. What it is made of: tools/rdma-guest.sh.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FrameArena, FrameQueue, FrameSocket } from "../../../host/frames.ts";

const FILES = join(import.meta.dirname, "../../../../build/rdma-guest");
/** A program of the guest that has not ended by then never will: emulated, it may be a hundred times slower than here. */
const CEILING_MS = 60_000;
/** Classic BPF that takes everything. */
const ALL = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 4, 0);

/** What a program of the guest has said, and its exit code. */
export interface Ended {
  code: number;
  out: string;
}

export class Guest implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-guest-"));
  readonly #card: FrameSocket;
  readonly #link: FrameSocket;
  readonly #arena = new FrameArena();
  readonly #child: ChildProcessWithoutNullStreams;
  #said = "";
  #onSaid: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  /** Boots it; `index` is the link's. */
  constructor(index: number) {
    const [own, card] = [join(this.#folder, "wire"), join(this.#folder, "card")];
    this.#card = FrameSocket.atPath(own);
    this.#link = FrameSocket.onLink(index, ALL);
    this.#child = this.#boot(own, card);
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
      this.#onSaid();
    });
    let met = false;
    const meet = (): boolean => (met ||= this.#card.connect(card));
    this.#card.onReadable = () => void (meet() && this.#pass(this.#card, this.#link));
    this.#link.onReadable = () => this.#pass(this.#link, meet() ? this.#card : undefined);
  }

  /** Waits for its shell, and makes the device "rxe0" on its card with an IPv4 address (with its prefix length). */
  async up(address: string): Promise<void> {
    await this.#until("guest is up\n");
    const commands = [
      "ip link set eth0 up",
      `ip addr add ${address} dev eth0`,
      "ip route add 224.0.0.0/4 dev eth0",
      "rdma link add rxe0 type rxe netdev eth0",
    ];
    for (const command of commands) {
      const { code, out } = await this.run(command);
      if (code !== 0) throw new Error(`the guest's ${command}: ${out}${this.#console()}`);
    }
  }

  /** Runs a command of the guest's shell. One after the other, however they are asked for. */
  run(command: string): Promise<Ended> {
    const turn = this.#turn.then(() => this.#run(command));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #run(command: string): Promise<Ended> {
    this.#said = "";
    this.#child.stdin.write(`{ ${command}; } </dev/null 2>&1; echo "ended with $?"\n`);
    const said = await this.#until(/ended with (\d+)\n/);
    return { code: Number(said[1]), out: this.#said.slice(0, said.index) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await gone;
    }
    this.#link.close();
    this.#card.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #boot(wire: string, card: string): ChildProcessWithoutNullStreams {
    if (!existsSync(join(FILES, "complete"))) throw new Error("there is no guest: run tools/rdma-guest.sh");
    const options = [
      // Its emulation of this instruction is wrong for the CRC of RoCE (QEMU 7.2).
      ["-cpu", "max,-pclmulqdq"],
      ["-accel", "tcg,tb-size=128"],
      ["-machine", "q35,graphics=off"],
      ["-m", "192"],
      ["-display", "none"],
      ["-nodefaults"],
      ["-no-user-config"],
      ["-no-reboot"],
      ["-kernel", join(FILES, "vmlinux")],
      ["-initrd", join(FILES, "initramfs")],
      ["-append", "console=ttyS1 quiet mitigations=off tsc=reliable no_timer_check random.trust_cpu=on panic=-1"],
      ["-chardev", "stdio,id=shell,signal=off"],
      ["-serial", "chardev:shell"],
      ["-serial", `file:${join(this.#folder, "console")}`],
      ["-device", "virtio-rng-pci"],
      ["-netdev", `dgram,id=net,local.type=unix,local.path=${card},remote.type=unix,remote.path=${wire}`],
      ["-device", "virtio-net-pci,netdev=net,mac=52:54:00:01:00:00,romfile="],
    ];
    // It must not outlive a test run that is killed.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "qemu-system-x86_64", ...options.flat()]);
    child.stderr.on("data", (text: Buffer) => process.stderr.write(text));
    return child;
  }

  /** Waits until it has said something. */
  async #until(what: string | RegExp): Promise<RegExpMatchArray> {
    const end = performance.now() + CEILING_MS;
    for (;;) {
      const said = this.#said.match(what);
      if (said !== null) return said;
      const left = end - performance.now();
      if (left <= 0 || this.#child.exitCode !== null) {
        throw new Error(`the guest does not say ${String(what)}: ${this.#said}${this.#console()}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#onSaid = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #console(): string {
    const path = join(this.#folder, "console");
    return existsSync(path) ? `\nits console:\n${readFileSync(path, "utf8").slice(-2000)}` : "";
  }

  #pass(from: FrameSocket, to: FrameSocket | undefined): void {
    const count = from.receive(this.#arena);
    const queue = new FrameQueue();
    for (let slot = 0; slot < count; slot++) {
      const length = this.#arena.lengths[slot] as number;
      if (length > 0) queue.add(this.#arena.at(slot), length);
    }
    to?.send(this.#arena.bytes, queue);
  }
}
