// Owns the proof that networkd leaves heddle's routes and rules alone once heddle is installed, and does not before.
import { expect, test } from "vitest";
import { startBus } from "../../test/bus.ts";
import { until } from "../../test/contract-steps.ts";
import { ExportWorld } from "../../test/export-world.ts";
import { startNetworkd } from "../../test/networkd.ts";

const LINKS = { ib0: ["172.16.34.1/16"], ib1: ["172.16.34.2/16"] };
const NETWORK = "/etc/systemd/network/10-ib0.network";
const SITE = { [NETWORK]: "[Match]\nName=ib0\n[Network]\nIPv6AcceptRA=no\nAddress=172.16.34.1/16\n" };
const FILE = "version: 1\nmultihome: { ib: { links: [ib0, ib1] } }\n";

test("what heddle made stays when networkd configures a link anew", async () => {
  await using world = await ExportWorld.open(FILE, LINKS, SITE);
  const { stage } = world;
  await startBus(stage);

  /** Lets networkd configure ib0 anew after an apply, and counts heddle's rules before and after. */
  const countRules = async (marker: string): Promise<number[]> => {
    // networkd 252 can trip over an address that is there before it (it asks again and again until it is refused).
    stage.must("ip", "address", "flush", "dev", "ib0", "scope", "global");
    const networkd = await startNetworkd(stage);
    const states = (): string => stage.run("sh", "-c", "cat /run/systemd/netif/links/*").out;
    await until(async () => /^ADMIN_STATE=configured$/m.test(states()));
    expect(world.heddle("apply").code).toBe(0);
    const rules = (): number => stage.must("ip", "rule").split("proto 72").length - 1;
    const before = rules();
    // networkd drops what it does not know before it makes what is new: the marker comes last.
    stage.must("sh", "-c", `printf '[Route]\\nDestination=%s\\nScope=link\\n' "$1" >>${NETWORK}`, "sh", marker);
    stage.must("networkctl", "reload");
    await until(async () => stage.must("ip", "route").includes(marker));
    const after = rules();
    await networkd.stop();
    return [before, after];
  };
  expect(await countRules("192.0.2.0/25")).toEqual([4, 0]);
  expect(world.heddle("install").code).toBe(0);
  expect(await countRules("192.0.2.128/25")).toEqual([4, 4]);
});
