// Owns the probes of what the kernel can do, all of which change nothing: files that are there, and its own configuration.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Feature } from "../../model/picture.ts";
import { isThere, readText } from "./files.ts";

const MOST_BYTES = 4 * 1024 * 1024;

/** Options that say it where the kernel tells how it was built. All are wanted. */
const OPTIONS: Readonly<Partial<Record<Feature, readonly string[]>>> = {
  nftables: ["NF_TABLES"],
  conntrack: ["NF_CONNTRACK"],
  bpf: ["BPF_SYSCALL"],
  "bpf-cgroup": ["CGROUP_BPF"],
  "bpf-tc": ["NET_CLS_BPF", "NET_SCH_INGRESS"],
  btf: ["DEBUG_INFO_BTF"],
};

/** Files that are there exactly when the kernel has the feature, and speaks of it. */
const ALWAYS: Readonly<Partial<Record<Feature, string>>> = {
  // net/ipv4/sysctl_net_ipv4.c, since 5.8; kernels that have nexthop objects without it are 5.3 to 5.7.
  "nexthop-objects": "/proc/sys/net/ipv4/nexthop_compat_mode",
  // kernel.bpf_stats_enabled, since 5.1.
  bpf: "/proc/sys/kernel/bpf_stats_enabled",
  btf: "/sys/kernel/btf/vmlinux",
};

/** Files that prove a feature; a module that is not loaded yet has none. */
const PROOFS: Readonly<Partial<Record<Feature, string>>> = { conntrack: "/proc/sys/net/netfilter/nf_conntrack_max" };

/** What can be told below a root. What is not known is left out: a module may be there for the asking. */
export async function probeFeatures(root: string): Promise<Partial<Record<Feature, boolean>>> {
  const found: Partial<Record<Feature, boolean>> = {};
  const options = await readOptions(root);
  if (options !== undefined) {
    for (const [feature, names] of Object.entries(OPTIONS)) {
      found[feature as Feature] = names.every((name) => new RegExp(`^CONFIG_${name}=[ym]$`, "m").test(options));
    }
  }
  const release = await readText(root, "/proc/sys/kernel/osrelease");
  const [major = 0, minor = 0] = typeof release === "string" ? release.split(".").map(Number) : [];
  // Older kernels may have the feature without the file.
  const tells = major > 5 || (major === 5 && minor >= 8);
  for (const [feature, path] of Object.entries(ALWAYS)) {
    const there = await isThere(join(root, path));
    if (there || (tells && options === undefined) || (tells && !(feature in OPTIONS)))
      found[feature as Feature] = there;
  }
  for (const [feature, path] of Object.entries(PROOFS)) {
    if (await isThere(join(root, path))) found[feature as Feature] = true;
  }
  return found;
}

/** The options that the kernel was built with, where it or its package tells. */
async function readOptions(root: string): Promise<string | undefined> {
  try {
    const path = join(root, "/proc/config.gz");
    if ((await stat(path)).isFile()) {
      return (await promisify(gunzip)(await readFile(path), { maxOutputLength: MOST_BYTES })).toString("latin1");
    }
  } catch {
    // The kernel need not tell.
  }
  const release = await readText(root, "/proc/sys/kernel/osrelease");
  if (typeof release !== "string" || !/^[\w.+~-]+$/.test(release.trim())) return undefined;
  const text = await readText(root, `/boot/config-${release.trim()}`);
  return typeof text === "string" ? text : undefined;
}
