// Owns running other programs: output collected, time limited, the whole process group ended.
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { LabError } from "./lab-error.ts";

/** Longest wait for anything in the lab, in milliseconds, unless the caller sets a shorter one. */
export const CEILING_MS = 30_000;

/** How a program ended. Exactly one of `code` and `signal` is not null. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  /** Ceiling in milliseconds; the default is CEILING_MS. */
  timeoutMs?: number;
  /** The whole environment; the default is this process's. */
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Called with the running child, so that its pid can be noted. */
  track?: (child: ChildProcess) => void;
}

/**
 * Starts a program as the leader of a process group of its own, so that Ctrl-C at the terminal ends the lab in an
 * orderly way and not its children one by one. Throws LabError when the program cannot be started.
 */
export async function start(
  argv: readonly string[],
  stdin: "pipe" | "ignore",
  env: NodeJS.ProcessEnv | undefined,
): Promise<ChildProcess> {
  const [program, ...args] = argv;
  if (program === undefined) throw new LabError("no program was named");
  const child = spawn(program, args, { detached: true, stdio: [stdin, "pipe", "pipe"], ...(env && { env }) });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const remedy =
        cause.code === "ENOENT" ? `Install the package that has ${program}, or add it to PATH.` : undefined;
      reject(new LabError(`cannot start ${program}: ${cause.message}`, { cause, ...(remedy && { remedy }) }));
    });
  });
  return child;
}

/** Ends a process and its group at once. Whoever has ended already is no error. */
export function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/**
 * Runs a program to its end. An exit code other than 0 is a result, not an error; LabError is thrown when the program
 * cannot be started or takes too long. When `signal` aborts, the program is killed and the reason is thrown.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  options.signal?.throwIfAborted();
  const child = await start(argv, options.input === undefined ? "ignore" : "pipe", options.env);
  options.track?.(child);
  const pid = child.pid as number;
  const timeoutMs = options.timeoutMs ?? CEILING_MS;
  let late = false;
  const kill = (): void => {
    killGroup(pid);
    // Whoever has left the group may hold the pipes open for ever.
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, timeoutMs);
  options.signal?.addEventListener("abort", kill, { once: true });
  try {
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    // A program need not read its input; that it closed the pipe early says nothing about how it ended.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
    const [code, signal] = await ending(child);
    options.signal?.throwIfAborted();
    if (late) throw new LabError(`${argv.join(" ")}\ndid not end within ${timeoutMs / 1000} s`);
    return { code, signal, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", kill);
  }
}

/** Runs a program that must succeed: otherwise LabError with the command and what it wrote to stderr. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const ended = await run(argv, options);
  if (ended.code !== 0) throw new LabError(`${argv.join(" ")}\n${describeEnd(ended)}`);
  return ended.stdout;
}

/** "exit code 2: <stderr>", for messages. */
export function describeEnd(ended: Ended): string {
  const how = ended.signal ? `ended by ${ended.signal}` : `exit code ${ended.code}`;
  const said = ended.stderr.trim() || ended.stdout.trim();
  return said ? `${how}: ${said}` : how;
}

/** Asks again and again until the answer is not undefined; LabError after `withinMs`. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  options: { withinMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  const withinMs = options.withinMs ?? CEILING_MS;
  const end = performance.now() + withinMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    options.signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= end) throw new LabError(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function ending(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve) => child.once("close", (code, signal) => resolve([code, signal])));
}

/** Everything that a stream gives until it closes, however it closes. */
function collect(stream: Readable | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return () => text;
}
