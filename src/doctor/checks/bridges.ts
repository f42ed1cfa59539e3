// Owns the check of running bridges between RDMA on Ethernet and InfiniBand.
//
// Sources: RFC 3376, 8.4, and RFC 3810, 9.4 (how long members are remembered without a query); IBA vol 1, 15.2.5.17 (when a port may join a
// group); Linux ib_addr.h, iboe_get_mtu (what a RoCE port may send at a link's MTU).
import type { PictureBridge, PictureTrouble } from "../../model/rdma-picture.ts";
import { someLines } from "../finding.ts";
import type { Check, Finding } from "../finding.ts";

/** Group Membership Interval with the usual values, seconds. */
const REMEMBERED_S = 260;
/** The manager is asked every second, and has four to answer; three times. */
const SILENT_S = 15;
/** What RoCE's headers take of a link's MTU at most, and the sizes there are (iboe_get_mtu). */
const ROCE_HEADERS = 96;
const SIZES = [4096, 2048, 1024, 512, 256] as const;

export const bridges: Check = {
  codes: [
    "bridge-no-manager",
    "bridge-group-differs",
    "bridge-group-refused",
    "bridge-q-key",
    "bridge-group-mtu",
    "bridge-group-rate",
    "bridge-no-querier",
    "bridge-members-untold",
    "bridge-doubled-host",
  ],
  find: ({ bridges: running = [] }) =>
    running.flatMap((bridge) => [
      ...noManager(bridge),
      ...badGroups(bridge),
      ...otherGroups(bridge),
      ...wrongKeys(bridge),
      ...smallGroups(bridge),
      ...fastGroups(bridge),
      ...noQuerier(bridge),
      ...untoldMembers(bridge),
      ...doubledHosts(bridge),
    ]),
};

function noManager({ section, lid, smLid, managerS = 0 }: PictureBridge): Finding[] {
  if (lid !== 0 && smLid !== 0) return managerS < SILENT_S ? [] : [silentManager(section, smLid, managerS)];
  return [
    {
      code: "bridge-no-manager",
      severity: "error",
      summary: `${section} has no subnet manager`,
      found: [`LID ${lid}, subnet manager at LID ${smLid}`],
      consequence:
        "Its port on InfiniBand has no address, or nobody tells it of groups and ways: nothing is passed on.",
      remedy: {
        text: "Start a subnet manager, or mend the way to it; the bridge goes on by itself when it is there.",
        commands: ["heddle bridge"],
      },
    },
  ];
}

/** A port keeps its LID, and that of a manager that has gone. */
function silentManager(section: string, smLid: number, managerS: number): Finding {
  return {
    code: "bridge-no-manager",
    severity: "error",
    summary: `the subnet manager of ${section} does not answer`,
    found: [`no answer from LID ${smLid} for ${managerS} s`],
    consequence:
      "Groups that are there go on as they are. Nobody can join one, nothing that changes on the fabric is seen to, and hosts are not found.",
    remedy: {
      text: "Look whether the subnet manager runs, and is reached; the bridge goes on by itself when it answers.",
      commands: ["sminfo", "systemctl status opensm"],
    },
  };
}

