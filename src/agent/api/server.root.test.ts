// Owns the proof that the user id of the peer decides who may change a host through the agent, whatever the request says.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { AgentHost } from "../../../test/agent.ts";
import { namespaceCookie } from "../../host/native.ts";

let host: AgentHost;
beforeEach(() => {
  host = new AgentHost();
  chmodSync(host.place, 0o755);
  host.namespace.addLink("ib0", ["172.16.34.1/16"]);
  host.namespace.addLink("ib1", ["172.16.34.2/16"]);
  host.write("multihome: { ib: { links: [ib0, ib1] } }");
  return () => host[Symbol.asyncDispose]();
});

/** Asks the agent as a user, with the words of whoever speaks HTTP by hand. */
function ask(user: string, method: string, path: string): string {
  const socket = `/run/heddle/agent-${namespaceCookie(host.namespace.fd)}.sock`;
  const text = `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`;
  const words = [`--reuid=${user}`, "--clear-groups", "--", "socat", "STDIO,ignoreeof", `UNIX-CONNECT:${socket}`];
  return execFileSync("setpriv", words, { input: text, encoding: "utf8" });
}

test("an ordinary user may look and listen, and change nothing; root may", async () => {
  await host.start();
  for (const name of ["status", "plan", "history"]) {
    expect(ask("65534", "GET", `/v1/${name}`)).toMatch(/^HTTP\/1.1 200 /);
  }
  for (const name of ["remove", "confirm", "rollback", "apply"]) {
    expect(ask("65534", "POST", `/v1/${name}`)).toMatch(/^HTTP\/1.1 403 [^]*only root may change this host/);
  }
  expect(host.namespace.ip("rule")).toContain("from 172.16.34.1 lookup 7000");
  expect(ask("0", "POST", "/v1/remove")).toMatch(/^HTTP\/1.1 200 [^]*"outcome":"done"/);
  expect(host.namespace.ip("rule")).not.toContain("proto 72");
});

test("an ordinary user's status tells of the agent; his apply is told to be root's", async () => {
  await host.start();
  const as = (...words: string[]) => {
    const user = ["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--"];
    const inside = ["nsenter", `--net=/proc/${process.pid}/fd/${host.namespace.fd}`, "--", "setpriv", ...user];
    const [, , program = "", ...rest] = host.words(...words);
    const [command = "", ...argv] = [...inside, program, ...rest];
    return spawnSync(command, argv, { encoding: "utf8" });
  };
  const status = as("status");
  expect(status.stdout).toContain("agent: keeps");
  expect(as("apply")).toMatchObject({ status: 1, stderr: expect.stringContaining("root") as string });
});
