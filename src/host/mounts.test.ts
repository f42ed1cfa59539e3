// Proves the reading of /proc/self/mountinfo.
import { expect, test } from "vitest";
import { parseMounts } from "./mounts.ts";

test("mounts are read, with what part they show and whether they can be written", () => {
  const text = `31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
41 31 0:38 /../.. /sys/fs/cgroup/unified rw,relatime shared:9 master:1 - cgroup2 cgroup2 rw
55 24 0:33 / /mnt/a\\040b\\134c ro,noexec - bpf bpf rw,mode=700
half a line
`;
  expect(parseMounts(text)).toEqual([
    { root: "/", point: "/sys/fs/cgroup", type: "tmpfs", source: "tmpfs", readOnly: true, options: ["ro", "mode=755"] },
    {
      root: "/../..",
      point: "/sys/fs/cgroup/unified",
      type: "cgroup2",
      source: "cgroup2",
      readOnly: false,
      options: ["rw"],
    },
    { root: "/", point: "/mnt/a b\\c", type: "bpf", source: "bpf", readOnly: true, options: ["rw", "mode=700"] },
  ]);
});