function badGroups({ section, smLid, groups }: PictureBridge): Finding[] {
  // Without a manager there are no groups, and that is said.
  if (smLid === 0) return [];
  return groups.flatMap(({ group, trouble }): Finding[] => {
    if (trouble === undefined) return [];
    const { why, differs } = trouble;
    const beyond = differs.filter(({ what }) => what === "MTU" || what === "rate");
    if (beyond.length > 0) return beyond.map((one) => beyondThePort(section, group, one));
    if (differs.length === 0) {
      return [
        {
          code: "bridge-group-refused",
          severity: "error",
          summary: `${section} cannot have ${group} on InfiniBand`,
          found: [why],
          consequence: "Messages to the group are not passed on.",
          remedy: {
            text: "The subnet manager's log tells why it refuses. A group that the bridge only sends to has to be made by a host first.",
            commands: [`heddle bridge --group ${group}`],
          },
        },
      ];
    }
    const lines = differs.map(({ what, wanted, has }) => `${what} is ${has}, wanted is ${wanted}`);
    const key = differs.find(({ what }) => what === "Q_Key");
    return [
      {
        code: "bridge-group-differs",
        severity: "error",
        summary: `${group} on InfiniBand is another than ${section} wants: ${differs.map(({ what }) => what).join(", ")}`,
        found: lines,
        consequence:
          "The subnet manager lets nobody join with other values, so messages to the group are not passed on.",
        remedy: {
          text:
            key === undefined
              ? "Have the group made anew with the wanted values (it goes with its last full member), or state in the file what it has."
              : `State the key that the group has, if hosts on Ethernet use it too: \`q_key: ${key.has}\`; otherwise have the group made anew, with the key of the hosts.`,
        },
      },
    ];
  });
}

/** Groups that the bridge is in, as they are: it takes the key and the service level of the record. */
function otherGroups({ section, groups }: PictureBridge): Finding[] {
  const others = groups.flatMap(({ group, differs = [] }) =>
    differs.map(({ what, wanted, has }) => `${group}: ${what} is ${has}, wanted is ${wanted}`),
  );
  if (others.length === 0) return [];
  return [
    {
      code: "bridge-group-differs",
      severity: "warning",
      summary: `groups on InfiniBand are others than ${section} wants`,
      found: someLines(others),
      consequence:
        "The bridge takes them as they are, and messages are passed on. A program that asks for the wanted values, as those of RDMA-CM do with their Q_Key, is not let in.",
      remedy: {
        text: "Find out which host has made the group with these values, and have it made anew (it goes with its last full member); or state in the file what it has, if the programs on both sides use that.",
      },
    },
  ];
}

/** A port that cannot carry what a group's members may send. */
function beyondThePort(
  section: string,
  group: string,
  { what, wanted, has }: PictureTrouble["differs"][number],
): Finding {
  const slow = what === "rate";
  return {
    code: slow ? "bridge-group-rate" : "bridge-group-mtu",
    severity: "error",
    summary: `${group} on InfiniBand has a larger ${what} than the port of ${section}`,
    found: [`the group's ${what} is ${has}, the port's ${wanted}`],
    consequence:
      "The subnet manager lets no port join that cannot carry all of a group, so messages to the group are not passed on.",
    remedy: {
      text: slow
        ? "Find out why the port is slow (a cable or a switch's port that came up with fewer lanes or at a lower speed), or have the group made anew with a rate that every port has (of OpenSM: rate= in partitions.conf)."
        : "Have the group made anew with an MTU that every port has (of OpenSM: mtu= in partitions.conf), or raise the port's.",
      commands: ["ibstat", "iblinkinfo"],
    },
  };
}

function wrongKeys({ section, groups }: PictureBridge): Finding[] {
  const wrong = groups.filter(({ wrongKey }) => wrongKey !== undefined);
  if (wrong.length === 0) return [];
  const [{ group }] = wrong as [(typeof wrong)[number]];
  return [
    {
      code: "bridge-q-key",
      severity: "warning",
      summary: `messages come to ${section} without the Q_Key of their group`,
      found: someLines(
        wrong.map((one) => {
          const { ethernet = 0, infiniband = 0 } = one.wrongKey ?? {};
          return `${one.group}: ${ethernet} from Ethernet, ${infiniband} from InfiniBand`;
        }),
      ),
      consequence: "The bridge drops them, as every adapter does whose queue pair has the key of the group.",
      remedy: {
        text: "Find out which key the senders use (`heddle rdma decode` shows it), and state it as `q_key` of the group; or correct the program.",
        commands: [`heddle bridge --group ${group}`],
      },
    },
  ];
}

