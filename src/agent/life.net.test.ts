// Owns the proof of an agent's life: it is killed and started again, fought with, asked by several at once, and its
// changes are undone unless somebody confirms them, whoever dies meanwhile.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { AgentHost } from "../../test/agent.ts";
import { until } from "../../test/contract-steps.ts";
import { NotifyListener } from "../../test/notify-listener.ts";
import { namespaceCookie } from "../host/native.ts";

let host: AgentHost;
const MULTIHOME = "multihome: { ib: { links: [ib0, ib1] } }";
const ROUTE = "static: { s: { routes: [{ to: 10.1.0.0/16, link: ib0, table: 77 }] } }";
const rules = (): string => host.namespace.ip("rule");
const table = (): string => host.namespace.ip("route show table all proto 72");

beforeEach(() => {
  host = new AgentHost();
  host.namespace.addLink("ib0", ["172.16.34.1/16"]);
  host.namespace.addLink("ib1", ["172.16.34.2/16"]);
  host.write(MULTIHOME);
  return () => host[Symbol.asyncDispose]();
});

/** Where the agent's socket is. */
function socket(): string {
  return `/run/heddle/agent-${namespaceCookie(host.namespace.fd)}.sock`;
}

describe("start and end", () => {
  test("killed, it leaves its socket; what was lost meanwhile is mended when it starts again", async () => {
    await host.start();
    await host.end("SIGKILL");
    expect(existsSync(socket())).toBe(true);
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
    host.namespace.ip("rule del from 172.16.34.1");
    // The lock is free, so the command does it itself.
    expect(host.heddle("apply")).toMatchObject({ code: 0 });
    host.namespace.ip("rule del from 172.16.34.2");
    await host.start();
    expect(rules()).toContain("from 172.16.34.2 lookup 7001");
    expect(await host.end()).toBe(0);
    expect(existsSync(socket())).toBe(false);
  });

  test("it goes by what was applied, not by the file that is being edited; and says that they differ", async () => {
    await host.start();
    host.write(ROUTE);
    host.namespace.ip("rule flush");
    await until(async () => rules().includes("from 172.16.34.1 lookup 7000"));
    expect(host.heddle("status").err).toContain("was changed since it was applied");
    await host.end();
    await host.start();
    expect(table()).not.toContain("10.1.0.0/16");
    expect(host.heddle("apply")).toMatchObject({ code: 0 });
    expect(table()).toContain("10.1.0.0/16 dev ib0 table 77");
    expect(rules()).not.toContain("proto 72");
    host.namespace.ip("route flush table 77");
    await until(async () => table().includes("10.1.0.0/16 dev ib0 table 77"));
  });

  test("heddle events ends when nobody reads any more", async () => {
    await host.start();
    const events = spawn("nsenter", host.words("events"), { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(events.stdout, "data");
      events.stdout.destroy();
      host.namespace.ip("rule del from 172.16.34.1");
      await until(async () => events.exitCode === 0);
    } finally {
      events.kill();
    }
  });

  test("a file that is wrong, and a second agent, are refused with their exit codes", async () => {
    host.write("multihome: { ib: { lnks: [] } }");
    expect(host.heddle("agent")).toMatchObject({
      code: 1,
      err: expect.stringContaining('unknown key "lnks"') as string,
    });
    host.write(MULTIHOME);
    await host.start();
    host.write("multihome: { ib: { lnks: [] } }");
    expect(host.heddle("apply").code).toBe(1);
    expect(host.heddle("status").code).toBe(1);
  });

  test("it tells systemd when it is ready, how it is, that it lives, and that it ends", async () => {
    using listener = await NotifyListener.start(host.place);
    process.env["NOTIFY_SOCKET"] = listener.place;
    process.env["WATCHDOG_USEC"] = "400000";
    try {
      await host.start();
    } finally {
      delete process.env["NOTIFY_SOCKET"];
      delete process.env["WATCHDOG_USEC"];
    }
    await until(async () => listener.heard.split("WATCHDOG=1").length > 3);
    expect(listener.heard).toMatch(/READY=1[^]*STATUS=keeps .*heddle\.yaml; 0 repairs/);
    await host.end();
    await until(async () => listener.heard.includes("STOPPING=1"));
  });
});

describe("requests", () => {
  test("several at once are done one after the other, and the last one holds", async () => {
    await host.start();
    const files = [MULTIHOME, ROUTE, ROUTE.replace("10.1.", "10.2.")];
    const codes = await Promise.all(
      files.map(async (text, i) => {
        const path = join(host.place, `${i}.yaml`);
        execFileSync("sh", ["-c", 'printf "version: 1\\n%s\\n" "$1" > "$2"', "sh", text, path]);
        const child = host.spawn("-f", path, "apply");
        return (await once(child, "exit"))[0] as number;
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    const last = host.status().file?.text ?? "";
    expect(table().includes("table 7000")).toBe(last.includes("multihome"));
    expect(table().includes("10.1.0.0/16")).toBe(last.includes("10.1."));
    expect(table().includes("10.2.0.0/16")).toBe(last.includes("10.2."));
  });

  test("remove takes all away, and the agent does not put it back; rollback does", async () => {
    await host.start();
    host.write(ROUTE);
    expect(host.heddle("apply").code).toBe(0);
    expect(host.heddle("remove")).toMatchObject({ code: 0, out: expect.stringContaining("Removed: ") as string });
    const { count } = host.status().looks;
    host.namespace.ip("link set ib0 down");
    host.namespace.ip("link set ib0 up");
    await until(async () => host.status().looks.count > count);
    expect(table() + rules()).not.toContain("proto 72");
    const history = host.heddle("history").out;
    expect(history).toMatch(/3 .* everything removed[^]* 2 .*heddle\.yaml[^]* 1 .*heddle\.yaml/);
    expect(host.heddle("rollback", "1")).toMatchObject({
      code: 0,
      out: expect.stringContaining("Rolled back: ") as string,
    });
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
    expect(host.heddle("rollback")).toMatchObject({ code: 0 });
    expect(rules()).not.toContain("proto 72");
    expect(host.heddle("rollback", "99")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no confirmed file") as string,
    });
  });

  test("a file that the kernel refuses changes nothing, and the agent goes on with the one before", async () => {
    await host.start();
    host.write("static: { s: { routes: [{ to: 10.1.0.0/16, via: 192.0.2.1, link: ib0 }] } }");
    const run = host.heddle("apply");
    expect(run).toMatchObject({
      code: 1,
      err: expect.stringContaining("the kernel refused route 10.1.0.0/16") as string,
    });
    expect(run.err).toContain(`${host.file}:2:25`);
    host.namespace.ip("rule flush");
    await until(async () => rules().includes("from 172.16.34.1 lookup 7000"));
  });

  test("a saved plan is done by the agent, or refused when the host has changed", async () => {
    await host.start();
    host.write(ROUTE);
    const saved = join(host.place, "saved.json");
    expect(host.heddle("plan", "--out", saved).code).toBe(2);
    host.namespace.addLink("ib2", ["172.16.34.3/16"]);
    expect(host.heddle("apply", "--plan", saved)).toMatchObject({ code: 0 });
    expect(table()).toContain("10.1.0.0/16");
    const stale = host.heddle("apply", "--plan", saved);
    expect(stale).toMatchObject({ code: 5, err: expect.stringContaining("is out of date") as string });
  });

  test("what is no request is answered with what is wrong with it", async () => {
    await host.start();
    const ask = async (method: string, path: string, body = ""): Promise<{ status: number; said: string }> => {
      const sent = request({ socketPath: socket(), method, path, agent: false });
      sent.end(body);
      const [response] = (await once(sent, "response")) as [AsyncIterable<Buffer> & { statusCode: number }];
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      return { status: response.statusCode, said: Buffer.concat(parts).toString() };
    };
    expect(await ask("GET", "/v2/status")).toMatchObject({
      status: 400,
      said: expect.stringContaining("restart the agent") as string,
    });
    expect(await ask("GET", "/v1/nothing")).toMatchObject({ status: 404 });
    expect(await ask("GET", "/v1/__proto__")).toMatchObject({ status: 404 });
    expect(await ask("POST", "/v1/constructor", "{}")).toMatchObject({ status: 404 });
    expect(await ask("POST", "/v1/apply", "{")).toMatchObject({
      status: 400,
      said: expect.stringContaining("file") as string,
    });
    expect(await ask("POST", "/v1/apply", '{"do":"remove","file":"","text":5}')).toMatchObject({ status: 400 });
    expect(await ask("GET", "/v1/plan")).toMatchObject({
      status: 200,
      said: expect.stringContaining('"settled":13') as string,
    });
    expect(await ask("GET", "/v1/history")).toMatchObject({
      status: 200,
      said: expect.stringContaining('"serial":1') as string,
    });
  });
});

describe("fights", () => {
  test("an object that is taken away again and again rests, with the culprit's name; others are mended at once", async () => {
    await host.start();
    // A program with a name that is known for it, in this namespace; its changes are ip's, which is gone at once.
    const rival = join(host.place, "keepalived");
    execFileSync("cp", ["/bin/sh", rival]);
    const script = "while :; do ip rule del from 172.16.34.1 2>/dev/null; sleep 0.1; done";
    const inside = [`--net=/proc/${process.pid}/fd/${host.namespace.fd}`, "--", rival, "-c", script];
    const child = spawn("nsenter", inside, { stdio: "ignore" });
    try {
      await until(async () => host.told("fight").length > 0);
      expect(host.told("fight")[0]).toMatchObject({
        object: "rule 7000: from 172.16.34.1 lookup 7000",
        repairs: 3,
        culprit: expect.stringContaining("keepalived") as string,
        remedy: expect.stringContaining("keepalived.conf") as string,
      });
      await until(async () => (host.status().standing[0]?.count ?? 0) > 3);
      const said = host.heddle("status").out;
      expect(said).toContain("taken away");
      expect(said).toContain("keepalived.conf");
      const before = host.told("repaired").length;
      host.namespace.ip("rule del from 172.16.34.2");
      await until(async () =>
        host
          .told("repaired")
          .slice(before)
          .some(({ object }) => String(object).includes("172.16.34.2")),
      );
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await until(async () => rules().includes("from 172.16.34.1 lookup 7000"));
    expect(host.told("repaired").length).toBeLessThan(20);
  });

  test("an object that the kernel refuses now does not keep the others from being mended", async () => {
    host.namespace.ip("addr add 10.7.0.1/24 dev ib1");
    host.write(`${MULTIHOME}\n${ROUTE.replace("link: ib0", "via: 10.7.0.9, link: ib1")}`);
    await host.start();
    // Without the kernel's route to the gateway that cannot be reached, which no need of a route says.
    host.namespace.ip("route del 10.7.0.0/24 dev ib1 table main");
    host.namespace.ip("route flush table 77");
    await until(async () => host.told("refused").length > 0);
    host.namespace.ip("rule del from 172.16.34.2");
    await until(async () => rules().includes("from 172.16.34.2 lookup 7001"));
    expect(host.status().standing).toMatchObject([{ why: "refused" }]);
    host.namespace.ip("route add 10.7.0.0/24 dev ib1");
    await until(async () => table().includes("10.1.0.0/16 via 10.7.0.9"));
  });
});

describe("troubles", () => {
  test("state that cannot be written is said, and repairs go on", async () => {
    mkdirSync(host.state);
    await host.start();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", host.state]);
    try {
      execFileSync("sh", ["-c", `cat /dev/zero > ${host.state}/filler 2>/dev/null; true`]);
      host.namespace.ip("link del ib1");
      host.namespace.addLink("ib1", ["172.16.34.2/16"]);
      await until(async () => rules().includes("from 172.16.34.2 lookup 7001"));
      await until(async () => (host.status().troubles[0] ?? "").includes("the state cannot be written"));
      expect(host.namespace.run("cat", "/proc/sys/net/ipv4/conf/ib1/arp_ignore")).toBe("1\n");
      rmSync(join(host.state, "filler"));
      host.namespace.ip("rule flush");
      await until(async () => host.status().troubles.length === 0);
    } finally {
      execFileSync("umount", [host.state]);
    }
  });

  test("a plan that cuts off whoever came by SSH is refused, by the agent and without it, but for --force", async () => {
    host.namespace.ip("route add default via 172.16.0.1 dev ib0");
    const cut = "static: { s: { rules: [{ to: 192.0.2.0/24, action: unreachable, priority: 100 }] } }";
    const environment = { SSH_CONNECTION: "192.0.2.7 50000 172.16.34.1 22" };
    host.write(cut);
    const alone = host.heddleWith(environment, "apply");
    expect(alone).toMatchObject({
      code: 1,
      err: expect.stringContaining("you, who came from 192.0.2.7 by SSH") as string,
    });
    expect(alone.err).toContain(`${host.file}:2:`);
    expect(rules()).not.toContain("unreachable");
    host.write(MULTIHOME);
    await host.start();
    host.write(cut);
    expect(host.heddleWith(environment, "apply")).toMatchObject({ code: 1 });
    expect(rules()).not.toContain("unreachable");
    expect(host.heddleWith(environment, "apply", "--force")).toMatchObject({ code: 0 });
    expect(rules()).toContain("unreachable");
  });
});

describe("confirmation", () => {
  const undone = async (): Promise<void> => until(async () => !table().includes("10.1.0.0/16"));
  const pending = (): string => {
    host.write(`${MULTIHOME}\n${ROUTE}`);
    return "apply";
  };
  const without = (): void => {
    expect(host.heddle("apply")).toMatchObject({ code: 0 });
  };

  test("with an agent: undone in time, kept when confirmed, and too late is too late", async () => {
    await host.start();
    expect(host.heddle(pending(), "--confirm", "2").out).toContain("undone in 2 s");
    expect(table()).toContain("10.1.0.0/16");
    await undone();
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
    await until(async () => host.told("undone").length > 0);
    expect(host.heddle("confirm")).toMatchObject({ code: 1, err: expect.stringContaining("nothing waits") as string });

    expect(host.heddle("apply", "--confirm", "3").code).toBe(0);
    host.namespace.ip("route flush table 77");
    await until(async () => table().includes("10.1.0.0/16"));
    expect(host.status().pendingS).toBeGreaterThan(0);
    expect(host.heddle("confirm")).toMatchObject({
      code: 0,
      out: expect.stringContaining("Confirmed: 1 made") as string,
    });
    await until(async () => host.guards().length === 0);
    expect(table()).toContain("10.1.0.0/16");
    expect(host.heddle("history").out).toContain("   2  ");
  });

  test("without an agent the guard undoes it, though the command's terminal is gone", async () => {
    without();
    pending();
    // A terminal that hangs up: script(1) gives the command one and goes away with it.
    const words = ["nsenter", ...host.words("apply", "--confirm", "2")].join(" ");
    execFileSync("script", ["-qec", words, "/dev/null"], { stdio: "ignore" });
    expect(table()).toContain("10.1.0.0/16");
    await undone();
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
    await until(async () => host.guards().length === 0);
  });

  test("without anything confirmed before, all is taken away", async () => {
    const { namespace } = host;
    const untouched = namespace.run("sysctl", "-a", "--pattern", "ipv4.conf.ib");
    expect(host.heddle(pending(), "--confirm", "2").code).toBe(0);
    expect(namespace.run("sysctl", "-a", "--pattern", "ipv4.conf.ib")).not.toBe(untouched);
    await until(async () => !(table() + rules()).includes("proto 72"));
    await until(async () => namespace.run("sysctl", "-a", "--pattern", "ipv4.conf.ib") === untouched);
  });

  test("confirmed without an agent it stays, and another change replaces what waits", async () => {
    without();
    expect(host.heddle(pending(), "--confirm", "60").code).toBe(0);
    host.write(`${MULTIHOME}\n${ROUTE.replace("10.1.", "10.2.")}`);
    expect(host.heddle("apply", "--confirm", "2").code).toBe(0);
    expect(table()).toContain("10.2.0.0/16");
    await until(async () => !table().includes("10.2.0.0/16"));
    expect(table()).not.toContain("10.1.0.0/16");
    await until(async () => host.guards().length === 0);
    expect(host.heddle("apply", "--confirm", "60").code).toBe(0);
    expect(host.heddle("confirm").code).toBe(0);
    await until(async () => host.guards().length === 0);
    expect(table()).toContain("10.2.0.0/16");
  });

  test("a change that fails leaves what waited before it waiting", async () => {
    without();
    expect(host.heddle(pending(), "--confirm", "4").code).toBe(0);
    host.write("static: { s: { routes: [{ to: 10.9.0.0/16, via: 192.0.2.1, link: ib0 }] } }");
    expect(host.heddle("apply", "--confirm", "60").code).toBe(1);
    expect(table()).toContain("10.1.0.0/16");
    await undone();
  });

  test("the agent is killed: the guard undoes it", async () => {
    await host.start();
    expect(host.heddle(pending(), "--confirm", "3").code).toBe(0);
    await host.end("SIGKILL");
    await undone();
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
  });

  test("the agent and the guard are killed: the next agent undoes it", async () => {
    await host.start();
    expect(host.heddle(pending(), "--confirm", "2").code).toBe(0);
    await host.end("SIGKILL");
    for (const guard of host.guards()) process.kill(guard, "SIGKILL");
    await until(async () => host.heddle("status").err.includes("was not confirmed in time"));
    expect(table()).toContain("10.1.0.0/16");
    await host.start();
    await undone();
  });

  test("the command is killed while it applies: what it did is undone", async () => {
    without();
    const many = Array.from({ length: 3000 }, (_, i) => `{ to: 10.1.${i >> 8}.${i & 255}/32, link: ib0, table: 77 }`);
    host.write(`static: { s: { routes: [${many.join(", ")}] } }`);
    const child = host.spawn("apply", "--confirm", "3");
    await until(async () => existsSync(join(host.state, "run", `pending-${namespaceCookie(host.namespace.fd)}.json`)));
    child.kill("SIGKILL");
    await once(child, "exit");
    await until(async () => host.guards().length === 0);
    expect(table()).not.toContain("table 77");
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
  });

  test.each([["with an agent"], ["without one"]])(
    "on a disk that fills up it is undone all the same, %s",
    async (how) => {
      mkdirSync(host.state);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", host.state]);
      try {
        if (how === "with an agent") await host.start();
        else without();
        // Another table for the links as well, so that there is something new to remember on the way back.
        host.write(ROUTE);
        expect(host.heddle("apply", "--confirm", "3").code).toBe(0);
        execFileSync("sh", ["-c", `cat /dev/zero > ${host.state}/filler 2>/dev/null; true`]);
        await undone();
        await until(async () => rules().includes("from 172.16.34.1 lookup 7000"));
        expect(host.namespace.run("cat", "/proc/sys/net/ipv4/conf/ib1/arp_ignore")).toBe("1\n");
        await until(async () => host.guards().length === 0);
        await host.end();
      } finally {
        execFileSync("umount", ["-l", host.state]);
      }
    },
  );

  test("after a reboot what waited is forgotten, and the confirmed file is loaded", async () => {
    without();
    expect(host.heddle(pending(), "--confirm", "600").code).toBe(0);
    const path = join(host.state, "run", `pending-${namespaceCookie(host.namespace.fd)}.json`);
    const { boot, ...rest } = JSON.parse(readFileSync(path, "utf8")) as { boot: string };
    // What a reboot leaves: another boot id, and nothing in the kernel.
    expect(boot).toMatch(/^[0-9a-f-]{36}$/);
    execFileSync("sh", ["-c", 'printf "%s" "$1" > "$2"', "sh", JSON.stringify({ ...rest, boot: "another" }), path]);
    await host.start();
    expect(table()).not.toContain("10.1.0.0/16");
    expect(rules()).toContain("from 172.16.34.1 lookup 7000");
  });
});
