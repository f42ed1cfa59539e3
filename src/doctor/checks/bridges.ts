// Owns the check of running bridges between RDMA on Ethernet and InfiniBand.
//
// Sources: RFC 3376, 8.4 (how long members are remembered without a query); IBA vol 1, 15.2.5.17 (when a port may join a
// group); Linux ib_addr.h, iboe_get_mtu (what a RoCE port may send at a link's MTU).
import type { PictureBridge } from "../../model/rdma-picture.ts";
import { someLines } from "../finding.ts";
import type { Check, Finding } from "../finding.ts";

/** Group Membership Interval with the usual values, seconds. */
const REMEMBERED_S = 260;
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
    "bridge-no-querier",
    "bridge-doubled-host",
  ],
  find: ({ bridges: running = [] }) =>
    running.flatMap((bridge) => [
      ...noManager(bridge),
      ...badGroups(bridge),
      ...wrongKeys(bridge),
      ...smallGroups(bridge),
      ...noQuerier(bridge),
      ...doubledHosts(bridge),
    ]),
};

function noManager({ section, lid, smLid }: PictureBridge): Finding[] {
  if (lid !== 0 && smLid !== 0) return [];
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

function badGroups({ section, smLid, groups }: PictureBridge): Finding[] {
  // Without a manager there are no groups, and that is said.
  if (smLid === 0) return [];
  return groups.flatMap(({ group, trouble }): Finding[] => {
    if (trouble === undefined) return [];
    const { why, differs } = trouble;
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

function noQuerier({ section, link, upS, querierS, groups }: PictureBridge): Finding[] {
  const heard = groups.filter((one) => one.heard);
  if (heard.length === 0 || upS < REMEMBERED_S || (querierS ?? Infinity) < REMEMBERED_S) return [];
  const since = querierS === undefined ? `${upS} s, as long as the bridge runs` : `${querierS} s`;
  return [
    {
      code: "bridge-no-querier",
      severity: "warning",
      summary: `nobody asks for members of groups on ${link}`,
      found: [`no query of IGMP for ${since}`, `${section} hears ${heard.length} groups there`],
      consequence:
        "Switches that snoop forget members who are never asked, and then stop passing their groups on, or flood them to every port.",
      remedy: {
        text: "Switch on an IGMP querier: in a switch of the network, or where a Linux bridge is the switch, there.",
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
