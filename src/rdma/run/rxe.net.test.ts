// Proves the bridge against real programs: mckey of RDMA-CM on a stock kernel with a soft RDMA device, in a guest at the
// Ethernet switch, and a host of the model on the other side, both ways. And that what this kernel says of its RDMA port is
// read as it is.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pictureFrom } from "../../../test/pictures.ts";
import { rdmaPorts } from "../../doctor/checks/rdma-ports.ts";
import { readPorts } from "../../host/picture/ports.ts";
import type { PicturePort } from "../../model/rdma-picture.ts";
import { until } from "../fabric/until.ts";
import { findEthernetLink } from "../port/ethernet-port.ts";
import { makeMgid } from "../bridge/mgid.ts";
import type { BridgeProcess } from "./testing/bridge-process.ts";
import { Guest } from "./testing/guest.ts";
import type { InfinibandHost, RoceHost } from "../hosts/hosts.ts";
import { numbered } from "../hosts/messages.ts";
import { bytesOf, Stand } from "./testing/stand.ts";

const GROUP = bytesOf("239.192.7.9");
const MGID = makeMgid({ format: "rdma-cm", group: GROUP, pKey: 0xffff, scope: 2 });
const ADDRESS = "192.0.2.99";
/** Not a multiple of 4, so that it is padded. */
const BYTES = 253;
const MESSAGES = 5;

let stand: Stand;
let guest: Guest;
let bridge: BridgeProcess;
let ib: InfinibandHost;
let near: RoceHost;

// The guest is made for this architecture only.
describe.runIf(process.arch === "x64")("mckey", () => {
  beforeAll(async () => {
    stand = await Stand.build(3, 3);
    stand.addLink("xg1");
    const link = await findEthernetLink("xg1");
    guest = new Guest(link?.index ?? 0);
    near = await stand.roceHost("xr1");
    near.join(GROUP);
    ib = await stand.infinibandHost("H3");
    await ib.join(MGID);
    bridge = stand.bridgeProcess("xb1", "H2", "[{ group: 239.192.7.9 }]");
    bridge.start();
    await bridge.active();
    await guest.up(`${ADDRESS}/24`);
    return async () => {
      await guest[Symbol.asyncDispose]();
      await stand[Symbol.asyncDispose]();
    };
  }, 120_000);

  test("sends, and a host on InfiniBand hears what a host beside it hears", async () => {
    const { code, out } = await guest.run(`mckey -m 239.192.7.9 -s -b ${ADDRESS} -C ${MESSAGES} -S ${BYTES}`);
    expect(out).toContain("test complete");
    expect(code).toBe(0);
    const own = (host: RoceHost | InfinibandHost) => host.heard.filter(({ fields }) => fields.payload.length === BYTES);
    await until("all have come", () => own(ib).length >= MESSAGES && own(near).length >= MESSAGES);
    const [there, here] = [own(ib), own(near)];
    expect(there).toHaveLength(MESSAGES);
    expect([...there, ...here].every(({ icrc }) => icrc)).toBe(true);
    const carried = ({ fields: { payload, immediate, bth, deth } }: (typeof there)[number]) => {
      return { payload, immediate, opcode: bth.opcode, qKey: deth.qKey };
    };
    expect(there.map(carried)).toEqual(here.map(carried));
    expect(there[0]?.fields.grh.dgid).toEqual(MGID);
  }, 120_000);

  test("hears what a host on InfiniBand sends, as many messages as it waits for", async () => {
    const before = (await bridge.status())?.toEthernet.packets ?? 0;
    const ended = guest.run(`timeout 60 mckey -m 239.192.7.9 -b ${ADDRESS} -C ${MESSAGES} -S ${BYTES}`);
    let done = false;
    void ended.finally(() => (done = true));
    // It does not say when its queue pair is in the group: messages come until it has heard enough.
    await until("it has heard enough", async () => {
      ib.send(MGID, numbered(1, 1, BYTES));
      await new Promise((resolve) => setTimeout(resolve, 200));
      return done;
    });
    const { code, out } = await ended;
    expect(out).toContain("test complete");
    expect(code).toBe(0);
    expect((await bridge.status())?.toEthernet.packets).toBeGreaterThanOrEqual(before + MESSAGES);
  }, 120_000);

  describe("the port of its device", () => {
    /** What the reader makes of the guest's tree, and how many entries there are; what cannot be read there is not here. */
    async function portsOfGuest(): Promise<{ ports: PicturePort[]; entries: number }> {
      const files = "link_layer state lid sm_lid rate gids/* gid_attrs/types/* gid_attrs/ndevs/*";
      const { out } = await guest.run(`cd /sys/class/infiniband/rxe0/ports/1; echo begins; grep -H "" ${files}; cd /`);
      // The guest's shell repeats what it is told.
      const [, said = ""] = out.split(/^begins\r?\n/m);
      const root = mkdtempSync(join(tmpdir(), "heddle-tree-"));
      try {
        const lines = said.trim().split(/\r?\n/);
        for (const line of lines) {
          const [, name, value] = /^([a-z_]+(?:\/\w+)*):(.*)$/.exec(line) ?? [];
          if (name === undefined) throw new Error(`the guest says: ${line}`);
          const path = join(root, "sys/class/infiniband/rxe0/ports/1", name);
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, `${value}\n`);
        }
        return { ports: await readPorts(root), entries: lines.filter((line) => line.startsWith("gids/")).length };
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    }

    /** What the doctor finds where the guest's link has an address and a carrier. */
    function codes(ports: PicturePort[], address: string): string[] {
      const picture = pictureFrom({ links: { eth0: { addresses: [`${address}/24`] } }, ports });
      return rdmaPorts.find(picture).map(({ code }) => code);
    }

    test("is read as this kernel shows it", async () => {
      const { ports, entries } = await portsOfGuest();
      expect(ports).toMatchObject([{ name: "rxe0/1", layer: "Ethernet", state: "ACTIVE", lid: 0, smLid: 0 }]);
      const [{ gids, rate }] = ports as [PicturePort];
      expect(rate).toBeGreaterThan(0);
      expect(gids).toContainEqual({
        gid: "0000:0000:0000:0000:0000:ffff:c000:0263",
        link: "eth0",
        type: "RoCE v2",
      });
      expect(gids.every(({ link, type }) => link === "eth0" && type === "RoCE v2")).toBe(true);
      // The others are not set: all zeros, and of no type.
      expect(entries).toBeGreaterThan(gids.length + 100);
      expect(codes(ports, ADDRESS)).toEqual([]);
      expect(codes(ports, "192.0.2.98")).toEqual(["rdma-gid-type"]);
    }, 120_000);

    test("is not active while its link is down", async () => {
      await guest.run("ip link set eth0 down");
      const { ports } = await portsOfGuest();
      expect(ports).toMatchObject([{ name: "rxe0/1", layer: "Ethernet", state: "DOWN" }]);
      expect(codes(ports, ADDRESS)).toContain("rdma-port-down");
    }, 120_000);
  });
});
