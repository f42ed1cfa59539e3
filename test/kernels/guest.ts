// Owns virtual machines with stock kernels of Debian's, in which a script of heddle's is run: what is in them, and their boot.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");
const MEMORY_MB = 1024;
/** Emulated, a guest takes some twenty seconds; machines of tests are shared. */
const MOST_MS = 100_000;

/** What every guest has but its kernel's modules, until it is disposed of. */
export class GuestFiles implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-guest-"));
  readonly #archive = join(this.#folder, "files.cpio");

  /** With a script of this folder, which is run there: by default the one that loads programs. */
  static async make(script = "look"): Promise<GuestFiles> {
    const files = new GuestFiles();
    const root = join(files.#folder, "root");
    const put = (from: string, to: string): void => {
      mkdirSync(dirname(join(root, to)), { recursive: true });
      copyFileSync(from, join(root, to));
    };
    for (const name of ["bin", "proc", "sys", "dev", "run", "heddle/build/bpf"])
      mkdirSync(join(root, name), { recursive: true });
    for (const name of ["busybox", "ip"]) put(pathOf(name), join("bin", name));
    put(join(ROOT, "test/kernels/init.sh"), "init");
    chmodSync(join(root, "init"), 0o755);
    put(process.execPath, "heddle/node");
    for (const program of [process.execPath, pathOf("ip")]) {
      for (const library of librariesOf(program)) put(library, library);
    }
    put(join(ROOT, "build/heddle.node"), "heddle/build/heddle.node");
    for (const name of readdirSync(join(ROOT, "build/bpf")))
      put(join(ROOT, "build/bpf", name), `heddle/build/bpf/${name}`);
    await build({
      entryPoints: [join(ROOT, `test/kernels/${script}.ts`)],
      outfile: join(root, "heddle/dist/script.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
      logLevel: "error",
    });
    pack(root, files.#archive);
    return files;
  }

  /**
   * Boots the kernel of a series, and gives what the guest said. The kernel unpacks one archive behind the other: its own
   * modules come second.
   */
  async boot(series: string): Promise<Record<string, unknown>> {
    const place = join(ROOT, "build/guests", series);
    if (!existsSync(join(place, "complete"))) throw new Error(`first run tools/guest-kernel.sh ${series}`);
    const [modules, both] = [join(this.#folder, `${series}.cpio`), join(this.#folder, `${series}.initramfs`)];
    const root = join(this.#folder, series);
    cpSync(join(place, "modules"), join(root, "modules"), { recursive: true });
    pack(root, modules);
    const joined = createWriteStream(both);
    for (const part of [this.#archive, modules]) joined.write(readFileSync(part));
    joined.end();
    await finished(joined);
    const console = await run(join(place, "vmlinuz"), both);
    const line = console.split("\n").find((one) => one.startsWith('{"kernel"'));
    if (line === undefined) throw new Error(`the guest with kernel ${series} said:\n${console.slice(-3000)}`);
    return JSON.parse(line) as Record<string, unknown>;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function pathOf(program: string): string {
  return execFileSync("sh", ["-c", 'command -v "$1"', "sh", program], { encoding: "utf8" }).trim();
}

/** The libraries of a program, and the loader, as ldd names them. */
function librariesOf(program: string): string[] {
  const told = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...told.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? []);
}

function pack(folder: string, archive: string): void {
  execFileSync("sh", [
    "-c",
    'cd "$1" && find . | busybox cpio -o -H newc -R 0:0 >"$2" 2>/dev/null',
    "sh",
    folder,
    archive,
  ]);
}

/** Runs a kernel to its end, and gives its console. */
async function run(kernel: string, initramfs: string): Promise<string> {
  const words = ["-accel", "tcg,thread=multi", "-cpu", "max", "-M", "q35", "-m", String(MEMORY_MB), "-smp", "2"];
  const quiet = [
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-monitor",
    "none",
    "-serial",
    "stdio",
  ];
  const append = "console=ttyS0 quiet nokaslr mitigations=off no_timer_check panic=-1";
  const boots = ["-kernel", kernel, "-initrd", initramfs, "-append", append];
  const guest = spawn("qemu-system-x86_64", [...words, ...quiet, ...boots], { stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => guest.kill("SIGKILL"), MOST_MS);
  let said = "";
  guest.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await new Promise<void>((resolve, reject) => guest.once("exit", () => resolve()).once("error", reject));
  clearTimeout(timer);
  return said.replaceAll("\r", "");
}
