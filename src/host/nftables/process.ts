// Owns the running of `nft`: in the right namespace, with bounds, and what its words of refusal mean.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { HostError } from "../error.ts";
import { findProgram, programPath } from "../program.ts";
import { OWN_NAMESPACE } from "../native.ts";
import type { NamespaceFd } from "../native.ts";

/** A ruleset of a hundred thousand elements is some 10 MB of JSON. */
const MOST_OUTPUT = 64 * 1024 * 1024;
/** The kernel may have to wait for others' transactions, never for minutes. */
const MOST_MS = 30_000;

/**
 * Bytes of a script that goes along as an argument: the kernel takes 128 KiB (MAX_ARG_STRLEN). A longer one goes through
 * a file, because nft opens /dev/stdin by name, which the socket that Node gives its children for a pipe refuses.
 */
const MOST_ARGUMENT = 96 * 1024;

const { EPERM, ENOENT, EEXIST, EBUSY, EINVAL, ENOMEM, EOPNOTSUPP, ETIMEDOUT, EFBIG, EMSGSIZE } = constants.errno;

/** nft tells the errno in the C library's words only (LC_ALL=C), at the end of its first sentence. */
const IN_WORDS: readonly (readonly [words: string, errno: number])[] = [
  ["Operation not permitted", EPERM],
  ["No such file or directory", ENOENT],
  ["Interface does not exist", constants.errno.ENODEV],
  ["File exists", EEXIST],
  ["Device or resource busy", EBUSY],
  ["Cannot allocate memory", ENOMEM],
  ["Operation not supported", EOPNOTSUPP],
  ["Message too long", EMSGSIZE],
];

/** What nft refused, in its own words. */
export interface Refusal {
  /** Positive; EINVAL where the words name none. */
  errno: number;
  words: string;
  /** Which of the commands it was, counted from 0, where nft tells. */
  command?: number;
}

/** What came of a run: text, or a refusal. */
export type Answer = { text: string } | { refusal: Refusal };

/**
 * Runs nft with the options on the script, in the namespace. A refusal is an answer; that nft is not installed, does
 * not come to an end or says too much throws HostError. `path` is where programs are looked for.
 */
export async function runNft(
  namespace: NamespaceFd,
  options: readonly string[],
  script: string,
  signal?: AbortSignal,
  path: readonly string[] = programPath(),
): Promise<Answer> {
  if (Buffer.byteLength(script) <= MOST_ARGUMENT) return runWords(namespace, [...options, script], signal, path);
  const directory = await mkdtemp(join(tmpdir(), "heddle-nft-"));
  try {
    const file = join(directory, "script");
    await writeFile(file, script, { mode: 0o600, flag: "wx" });
    return await runWords(namespace, [...options, "-f", file], signal, path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runWords(
  namespace: NamespaceFd,
  words: readonly string[],
  signal: AbortSignal | undefined,
  path: readonly string[],
): Promise<Answer> {
  const nft = findProgram("nft", "nftables", path);
  const inside = namespace === OWN_NAMESPACE ? [] : [`--net=/proc/${process.pid}/fd/${namespace}`, "--", nft];
  const [program, argv] = namespace === OWN_NAMESPACE ? [nft, words] : ["nsenter", [...inside, ...words]];
  return new Promise((resolve, reject) => {
    const options = {
      env: { PATH: path.join(delimiter), LC_ALL: "C" },
      maxBuffer: MOST_OUTPUT,
      timeout: MOST_MS,
      killSignal: "SIGKILL",
      encoding: "utf8",
      ...(signal ? { signal } : {}),
    } as const;
    const child = execFile(program, argv, options, (error, stdout, stderr) => {
      if (!error) resolve({ text: stdout });
      else if (signal?.aborted) reject(signal.reason as Error);
      else if (typeof error.code === "number") resolve({ refusal: refusalFrom(stderr) });
      else reject(broken(error));
    });
    child.stdin?.end();
  });
}

function broken(error: { message: string; code?: string | number | null; killed?: boolean }): HostError {
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return new HostError({
      errno: EFBIG,
      object: "nftables",
      kernelMessage: `nft said more than ${MOST_OUTPUT} bytes`,
    });
  }
  const errno = error.killed ? ETIMEDOUT : EINVAL;
  const kernelMessage = error.killed ? `nft did not end within ${MOST_MS / 1000} s` : error.message;
  return new HostError({ errno, object: "nftables", kernelMessage });
}

/** The first sentence of nft's complaint is the cause; the ones after it say in what it was found. */
export function refusalFrom(stderr: string): Refusal {
  const sentences = [...stderr.matchAll(/Error: (.*)/g)].map((match) => match[1] as string);
  const words = (sentences[0] ?? stderr.trim().split("\n")[0] ?? "").replace(/\.$/, "") || "it gave no reason";
  const errno = IN_WORDS.find(([phrase]) => words.includes(phrase))?.[1] ?? EINVAL;
  const place = /Parsing command array at index (\d+) failed/.exec(stderr)?.[1];
  return place === undefined ? { errno, words } : { errno, words, command: Number(place) };
}