function smallGroups({ section, link, linkMtu, groups }: PictureBridge): Finding[] {
  const most = SIZES.find((size) => size + ROCE_HEADERS <= linkMtu) ?? 0;
  const small = groups.filter(({ mtu }) => mtu !== undefined && mtu < most);
  if (small.length === 0) return [];
  return [
    {
      code: "bridge-group-mtu",
      severity: "warning",
      summary: `groups of ${section} carry less on InfiniBand than hosts on Ethernet may send`,
      found: someLines(small.map(({ group, mtu }) => `${group} carries ${mtu} bytes, ${link} up to ${most}`)),
      consequence: "Longer messages from Ethernet are dropped as too-big: nothing is cut up.",
      remedy: {
        text: "Have the subnet manager make the groups with a larger MTU (of OpenSM: mtu= in partitions.conf), or keep messages within it.",
      },
    },
  ];
}

function fastGroups({ section, link, linkRate = Infinity, groups }: PictureBridge): Finding[] {
  const fast = groups.filter(({ rate }) => rate !== undefined && rate > linkRate);
  if (fast.length === 0) return [];
  return [
    {
      code: "bridge-group-rate",
      severity: "note",
      summary: `groups of ${section} may come faster from InfiniBand than ${link} can carry`,
      found: someLines(fast.map(({ group, rate }) => `${group} at ${rate} Gbit/s, ${link} carries ${linkRate}`)),
      consequence: "While their members send at that rate, messages are lost on the way to Ethernet, as `unsent`.",
      remedy: {
        text: "Have the groups made with a rate that the link has (of OpenSM: rate= in partitions.conf), or take a faster link, where members send so much.",
      },
    },
  ];
}

function untoldMembers({ section, membersUntold }: PictureBridge): Finding[] {
  if (membersUntold === undefined) return [];
  return [
    {
      code: "bridge-members-untold",
      severity: "warning",
      summary: `${section} is not told who is in its groups on InfiniBand`,
      found: [membersUntold],
      consequence: "`heddle bridge` cannot list who listens there. Messages are passed on all the same.",
      remedy: {
        text: "Write the administrator's key into the file that `sm_key_file` names, readable by root only: of OpenSM the `sa_key` of opensm.conf, 0x1 by default; up to release 3.2.1 that was in the host's byte order, and is 0x0100000000000000 here. It does not answer who has another.",
      },
    },
  ];
}

function noQuerier({ section, link, upS, querierS, mldQuerierS, groups }: PictureBridge): Finding[] {
  if (upS < REMEMBERED_S) return [];
  const found = [
    { protocol: "IGMP", ageS: querierS, six: false },
    { protocol: "MLD", ageS: mldQuerierS, six: true },
  ].flatMap(({ protocol, ageS, six }) => {
    const heard = groups.filter((one) => one.heard && one.group.includes(":") === six);
    if (heard.length === 0 || (ageS ?? Infinity) < REMEMBERED_S) return [];
    const since = ageS === undefined ? `${upS} s, as long as the bridge runs` : `${ageS} s`;
    return [`no query of ${protocol} for ${since}`, `${section} hears ${heard.length} groups there`];
  });
  if (found.length === 0) return [];
  return [
    {
      code: "bridge-no-querier",
      severity: "warning",
      summary: `nobody asks for members of groups on ${link}`,
      found,
      consequence:
        "Switches that snoop forget members who are never asked, and then stop passing their groups on, or flood them to every port.",
      remedy: {
        text: "Switch on a querier of IGMP, and of MLD for IPv6: in a switch of the network, or where a Linux bridge is the switch, there (of MLD it takes an IPv6 address).",
        commands: ["ip link set dev BRIDGE type bridge mcast_querier 1"],
      },
    },
  ];
}

function doubledHosts({ section, doubled }: PictureBridge): Finding[] {
  if (doubled.length === 0) return [];
  return [
    {
      code: "bridge-doubled-host",
      severity: "error",
      summary: `${section} sees two hosts with one address`,
      found: someLines(doubled),
      consequence: "Nothing is passed on to or from the address, because nobody can tell which of them is meant.",
      remedy: { text: "Give one of the two another address; the bridge looks again every ten seconds." },
    },
  ];
}
