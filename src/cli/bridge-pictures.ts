// Owns running bridges as a diagnosis sees them.
import type { PictureBridge, PictureTrouble } from "../model/rdma-picture.ts";
import { countListeners } from "../rdma/run/status.ts";
import type { BridgeStatus, GroupStatus } from "../rdma/run/status.ts";

/** A bridge as a part of the host's picture. */
export function bridgePicture(status: BridgeStatus): PictureBridge {
  const { name, upSeconds, ethernet, infiniband, groups, messages } = status;
  return {
    section: `bridge/${name}`,
    upS: upSeconds,
    link: ethernet.link,
    linkMtu: ethernet.mtu,
    ...(ethernet.querierSeconds === undefined ? {} : { querierS: ethernet.querierSeconds }),
    ...(ethernet.mldQuerierSeconds === undefined ? {} : { mldQuerierS: ethernet.mldQuerierSeconds }),
    lid: infiniband.lid,
    smLid: infiniband.smLid,
    managerS: infiniband.managerSeconds ?? upSeconds,
    ...(infiniband.membersWhy === undefined ? {} : { membersUntold: infiniband.membersWhy }),
    groups: groups.map(groupPicture),
    doubled: (messages?.hosts ?? []).filter(({ state }) => state === "doubled").map(({ address }) => address),
  };
}

function groupPicture({
  group,
  way,
  mtu,
  rate,
  listeners,
  trouble,
  differs,
  toInfiniband,
  toEthernet,
}: GroupStatus): PictureBridge["groups"][number] {
  // What came from Ethernet is counted on its way to InfiniBand.
  const [ethernet, infiniband] = [toInfiniband.drops["q-key"] ?? 0, toEthernet.drops["q-key"] ?? 0];
  return {
    group,
    heard: way !== "to-ethernet",
    ...(mtu === undefined ? {} : { mtu }),
    ...(rate === undefined ? {} : { rate }),
    listeners: countListeners(listeners),
    ...(ethernet + infiniband === 0 ? {} : { wrongKey: { ethernet, infiniband } }),
    ...(trouble === undefined ? {} : { trouble: { why: trouble.why, differs: trouble.differs.map(inWords) } }),
    ...(differs === undefined ? {} : { differs: differs.map(inWords) }),
  };
}

type Difference = PictureTrouble["differs"][number];

function inWords({
  what,
  wanted,
  has,
}: Omit<Difference, "wanted" | "has"> & Record<"wanted" | "has", number>): Difference {
  return { what, wanted: say(what, wanted), has: say(what, has) };
}

function say(what: string, value: number): string {
  if (what === "rate") return `${value} Gbit/s`;
  return what === "SL" || what === "MTU" ? String(value) : `0x${value.toString(16)}`;
}
