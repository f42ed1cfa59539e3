// Owns probes by TCP and by HTTP: a connection each time, by the link and with the mark that lead by the gateway in question.
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { parseAddress } from "../../model/ip.ts";
import { sayHost } from "../../model/probe-target.ts";
import { isWellStatus, MOST_STATUS_BYTES, readStatus, requestFor } from "../../probes/status-line.ts";
import { HostError } from "../error.ts";
import { beginConnection, connectionError, OWN_NAMESPACE, watchDescriptor } from "../native.ts";
import type { NamespaceFd } from "../native.ts";

/** What is probed, and how. */
export interface ConnectOptions {
  target: string;
  port: number;
  link: string;
  source?: string;
  mark?: number;
  /** A path that is asked for by HTTP; without one, a connection is answer enough. */
  path?: string;
  intervalMs: number;
  /** How long the answer may take, ms. */
  timeoutMs: number;
  namespace?: NamespaceFd;
}

/** Told of each answer with the time that it took in ms, and of each lack of one. */
export type TellAnswer = (answered: boolean, rttMs?: number) => void;

/**
 * Probes until it is stopped. A question begins an interval after the last one began, or when that one is over, where it
 * takes longer.
 */
export function startConnecting(options: ConnectOptions, tell: TellAnswer): () => void {
  let timer: NodeJS.Timeout | undefined;
  let cancel = (): void => {};
  const ask = (): void => {
    const began = performance.now();
    cancel = askOnce(options, (answered) => {
      const tookMs = performance.now() - began;
      timer = setTimeout(ask, Math.max(0, options.intervalMs - tookMs));
      if (answered) tell(true, Math.round(tookMs * 1000) / 1000);
      else tell(false);
    });
  };
  // Not at once: whoever starts it is not told before it knows how to stop it.
  timer = setTimeout(ask, 0);
  return () => {
    clearTimeout(timer);
    cancel();
  };
}

/** One question; the answer cancels it, without a word. `done` is called once, and later. */
function askOnce(options: ConnectOptions, done: (answered: boolean) => void): () => void {
  const { target, port, path, namespace = OWN_NAMESPACE, timeoutMs } = options;
  let close = (): void => {};
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    close();
  };
  const finish = (answered: boolean): void => {
    if (over) return;
    end();
    done(answered);
  };
  const timer = setTimeout(() => finish(false), timeoutMs);
  try {
    const from = parseAddress(options.source ?? "");
    const descriptor = beginConnection(namespace, {
      to: parseAddress(target) ?? new Uint8Array(),
      port,
      link: options.link,
      ...(options.mark === undefined ? {} : { mark: options.mark }),
      ...(from ? { from } : {}),
    });
    const unwatch = watchDescriptor(descriptor, "writable", () => {
      unwatch();
      const stands = connectionError(descriptor) === 0;
      if (!stands || path === undefined) return finish(stands);
      const socket = new Socket({ fd: descriptor });
      close = () => socket.destroy();
      askPath(socket, requestFor(sayHost(target), path), finish);
    });
    close = () => {
      unwatch();
      closeSync(descriptor);
    };
  } catch (error) {
    // There is no way, or no such link: a lack of an answer, told as late as any other, so that nobody is asked in a hurry.
    if (!(error instanceof HostError)) throw error;
  }
  return end;
}

/** Asks for a path on a connection that stands, and reads of the answer the first line. */
function askPath(socket: Socket, request: string, finish: (answered: boolean) => void): void {
  const line = new Uint8Array(MOST_STATUS_BYTES);
  let length = 0;
  socket.on("data", (bytes: Buffer) => {
    const taken = bytes.subarray(0, line.length - length);
    line.set(taken, length);
    length += taken.length;
    const status = readStatus(line.subarray(0, length));
    if (status !== "more") finish(status !== "broken" && isWellStatus(status));
  });
  socket.on("error", () => finish(false));
  socket.once("close", () => finish(false));
  socket.write(request);
}
