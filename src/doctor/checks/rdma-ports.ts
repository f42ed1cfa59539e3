// Owns the check of ports of RDMA devices: whether they are active, managed, and speak what peers speak.
//
// Sources: Linux Documentation/ABI/stable/sysfs-class-infiniband (state, sm_lid, gid_attrs); IBA vol 1, 7.2 (port states)
// and A17 (RoCEv2, whose GIDs are IP addresses).
import { formatAddress, parseAddress, parsePrefix } from "../../model/ip.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { PicturePort } from "../../model/rdma-picture.ts";
import type { Check, Finding } from "../finding.ts";

/** As the kernel writes it in gid_attrs/types. */
const ROCE_V2 = "RoCE v2";

export const rdmaPorts: Check = {
  codes: ["rdma-port-down", "rdma-no-manager", "rdma-gid-type"],
  find(picture) {
    return (picture.ports ?? []).flatMap((port) =>
      port.layer === "InfiniBand" ? onInfiniband(port) : onEthernet(port, picture),
    );
  },
};

function onInfiniband({ name, state, lid, smLid, rate }: PicturePort): Finding[] {
  const found = [`${name} InfiniBand, ${state}${inWords(rate)}, LID ${lid}, subnet manager at LID ${smLid}`];
  if (state === "DOWN") return [down(name, found, "Look at the cable and at the switch's port.")];
  if (state === "ACTIVE" && lid !== 0 && smLid !== 0) return [];
  return [
    {
      code: "rdma-no-manager",
      severity: "error",
      summary: `${name} waits for a subnet manager`,
      found,
      consequence: "The port has a cable, and no subnet manager has given it an address: nothing passes by it.",
      remedy: {
        text: "Start a subnet manager on one host of the fabric, or in a switch, or find out why it does not reach this port.",
        commands: ["sminfo", "systemctl start opensm"],
      },
    },
  ];
}

function onEthernet(port: PicturePort, { links }: HostPicture): Finding[] {
  const names = new Set(port.gids.map(({ link }) => link));
  const own = links.filter(({ name }) => names.has(name));
  const found = [
    `${port.name} Ethernet, ${port.state}${inWords(port.rate)}${own.map(({ name }) => `, link ${name}`).join("")}`,
  ];
  if (port.state !== "ACTIVE" && own.some(({ up, carrier }) => up && carrier)) {
    return [down(port.name, found, "Its link has a carrier: look at the driver's messages.")];
  }
  return own.flatMap((link): Finding[] => {
    const lacking = link.addresses
      .filter(({ family }) => family === 4)
      .map(({ address }) => parsePrefix(address)?.address ?? "")
      .filter((address) => address !== "" && !port.gids.some((gid) => isOf(gid, link.name, address)));
    if (lacking.length === 0) return [];
    return [
      {
        code: "rdma-gid-type",
        severity: "warning",
        summary: `${port.name} has no GID of RoCEv2 for ${lacking.join(", ")} on ${link.name}`,
        found: [...found, ...port.gids.map(({ gid, type }) => `${gid} ${type}`)],
        consequence: "Peers that speak RoCEv2, and bridges, are not reached from these addresses, nor reach them.",
        remedy: {
          text: "Switch RoCEv2 on for the port; where the device speaks only RoCEv1, it cannot be bridged.",
          commands: [`cma_roce_mode -d ${port.name.split("/")[0]} -p ${port.name.split("/")[1]} -m 2`],
        },
      },
    ];
  });
}

function inWords(rate: number | undefined): string {
  return rate === undefined ? "" : `, ${rate} Gbit/s`;
}

function isOf({ gid, link, type }: PicturePort["gids"][number], name: string, address: string): boolean {
  return (
    link === name && type === ROCE_V2 && formatAddress(parseAddress(gid) ?? new Uint8Array(16)) === mapped(address)
  );
}

/** An IPv4 address as the GID that is made of it. */
function mapped(address: string): string {
  return formatAddress(parseAddress(`::ffff:${address}`) ?? new Uint8Array(16));
}

function down(name: string, found: string[], text: string): Finding {
  return {
    code: "rdma-port-down",
    severity: "error",
    summary: `${name} is not active`,
    found,
    consequence: "Nothing passes by it.",
    remedy: { text, commands: ["ibstat", "rdma link show"] },
  };
}
