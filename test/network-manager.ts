// Owns the start of the real NetworkManager on a stage, with a message bus that nobody else is on.
import { until } from "./contract-steps.ts";
import type { ManagerStage, Running } from "./manager-stage.ts";

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`;

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
  const write = `mkdir -p /run/dbus /var/lib/NetworkManager /etc/NetworkManager/conf.d
printf '%s' "$1" >/run/dbus/bus.conf
printf '%s' "$2" >/etc/NetworkManager/NetworkManager.conf`;
  stage.must("sh", "-ec", write, "sh", BUS, SETTINGS);
  stage.start("dbus-daemon", ["--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile"]);
  await until(async () => stage.run("test", "-S", "/run/dbus/system_bus_socket").code === 0);
  return stage.start("/usr/sbin/NetworkManager", ["--debug"]);
}
