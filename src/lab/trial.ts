// Owns one trial of an address by one method: the command, how its packets are known, and what counts as an answer. Pure.
import type { CapturedFrame } from "./capture.ts";
import type { Method } from "./step-schema.ts";

/** Somebody asks an address. */
export interface Trial {
  method: Method;
  to: string;
  /** Echo identifier or source port, by which its packets are known. */
  number: number;
}

/** What the asking socket is bound to. */
export interface Binding {
  address?: string | undefined;
  device?: string | undefined;
}

/** Program, arguments and input; they take about a second when there is no answer. */
export function tryCommand(trial: Trial, port: number, bound: Binding): { argv: string[]; input?: string } {
  const { method, to, number } = trial;
  const family = to.includes(":") ? 6 : 4;
  if (method === "ping") {
    const bind = bound.address ?? bound.device;
    const words = bind === undefined ? [] : ["-I", bind];
    return { argv: ["ping", `-${family}`, "-n", "-c1", "-W1", "-e", String(number), ...words, to] };
  }
  const options = [...(method === "tcp" ? ["connect-timeout=1"] : []), `sourceport=${number}`];
  if (bound.address !== undefined) options.push(`bind=${literal(bound.address)}`);
  if (bound.device !== undefined) options.push(`so-bindtodevice=${bound.device}`);
  const address = `${method.toUpperCase()}${family}:${literal(to)}:${port},${options.join(",")}`;
  return { argv: ["socat", method === "tcp" ? "-T2" : "-T1", "-", address], input: `${number}\n` };
}

/** Whether the command's end means that the trial got its answer. */
export function isAnsweredBy(trial: Trial, ended: { code: number | null; stdout: string }): boolean {
  return ended.code === 0 && (trial.method === "ping" || ended.stdout === `${trial.number}\n`);
}

/** A frame with an IP packet. */
export type PacketFrame = Extract<CapturedFrame, { source: string }>;

/** Whether a frame carries the question of the trial. */
export function ownedBy(trial: Trial, frame: CapturedFrame): frame is PacketFrame {
  if (trial.method === "ping") return frame.kind === "echo-request" && frame.id === trial.number;
  return frame.kind === trial.method && frame.sourcePort === trial.number;
}

/** Whether a frame carries an answer. */
export function answersTo(trial: Trial, frame: CapturedFrame): frame is PacketFrame {
  if (trial.method === "ping") return frame.kind === "echo-reply" && frame.id === trial.number;
  return frame.kind === trial.method && frame.destinationPort === trial.number;
}

/** An address as socat and ss take it. */
export function literal(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
