// Owns the start of the real NetworkManager on a stage, with a message bus that nobody else is on.
import { startBus } from "./bus.ts";
import type { ManagerStage, Running } from "./manager-stage.ts";

const SETTINGS = `[main]
plugins=keyfile
dns=none
rc-manager=unmanaged
dhcp=internal
auth-polkit=false
no-auto-default=*
[logging]
level=INFO
`;

/** Starts NetworkManager, which goes on until it is stopped. */
export async function startNetworkManager(stage: ManagerStage): Promise<Running> {
  const write = `mkdir -p /var/lib/NetworkManager /etc/NetworkManager/conf.d
printf '%s' "$1" >/etc/NetworkManager/NetworkManager.conf`;
  stage.must("sh", "-ec", write, "sh", SETTINGS);
  await startBus(stage);
  return stage.start("/usr/sbin/NetworkManager", ["--debug"]);
}
