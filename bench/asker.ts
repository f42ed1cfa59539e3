// Owns the question that judges a failover in the benches of gateways: asked by the first worker of the world, each 5 ms,
// by a program that what happens at the gateways does not make late (bench/ask.c).
import { spawn } from "node:child_process";
import { join } from "node:path";
import { WORLD } from "../test/gateway-lab.ts";
import type { GatewayLab } from "../test/gateway-lab.ts";
import { Talker } from "../test/talker.ts";

const ASK = join(import.meta.dirname, "../build/bench-ask");
const PORT = "7005";
const INTERVAL_US = "5000";

/** What was seen since `begin`, ms: the longest time between two answers, and how late the worst question was. */
export interface Asked {
  gapMs: number;
  lateMs: number;
}

/** The first worker, asking. */
export class Asker implements Disposable {
  readonly #talker: Talker;

  private constructor(talker: Talker) {
    this.#talker = talker;
  }

  static async start({ lab }: GatewayLab): Promise<Asker> {
    await lab.spawn("world", [ASK, "answer", PORT], { says: /serving/ });
    const words = [`--net=${lab.netns("w1")}`, "--", ASK, "ask", WORLD, PORT, INTERVAL_US];
    return new Asker(new Talker(spawn("nsenter", words, { stdio: ["pipe", "pipe", "inherit"] })));
  }

  async begin(): Promise<void> {
    await this.#talker.ask("begin");
  }

  async report(): Promise<Asked> {
    return JSON.parse(await this.#talker.ask("report")) as Asked;
  }

  [Symbol.dispose](): void {
    this.#talker[Symbol.dispose]();
  }
}
