// Owns the finding that a section of egress has to do with nftables, which does less than BPF (docs/adr/0009).
import type { Check } from "../finding.ts";

export const egressFallback: Check = {
  codes: ["egress-fallback"],
  find({ configured, features }) {
    if (features["bpf-cgroup"] !== false) return [];
    const falling = (configured?.sections ?? []).filter(({ marking }) => marking === "either");
    if (falling.length === 0) return [];
    return [
      {
        code: "egress-fallback",
        severity: "warning",
        summary: "sockets of chosen users cannot be marked here; nftables marks their packets instead",
        found: falling.map(({ section }) => section),
        consequence:
          "Packets get their way and their source address only as they leave. Programs see another address than the far end, broadcasts and IPv4 multicast leave by the main table's link, every packet of the host is tracked, and control groups and supplementary groups cannot be chosen.",
        remedy: {
          text: "Boot a kernel with CONFIG_CGROUP_BPF that lets root load programs, and mount a cgroup2 file system. Or write `by: nftables` into the section to say that this is meant.",
        },
      },
    ];
  },
};
