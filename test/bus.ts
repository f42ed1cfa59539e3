// Owns a system bus on a stage, on which is nobody but the programs of the test.
import { until } from "./contract-steps.ts";
import type { ManagerStage } from "./manager-stage.ts";

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`;

/** Starts the bus where programs look for it. */
export async function startBus(stage: ManagerStage): Promise<void> {
  stage.must("sh", "-ec", `mkdir -p /run/dbus; printf '%s' "$1" >/run/dbus/bus.conf`, "sh", BUS);
  stage.start("dbus-daemon", ["--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile"]);
  await until(async () => stage.run("test", "-S", "/run/dbus/system_bus_socket").code === 0);
}
