// Owns the units of systemd that run heddle (systemd.unit(5), systemd.service(5), systemd.exec(5)).

/** How heddle shall run. */
export interface UnitChoices {
  /** Absolute path of the program, as the host will have it. */
  program: string;
  /** CPUs that the agent may use, as CPUAffinity= has them: "0 2-3". */
  cpus?: string;
  /** Bytes that the agent may use, as MemoryMax= has them: "64M". */
  memory?: string;
}

/** The first line of everything that an installation places. */
export const INSTALL_MARK = "# Made by heddle: `heddle install`. Changes belong into a drop-in (systemctl edit).";

/** Users of `egress` come from sssd; links from openibd and the RDMA modules. Units that are not there do not matter. */
const AFTER = "network-online.target nss-user-lookup.target sssd.service openibd.service rdma.service rdma-hw.target";

/** Who must not begin before the routing stands: mounts over the fabric, LNet, jobs. */
const BEFORE = "remote-fs-pre.target lnet.service slurmd.service";

/** Puts the last confirmed file in force, once, before anything that uses the fabrics begins. */
export function bootUnit(choices: UnitChoices): string {
  return `${INSTALL_MARK}
[Unit]
Description=Policy routing as of the last confirmed file (heddle)
Wants=network-online.target nss-user-lookup.target remote-fs-pre.target
After=${AFTER}
Before=heddle-routing.target ${BEFORE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${execWord(choices.program)} apply --boot
# 3: all that can be made is made, and something waits for its link.
SuccessExitStatus=3
TimeoutStartSec=90
${confinement(RIGHTS)}
[Install]
WantedBy=multi-user.target
`;
}

/** What units order themselves behind, or require, that must not run without the routing. */
export function routingTarget(): string {
  return `${INSTALL_MARK}
# Units that must not run unless the routing stands say: Requires=heddle-routing.target, After=heddle-routing.target.
[Unit]
Description=The policy routing of this host stands (heddle)
Requires=heddle-boot.service
After=heddle-boot.service

[Install]
WantedBy=multi-user.target
`;
}

/** Keeps the routing as long as the host runs. */
export function agentUnit(choices: UnitChoices): string {
  return `${INSTALL_MARK}
[Unit]
Description=Keeps the policy routing of this host (heddle)
Wants=network-online.target heddle-boot.service
After=heddle-boot.service ${AFTER}
Before=lnet.service slurmd.service
# It comes back however often it has to.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${execWord(choices.program)} agent
WatchdogSec=30
Restart=always
RestartSec=1
${confinement(RIGHTS_OF_AGENT)}
[Install]
WantedBy=multi-user.target
`;
}

/**
 * Makes this host one of several gateways. It starts keepalived and conntrackd, which end with it; to be stopped is to leave
 * the place to another gateway first, so that only the process itself is asked to.
 */
export function gatewayUnit(choices: UnitChoices): string {
  return `${INSTALL_MARK}
[Unit]
Description=One of several gateways (heddle)
Wants=network-online.target heddle-boot.service
After=heddle-boot.service ${AFTER}
# It comes back however often it has to: also until its links have their addresses.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${execWord(choices.program)} gateway run
WatchdogSec=30
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=10
OOMScoreAdjust=-900
${confinement(GATEWAY_RIGHTS, { realtime: true })}
[Install]
WantedBy=multi-user.target
`;
}

/** Passes messages between the fabrics. It needs nothing of the agent, and goes on while that is restarted. */
export function bridgeUnit(choices: UnitChoices): string {
  return `${INSTALL_MARK}
[Unit]
Description=Passes messages between RDMA on Ethernet and InfiniBand (heddle)
Wants=network-online.target heddle-boot.service
After=heddle-boot.service ${AFTER}
# It comes back however often it has to.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# Another unit may run the same: it waits until this one ends.
ExecStart=${execWord(choices.program)} bridge run --spare
WatchdogSec=30
Restart=always
# What it knew of sessions is kept: the sooner it comes, the less is lost.
RestartSec=100ms
# CAP_NET_ADMIN is for socket buffers beyond net.core.rmem_max alone (SO_RCVBUFFORCE).
${confinement(["CAP_NET_RAW", "CAP_NET_ADMIN"])}
[Install]
WantedBy=multi-user.target
`;
}

/**
 * Addresses and connections; probes, adverts and announcements; and not to wait for a busy machine (keepalived asks for real
 * time, and to stay in memory).
 */
const GATEWAY_RIGHTS = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_NICE", "CAP_IPC_LOCK"] as const;

/** The agent's share of the machine, in a drop-in of its own. */
export function limitsDropIn({ cpus, memory }: UnitChoices): string | undefined {
  if (cpus === undefined && memory === undefined) return undefined;
  const lines = [
    ...(cpus === undefined ? [] : [`CPUAffinity=${cpus}`]),
    ...(memory === undefined ? [] : [`MemoryMax=${memory}`]),
  ];
  return `${INSTALL_MARK.replace("Changes belong into a drop-in (systemctl edit).", "Its options --cpus and --memory.")}
[Service]
${lines.join("\n")}
`;
}

/**
 * What is left of root's rights: over the network; and to read back what BPF programs do, for which the kernel wants
 * CAP_SYS_ADMIN (bpf_prog_get_fd_by_id and bpf_map_get_fd_by_id in kernel/bpf/syscall.c), which includes what it wants for
 * loading them.
 */
const RIGHTS = ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"];
/** The agent starts pings as well. */
const RIGHTS_OF_AGENT = [...RIGHTS, "CAP_NET_RAW"];

/**
 * The least that works: the state directories and iproute2's names can be written. What cannot be had: ProtectKernelTunables (switches are below /proc/sys) and
 * MemoryDenyWriteExecute (V8 compiles).
 */
function confinement(rights: readonly string[], { realtime = false } = {}): string {
  return `RuntimeDirectory=heddle
RuntimeDirectoryPreserve=yes
StateDirectory=heddle
ReadWritePaths=-/etc/iproute2
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=${realtime ? "no" : "yes"}
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6 AF_PACKET
SystemCallArchitectures=native
CapabilityBoundingSet=${rights.join(" ")}
LimitMEMLOCK=infinity
UMask=0022
`;
}

/** Foreign routes and rules stay when networkd begins or configures a link anew (networkd.conf(5); systemd 249 and later). */
export function networkdDropIn(): string {
  return `# Made by heddle: \`heddle install\`. Without it networkd deletes routes and rules that it did not make.
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
`;
}

/** A word of ExecStart=: quoted, its specifiers and variables taken for what they are (systemd.service(5)). */
function execWord(path: string): string {
  const escaped = path.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_./%$+@-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, String.raw`\$&`)}"`;
}
