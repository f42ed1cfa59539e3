// Owns the notes: what this kernel lacks that a role wants, and what could not be looked at.
import { FEATURES } from "../../model/picture.ts";
import type { Feature } from "../../model/picture.ts";
import type { Check } from "../finding.ts";

/** What a feature is called, what it serves, and the kernel's option for it. */
const ABOUT: Readonly<Record<Feature, { name: string; for: string; option: string }>> = {
  "policy-routing-ipv4": { name: "policy routing for IPv4", for: "every role", option: "CONFIG_IP_MULTIPLE_TABLES" },
  "policy-routing-ipv6": {
    name: "policy routing for IPv6",
    for: "every role, where IPv6 is used",
    option: "CONFIG_IPV6_MULTIPLE_TABLES",
  },
  "nexthop-objects": { name: "nexthop objects", for: "spreading over links by nexthop groups", option: "Linux 5.3" },
  nftables: { name: "nftables", for: "marks by user or group, and address translation", option: "CONFIG_NF_TABLES" },
  conntrack: { name: "connection tracking", for: "address translation", option: "CONFIG_NF_CONNTRACK" },
  bpf: { name: "BPF", for: "spreading over links by flowlets", option: "CONFIG_BPF_SYSCALL" },
  "bpf-cgroup": { name: "BPF on cgroups", for: "marks of chosen users' sockets", option: "CONFIG_CGROUP_BPF" },
  "bpf-tc": { name: "BPF on traffic control", for: "spreading over links by flowlets", option: "CONFIG_NET_CLS_BPF" },
  btf: { name: "BPF type information", for: "BPF programs that fit any kernel", option: "CONFIG_DEBUG_INFO_BTF" },
};

export const kernel: Check = {
  codes: ["missing-feature", "not-looked-at"],
  find: (picture) => [
    ...FEATURES.filter((feature) => picture.features[feature] === false).map((feature) => ({
      code: "missing-feature" as const,
      severity: "note" as const,
      summary: `this kernel has no ${ABOUT[feature].name}`,
      found: [],
      consequence: `It is wanted for ${ABOUT[feature].for}; what does not need it works.`,
      remedy: { text: `Boot a kernel that has it (${ABOUT[feature].option}), if it is needed.` },
    })),
    ...picture.unseen.map(({ what, why }) => ({
      code: "not-looked-at" as const,
      severity: "note" as const,
      summary: `could not look at ${what}`,
      found: [why],
      consequence: "What is wrong there stays unsaid.",
      remedy: { text: "Run heddle doctor as root, where that is what is missing." },
    })),
  ],
};
