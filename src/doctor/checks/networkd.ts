// Owns the check of systemd-networkd, which takes routes and rules for its own unless it is told not to.
//
// Source: networkd.conf(5), ManageForeignRoutes= and ManageForeignRoutingPolicyRules=: both are on by default, and
// routes and rules that no .network file names are removed when networkd starts or a link is configured again.
import type { HostPicture } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { isEnabled, NETWORKD_STATE } from "../paths.ts";
import { readNetworkdSwitch } from "../systemd-conf.ts";

/** RTPROT_KERNEL: the kernel's own rules, which networkd leaves alone. */
const KERNEL = 2;

const SWITCHES = ["ManageForeignRoutes", "ManageForeignRoutingPolicyRules"];

export const networkd: Check = {
  codes: ["networkd-foreign"],
  find(picture) {
    const running = NETWORKD_STATE in picture.files;
    if (!running && !isEnabled(picture.files, "systemd-networkd.service")) return [];
    const on = SWITCHES.filter((name) => readNetworkdSwitch(picture.files, name) ?? true);
    return on.length === 0 ? [] : [finding(picture, running, on)];
  },
};

function finding(picture: HostPicture, running: boolean, on: readonly string[]): Finding {
  const atStake = picture.rules.filter(({ protocol }) => protocol !== KERNEL).length;
  const text = `[Network]\n${SWITCHES.map((name) => `${name}=no\n`).join("")}`;
  return {
    code: "networkd-foreign",
    severity: atStake > 0 || picture.configured !== undefined ? "warning" : "note",
    summary: "systemd-networkd deletes rules and routes that others made",
    found: [
      `systemd-networkd ${running ? "runs" : "starts at boot"}`,
      ...on.map(
        (name) => `${name} is on${readNetworkdSwitch(picture.files, name) === undefined ? ", its default" : ""}`,
      ),
      ...(atStake > 0 ? [`rules on this host that are not the kernel's: ${atStake}`] : []),
    ],
    consequence:
      "When it is restarted, as by an upgrade of systemd, policy routing that it does not know is gone until somebody makes it again.",
    remedy: {
      text: "Tell it to leave alone what it did not make, then restart it once, and make again what that took away.",
      file: { path: "/etc/systemd/networkd.conf.d/10-foreign.conf", text },
      commands: [
        "systemctl restart systemd-networkd",
        ...(picture.configured ? [`heddle -f ${picture.configured.file} apply`] : []),
      ],
    },
  };
}
