// Owns the exit codes. They are an interface: scripts and unit files depend on them (docs/CLI.md).

export const EXIT = {
  /** Done, and nothing is left to do. */
  ok: 0,
  /** The file is wrong, the kernel refused, or something broke. Nothing is half done unless the output says so. */
  failed: 1,
  /** `plan` and `status`: the kernel is not as the file says. */
  changes: 2,
  /** `doctor`: it found errors or warnings. `rdma decode`: a CRC is wrong, or a packet is broken. */
  findings: 2,
  /** `explain`: the packet goes nowhere. */
  noWay: 2,
  /** Done as far as it could be: something waits for a link, an address, or another's object. */
  waiting: 3,
  /** Another heddle is changing this host right now. */
  busy: 4,
  /** `apply --plan`: the host or the file is no longer as the saved plan found it. */
  stale: 5,
  /** The command line is wrong (EX_USAGE of sysexits.h). */
  usage: 64,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
