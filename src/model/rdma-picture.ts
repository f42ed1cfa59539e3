// Owns the part of a host's picture that is about RDMA: its ports, and its bridges between the fabrics.

/** A port of an RDMA device, as /sys/class/infiniband tells. */
export interface PicturePort {
  /** "mlx5_0/1". */
  name: string;
  layer: "InfiniBand" | "Ethernet";
  /** "ACTIVE", "INIT", "DOWN", … */
  state: string;
  /** Gigabits per second that it has come up with; absent where it does not tell. */
  rate?: number;
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
  differs: { what: "Q_Key" | "P_Key" | "SL" | "MTU" | "rate"; wanted: string; has: string }[];
}

/** A running bridge. */
export interface PictureBridge {
  /** "bridge/fabrics". */
  section: string;
  /** How long it runs, seconds. */
  upS: number;
  /** On Ethernet: its link, with MTU, and how long ago somebody asked for members of groups by IGMP, and by MLD; absent where nobody has. */
  link: string;
  linkMtu: number;
  /** Gigabits per second; absent where the link does not tell. */
  linkRate?: number;
  querierS?: number;
  mldQuerierS?: number;
  /** On InfiniBand: 0 while there is none. */
  lid: number;
  smLid: number;
  /** Seconds since the subnet manager has answered, or since the bridge asks it in vain. */
  managerS?: number;
  /** Why the subnet administrator does not tell who is in the groups, though the file states a key. */
  membersUntold?: string;
  groups: {
    group: string;
    /** Groups that are heard on Ethernet depend on a querier. */
    heard: boolean;
    /** Bytes of payload that the group carries; absent while the bridge is not in it. */
    mtu?: number;
    /** Gigabits per second at which its members on InfiniBand may send; absent while the bridge is not in it. */
    rate?: number;
    /** Hosts that listen on Ethernet, and ports on InfiniBand as far as they are told, without bridges. */
    listeners?: { ethernet: number; infiniband?: number };
    trouble?: PictureTrouble;
    /** What the group has otherwise than the file says, though the bridge is in it. */
    differs?: PictureTrouble["differs"];
    /** Messages that came without the group's key, by the side that they came from. */
    wrongKey?: { ethernet: number; infiniband: number };
  }[];
  /** Addresses that two hosts have. */
  doubled: string[];
}
