// Owns the other contestant of the gateway bench: the set-up of the seed, as its author wrote it down. keepalived with
// one virtual address and its defaults, a masquerade, the filter; no synchronisation, no tracking of links.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Served } from "../src/lab/served.ts";
import { MOVING } from "../test/gateway-lab.ts";
import type { GatewayLab } from "../test/gateway-lab.ts";

/** Its packet filter and translation. */
export const SEED_RULES = `
table inet table1 {
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "ib0" oifname "eth9" accept
    iifname "eth9" oifname "ib0" accept
  }
}
table ip tablenat {
  chain postrouting { type nat hook postrouting priority srcnat; policy accept; oifname "eth9" masquerade; }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; }
}
`;

/** Sets a gateway of a lab up once. */
export async function prepareSeed(lab: GatewayLab, host: string, place: number): Promise<void> {
  const folder = join(lab.lab.folder, "hosts", host);
  writeFileSync(
    join(folder, "seed.conf"),
    `vrrp_instance alinat {
  state BACKUP
  interface ib0
  virtual_router_id 51
  priority ${150 - 10 * place}
  virtual_ipaddress {
    ${MOVING.inside}/16
  }
}
`,
  );
  for (const [argv, input] of [
    [["nft", "-f", "-"], SEED_RULES],
    [["sysctl", "-qw", "net.ipv4.ip_forward=1"], ""],
  ] as const) {
    const { code, stderr } = await lab.lab.exec(host, argv, { input });
    if (code !== 0) throw new Error(stderr);
  }
}

/** Starts its keepalived; as heddle's, it does not wait for the machine's log. */
export async function startSeed(lab: GatewayLab, host: string): Promise<Served> {
  const folder = join(lab.lab.folder, "hosts", host);
  const pids = ["-p", join(folder, "seed.pid"), "-r", join(folder, "seed-vrrp.pid")];
  const words = ["keepalived", "-n", "-l", "-G", "-D", "-P", "-f", join(folder, "seed.conf"), ...pids];
  return lab.lab.spawn(host, words, { says: /BACKUP STATE|MASTER STATE/ });
}
