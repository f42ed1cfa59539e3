// Owns what a section of the file means for the process that bridges: its ports and groups as the process takes them.
import { parseAddress } from "../model/ip.ts";
import { BridgedGroup } from "../rdma/bridge/group.ts";
import { groupMac } from "../rdma/bridge/mgid.ts";
import { IBSIM_PORT } from "../rdma/bridge/model-fabric.ts";
import type { ModelPlace } from "../rdma/port/model-port.ts";
import type { MessagePlan } from "../rdma/run/messenger.ts";
import { RDMA_CM_QKEY } from "../rdma/run/subnet.ts";
import type { SubnetGroup } from "../rdma/run/subnet.ts";
import type { Config } from "../config/config.ts";
import { DEFAULT_PKEY, listGroups } from "../roles/bridge/groups.ts";
import type { ListedGroup } from "../roles/bridge/groups.ts";
import { aliasOf } from "../roles/bridge/messages.ts";
import type { BridgeSection, MessagesSection } from "../roles/bridge/schema.ts";

/** What Linux gives packets of RDMA-CM on RoCEv2 (cma_iboe_join_multicast). */
const HOP_LIMIT = 64;

/** A bridge of the file. */
export interface BridgePlan {
  name: string;
  link: string;
  model: ModelPlace;
  pKey: number;
  groups: SubnetGroup[];
  /** The file with the administrator's key. */
  smKeyFile?: string;
  messages?: MessagePlan;
}

/** The bridges of a file that is right (the role's own checks have passed). */
export function bridgePlans({ sections }: Config): BridgePlan[] {
  return (
    sections
      // One that only answers for hosts of IP has no process: the agent watches, and the kernel forwards.
      .filter(({ role, value }) => role === "bridge" && isCarried(value as BridgeSection))
      .map(({ name, value }) => {
        const section = value as BridgeSection;
        const { model = "", node = "", port = IBSIM_PORT, sm_key_file: smKeyFile } = section.infiniband;
        const { groups } = listGroups(section);
        return {
          name,
          link: section.ethernet.link,
          model: { folder: model, node, port },
          pKey: section.p_key ?? DEFAULT_PKEY,
          groups: groups.map((group, index) => subnetGroup(section, group, index)),
          ...(smKeyFile === undefined ? {} : { smKeyFile }),
          ...(section.messages === undefined ? {} : { messages: messagePlan(section.messages) }),
        };
      })
  );
}

function isCarried({ multicast, messages }: BridgeSection): boolean {
  return multicast !== undefined || messages !== undefined;
}

function messagePlan({
  ports,
  queue_pairs: queuePairs = [],
  immediate,
  idle: idleMs,
  most,
  most_of_host: mostOfHost,
  register = [],
}: MessagesSection): MessagePlan {
  return {
    ...(ports === undefined ? {} : { ports }),
    immediateQpn: immediate === "qpn",
    bounds: {
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(most === undefined ? {} : { most }),
      ...(mostOfHost === undefined ? {} : { mostOfHost }),
    },
    registered: [...new Set(register)].map((address) => parseAddress(address) as Uint8Array),
    endpoints: queuePairs.map((one) => ({
      address: parseAddress(one.address) as Uint8Array,
      side: one.on,
      qpn: one.qpn,
      qKey: one.q_key,
      ...(one.on === "ethernet" ? { alias: aliasOf(one) } : {}),
      ...(one.as?.q_key === undefined ? {} : { farQKey: one.as.q_key }),
    })),
  };
}

function subnetGroup(
  { classes = [] }: BridgeSection,
  { name, address, mgid, from }: ListedGroup,
  index: number,
): SubnetGroup {
  const { way = "both", q_key: qKey, hop_limit: hopLimit = HOP_LIMIT, sl } = from;
  // Packets of RoCE are all of the default partition but on a VLAN of their own.
  const ethernet = { address, mac: groupMac(address), qKey: qKey ?? RDMA_CM_QKEY, pKey: DEFAULT_PKEY, hopLimit };
  return {
    group: new BridgedGroup(index, { name, way, ethernet, mgid, classes }),
    ipoib: from.mgid === "ipoib",
    more: { ...(qKey === undefined ? {} : { qKey }), ...(sl === undefined ? {} : { sl }) },
  };
}
