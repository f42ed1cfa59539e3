// Owns the proof that a missing feature is told only where the kernel tells.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, expect, test } from "vitest";
import { probeFeatures } from "./features.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "heddle-root-"));
  return () => rmSync(root, { recursive: true, force: true });
});

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const OPTIONS = "CONFIG_NF_TABLES=m\n# CONFIG_CGROUP_BPF is not set\nCONFIG_NET_CLS_BPF=y\nCONFIG_BPF_SYSCALL=y\n";

test("a tree that tells nothing says nothing", async () => {
  expect(await probeFeatures(root)).toEqual({});
});

test("the kernel's own options are believed, packed or not", async () => {
  // NET_SCH_INGRESS, which bpf-tc wants too, is not among them.
  const told = { nftables: true, conntrack: false, bpf: true, "bpf-cgroup": false, "bpf-tc": false, btf: false };
  write("/proc/config.gz", gzipSync(OPTIONS));
  expect(await probeFeatures(root)).toEqual(told);
  rmSync(join(root, "proc/config.gz"));
  write("/proc/sys/kernel/osrelease", "5.4.0-42-generic\n");
  write("/boot/config-5.4.0-42-generic", OPTIONS);
  expect(await probeFeatures(root)).toEqual(told);
});

test("files that every newer kernel with the feature has prove it, and their absence its absence", async () => {
  write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  write("/proc/sys/kernel/bpf_stats_enabled", "0\n");
  expect(await probeFeatures(root)).toEqual({ "nexthop-objects": false, bpf: true, btf: false });
  write("/proc/sys/net/ipv4/nexthop_compat_mode", "1\n");
  write("/proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
  expect(await probeFeatures(root)).toMatchObject({ "nexthop-objects": true, conntrack: true });
});

test("options that are a bomb or a path are not unpacked or followed", async () => {
  write("/proc/config.gz", gzipSync(Buffer.alloc(64 * 1024 * 1024)));
  write("/proc/sys/kernel/osrelease", "../../etc/passwd\n");
  write("/etc/passwd", "CONFIG_NF_TABLES=y\n");
  expect(await probeFeatures(root)).not.toHaveProperty("nftables");
});
