// Owns the proof that a host which boots has its routing before jobs can begin, with the real systemd from its first
// process on, and that the units leave heddle enough rights and no more.
import { expect, test } from "vitest";
import { until } from "../rdma/fabric/until.ts";
import { BootMachine } from "../../test/boot-machine.ts";

test("the routing stands before slurmd begins", { timeout: 120_000 }, async () => {
  await using machine = await BootMachine.boot();
  const boot = machine.run("systemctl", "show", "-P", "Result", "-P", "ActiveState", "heddle-boot.service");
  expect(boot.out.split("\n"), machine.run("journalctl", "-u", "heddle-boot").out).toContain("success");
  expect(machine.run("cat", "/run/slurmd-saw").out).toContain("from 172.16.34.1 lookup heddle-ib-ib0 proto 72");
  expect(machine.run("systemctl", "is-active", "heddle-routing.target").out).toBe("active\n");
  expect(machine.run("systemctl", "--failed", "--quiet").out).toBe("");
  // No ordering cycle was broken up to get here.
  expect(machine.run("journalctl", "--grep", "ordering cycle", "--quiet").out).toBe("");
  expect(machine.run("/bin/sh", "-c", "ls /var/lib/heddle /run/heddle /etc/iproute2/rt_tables.d").out).toContain(
    "numbers.json",
  );

  // Right over the network is the one that all of this needs, and needs.
  const restartWith = (capabilities: string): string => {
    const lines = `[Service]\\nCapabilityBoundingSet=\\nCapabilityBoundingSet=${capabilities}\\n`;
    const dropIn = "/run/systemd/system/heddle-boot.service.d";
    machine.run("/bin/sh", "-c", `mkdir -p ${dropIn}; printf '${lines}' >${dropIn}/test.conf; systemctl daemon-reload`);
    machine.run("ip", "rule", "del", "from", "172.16.34.1");
    machine.run("systemctl", "restart", "heddle-boot.service");
    return machine.run("systemctl", "is-active", "heddle-boot.service").out.trim();
  };
  expect(restartWith("CAP_NET_ADMIN")).toBe("active");
  expect(machine.run("ip", "rule").out).toContain("from 172.16.34.1 lookup");
  expect(restartWith("CAP_NET_RAW CAP_BPF CAP_PERFMON CAP_SYS_ADMIN")).toBe("failed");
  expect(restartWith("CAP_NET_ADMIN")).toBe("active");

  // What was confirmed holds, whatever stands in the file since. Without it the file counts, and a target that others
  // require does not stand when that is wrong.
  machine.run("/bin/sh", "-c", "echo 'version: 7' >/etc/heddle/heddle.yaml; systemctl restart heddle-boot.service");
  expect(machine.run("systemctl", "is-active", "heddle-boot.service").out).toBe("active\n");
  machine.run("/bin/sh", "-c", "rm -r /var/lib/heddle/confirmed; systemctl restart heddle-boot.service");
  expect(machine.run("systemctl", "is-active", "heddle-boot.service").out).toBe("failed\n");
  expect(machine.run("systemctl", "start", "heddle-routing.target").code).not.toBe(0);
});

test(
  "without the boot unit slurmd begins on a host without routing: the test above can fail",
  { timeout: 120_000 },
  async () => {
    await using machine = await BootMachine.boot({ WITHOUT_HEDDLE: "1" });
    const saw = machine.run("cat", "/run/slurmd-saw").out;
    expect(saw).toContain("from all lookup main");
    expect(saw).not.toContain("proto 72");
  },
);

test(
  "a gateway with failover is active after a boot, with few rights, and leaves its place when it is stopped",
  {
    timeout: 120_000,
  },
  async () => {
    await using machine = await BootMachine.boot({}, "prepare-gateway.sh");
    const log = (): string => machine.run("journalctl", "-u", "heddle-gateway").out;
    const held = (): string => machine.run("ip", "-o", "address").out;
    await until("the addresses", () => / 10\.20\.3\.227\/16 .* 140\.181\.2\.40\/32 /s.test(held()));
    expect(machine.run("systemctl", "is-active", "heddle-gateway.service").out, log()).toBe("active\n");
    expect(machine.run("systemctl", "--failed", "--quiet").out, log()).toBe("");

    // The daemons are its children, in its unit, and have no other rights than it.
    const pids = machine.run(
      "/bin/sh",
      "-c",
      "cat /sys/fs/cgroup/system.slice/heddle-gateway.service/cgroup.procs",
    ).out;
    const seen = pids
      .trim()
      .split("\n")
      .map((pid) => machine.run("cat", `/proc/${pid}/comm`, `/proc/${pid}/status`).out);
    for (const program of ["keepalived", "conntrackd"])
      expect(seen.some((text) => text.startsWith(program))).toBe(true);
    const rights = (1n << 12n) | (1n << 13n) | (1n << 14n) | (1n << 23n);
    for (const text of seen) {
      const effective = BigInt(`0x${/^CapEff:\t([0-9a-f]+)$/m.exec(text)?.[1] ?? "f".repeat(16)}`);
      expect(effective & ~rights).toBe(0n);
    }

    machine.run("systemctl", "stop", "heddle-gateway.service");
    expect(held()).not.toMatch(/10\.20\.3\.227|140\.181\.2\.40/);
    expect(machine.run("systemctl", "show", "-P", "Result", "heddle-gateway.service").out, log()).toBe("success\n");
  },
);

test(
  "the bridge runs as a service with two rights, and comes back when it is killed",
  { timeout: 120_000 },
  async () => {
    await using machine = await BootMachine.boot({ WITHOUT_HEDDLE: "1" });
    const heddle = "/opt/heddle/bin/heddle";
    const file = `version: 1
bridge:
  fabrics:
    infiniband: { model: "@fabric", node: H2 }
    ethernet: { link: ib0 }
    multicast: [{ group: 239.37.0.1 }]
`;
    machine.run("/bin/sh", "-c", 'printf %s "$1" >/etc/heddle/heddle.yaml', "sh", file);
    const installed = machine.run(heddle, "install", "--bridge");
    expect(installed.code, installed.err).toBe(0);
    expect(installed.out).toContain("systemctl start heddle-agent.service heddle-bridge.service\n");
    const show = (...names: string[]): string[] =>
      names.map((name) => machine.run("systemctl", "show", "-P", name, "heddle-bridge").out.trim());
    const log = (): string => machine.run("journalctl", "-u", "heddle-bridge").out;
    expect(machine.run("systemctl", "start", "heddle-bridge").code, log()).toBe(0);
    // It waits for its fabric.
    expect(show("ActiveState", "Type"), log()).toEqual(["active", "notify"]);
    expect(machine.run("systemd-run", heddle, "rdma", "fabric", "@fabric").code).toBe(0);
    const bridges = async (): Promise<void> =>
      until("it bridges", () => machine.run(heddle, "bridge").out.startsWith("bridge/fabrics  active")).catch(
        (error: unknown) => {
          throw new Error(log(), { cause: error });
        },
      );
    await bridges();
    const [pid = ""] = show("MainPID");
    // CAP_NET_ADMIN (12) and CAP_NET_RAW (13, linux/capability.h).
    expect(machine.run("grep", "CapEff", `/proc/${pid}/status`).out).toBe("CapEff:\t0000000000003000\n");
    // ibsim keeps the place of one that went without a word, so that the next does not get as far as this one did.
    machine.run("kill", "-KILL", pid);
    await until("another runs", () => {
      const [now = "", state] = show("MainPID", "ActiveState");
      return state === "active" && now !== pid && now !== "0";
    });
  },
);
