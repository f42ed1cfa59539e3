// Owns the network managers that heddle knows how to live with.

/** One of them, as the code calls it. */
export type ManagerName = "networkd" | "networkmanager" | "ifupdown";

/** How people write their names. */
export const MANAGER_NAMES: Readonly<Record<ManagerName, string>> = {
  networkd: "systemd-networkd",
  networkmanager: "NetworkManager",
  ifupdown: "ifupdown",
};
