// Owns the part of a host's picture that is about RDMA: its ports, and its bridges between the fabrics.

/** A port of an RDMA device, as /sys/class/infiniband tells. */
export interface PicturePort {
  /** "mlx5_0/1". */
  name: string;
  layer: "InfiniBand" | "Ethernet";
  /** "ACTIVE", "INIT", "DOWN", … */
  state: string;
  /** On InfiniBand: its own LID and that of the subnet manager; 0 while there is none. */
  lid: number;
  smLid: number;
  /** On Ethernet: GIDs that are set, with the link and the type of each. */
  gids: { gid: string; link: string; type: string }[];
}

/** Why a group cannot be had: how it differs from what the bridge wants. */
export interface PictureTrouble {
  why: string;
  /** What the file wants, and what the group has that is there. */
  differs: { what: "Q_Key" | "P_Key" | "SL"; wanted: string; has: string }[];
}

/** A running bridge. */
export interface PictureBridge {
  /** "bridge/fabrics". */
  section: string;
  /** How long it runs, seconds. */
  upS: number;
  /** On Ethernet: its link, with MTU, and how long ago somebody asked for members of groups (IGMP); absent where nobody has. */
  link: string;
  linkMtu: number;
  querierS?: number;
  /** On InfiniBand: 0 while there is none. */
  lid: number;
  smLid: number;
  groups: {
    group: string;
    /** IPv4 groups that are heard on Ethernet depend on a querier. */
    heard: boolean;
    /** Bytes of payload that the group carries; absent while the bridge is not in it. */
    mtu?: number;
    trouble?: PictureTrouble;
    /** Messages that came without the group's key, by the side that they came from. */
    wrongKey?: { ethernet: number; infiniband: number };
  }[];
  /** Addresses that two hosts have. */
  doubled: string[];
}
