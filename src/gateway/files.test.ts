// Owns the tests of what the daemons are told, and of what they say.
import { expect, test } from "vitest";
import { factsFrom } from "../../test/cases.ts";
import { parseConfig } from "../config/config.ts";
import { parseAddress } from "../model/ip.ts";
import { ROLES } from "../roles/index.ts";
import { parseHex } from "../host/netlink/text.ts";
import { makeAnnouncement } from "../probes/announcement.ts";
import { conntrackdFile } from "./conntrackd-file.ts";
import { keepalivedFile } from "./keepalived-file.ts";
import { NoticeReader } from "./notices.ts";
import { listGateways } from "./setup.ts";
import type { GatewaySetup } from "./setup.ts";
import { readOverruns, readSyncCounts } from "./sync-counts.ts";

const NODES = [
  "{ inside: 10.20.3.1, outside: 140.181.2.51, sync: 192.168.9.1 }",
  "{ inside: 10.20.3.2, outside: 140.181.2.52, sync: 192.168.9.2 }",
  "{ inside: 10.20.3.3, outside: 140.181.2.53, sync: 192.168.9.3 }",
];
const ONE = "nat: { to: 140.181.2.40-140.181.2.41 }";
const FAILOVER_ONE = "address: 10.20.3.227/16";
const SHARES = `shares:
        - { address: 10.20.3.227/16, to: 140.181.2.40, from: [10.20.0.0/17] }
        - { address: 10.20.3.228/16, to: 140.181.2.39, from: [10.20.128.0/17] }`;

/** What the node with a number makes of the file. */
function setupOf(node: number, nodes: number, shares = false): GatewaySetup | undefined {
  const text = `version: 1
gateway:
  alinat:
    inside: ib0
    outside: eth9
${shares ? "" : `    ${ONE}\n`}    failover:
      ${shares ? SHARES : FAILOVER_ONE}
      id: 51
      nodes: [${NODES.slice(0, nodes).join(", ")}]
`;
  const { value, diagnostics } = parseConfig(text, "heddle.yaml", ROLES);
  if (!value) throw new Error(JSON.stringify(diagnostics));
  const facts = factsFrom({
    links: {
      ib0: { addresses: [`10.20.3.${node}/16`] },
      eth9: { addresses: [`140.181.2.5${node}/24`] },
      sync0: { addresses: [`192.168.9.${node}/24`] },
    },
  });
  return listGateways(value, facts.links)[0];
}

const PATHS = {
  fifo: "/run/g/notices",
  alive: "/run/g/alive",
  beat: "/run/g/beat",
  weight: (share: string) => `/run/g/weight-${share}`,
};
const SYNC = { lock: "/run/g/lock", control: "/run/g/socket" };

test("the first node in line is preferred; a host that is none of them has no part", () => {
  expect([1, 2, 3].map((node) => setupOf(node, 3)?.shares[0]?.priority)).toEqual([250, 230, 210]);
  expect(setupOf(4, 3)).toBeUndefined();
  expect(setupOf(2, 3)).toMatchObject({ syncLink: "sync0", peers: [{ inside: "10.20.3.1" }, { inside: "10.20.3.3" }] });
});

test("all addresses of the pool move, each on its link", () => {
  expect(setupOf(1, 2)?.shares[0]?.moving).toEqual([
    { link: "ib0", address: "10.20.3.227", length: 16 },
    { link: "eth9", address: "140.181.2.40", length: 32 },
    { link: "eth9", address: "140.181.2.41", length: 32 },
  ]);
});

test("each share prefers a node of its own, and has a number of its own", () => {
  const of = (node: number): unknown[] =>
    setupOf(node, 2, true)?.shares.map(({ id, priority }) => [id, priority]) ?? [];
  expect(of(1)).toEqual([
    [51, 250],
    [52, 230],
  ]);
  expect(of(2)).toEqual([
    [51, 230],
    [52, 250],
  ]);
});

test("keepalived elects with unicast, and has no address of those that move", () => {
  const text = keepalivedFile([setupOf(2, 3) as GatewaySetup], PATHS);
  const instance = (side: string): string => text.split(`vrrp_instance alinat-${side} {`)[1]?.split("\n}")[0] ?? "";
  expect(instance("inside")).toMatch(
    /interface ib0\n.*id 51\n.*priority 230\n.*advert_int 0\.02\n.*src_ip 10\.20\.3\.2\n/,
  );
  expect(instance("outside")).toMatch(/unicast_peer \{\s+140\.181\.2\.51\s+140\.181\.2\.53\s+\}/);
  expect(text).not.toMatch(/10\.20\.3\.227|140\.181\.2\.4/);
});

test("two acknowledge what they get, several tell each other by multicast", () => {
  const two = conntrackdFile(setupOf(1, 2) as GatewaySetup, ["10.20.3.1"], 65_536, SYNC);
  expect(two).toContain("Mode FTFW");
  expect(two).toMatch(/IPv4_address 192\.168\.9\.1\n.*Destination_Address 192\.168\.9\.2\n.*\n.*Interface sync0\n/);
  const three = conntrackdFile(setupOf(1, 3) as GatewaySetup, ["10.20.3.1"], 65_536, SYNC);
  expect(three).toContain("Mode NOTRACK");
  expect(three).toContain("IPv4_interface 192.168.9.1");
});

test("notices of groups are heard whole, however they come in, and nothing else is", () => {
  const text =
    'INSTANCE "alinat-inside" MASTER 250\nGROUP "alinat" MASTER 0\nGROUP "alinat" NONSENSE 0\nGROUP "alinat" FAULT 0\n';
  for (const size of [1, 7, 1000]) {
    const reader = new NoticeReader();
    const heard = [];
    for (let at = 0; at < text.length; at += size) heard.push(...reader.take(text.slice(at, at + size)));
    expect(heard).toEqual([
      { share: "alinat", state: "active" },
      { share: "alinat", state: "fault" },
    ]);
  }
  const reader = new NoticeReader();
  expect(reader.take("x".repeat(1_000_000))).toEqual([]);
  expect(reader.take('\nGROUP "a" BACKUP 0\n')).toEqual([{ share: "a", state: "standby" }]);
});

const ETHERNET = { hardware: 1, own: new Uint8Array(6).fill(2), broadcast: new Uint8Array(6).fill(255) };
const BROADCAST = "00:ff:ff:ff:ff:12:40:1b:80:01:00:00:00:00:00:00:ff:ff:ff:ff";
const INFINIBAND = { hardware: 32, own: new Uint8Array(20).fill(2), broadcast: parseHex(BROADCAST) };

test("an announcement asks for its own address, by Ethernet and by InfiniBand", () => {
  const ip = Uint8Array.of(10, 20, 3, 227);
  const ether = makeAnnouncement(ETHERNET, ip, "router");
  expect(Buffer.from(ether?.bytes ?? []).toString("hex")).toBe(
    "00010800060400010202020202020a1403e30000000000000a1403e3",
  );
  const infiniband = makeAnnouncement(INFINIBAND, ip, "router");
  expect(infiniband?.bytes).toHaveLength(8 + 2 * 24);
  expect(infiniband?.bytes.slice(0, 6)).toEqual(Uint8Array.of(0, 32, 8, 0, 20, 4));
  expect(makeAnnouncement({ hardware: 65_534, own: ip, broadcast: ip }, ip, "router")).toBeUndefined();
});

test("an advertisement of IPv6 has the partition's group and a whole option by InfiniBand", () => {
  const ip = parseAddress("fd00:20::3:227") as Uint8Array;
  const ether = makeAnnouncement(ETHERNET, ip, "router");
  expect([ether?.bytes.length, Buffer.from(ether?.to ?? []).toString("hex")]).toEqual([72, "333300000001"]);
  const infiniband = makeAnnouncement(INFINIBAND, ip, "router");
  // RFC 4391 sections 4 and 9.3.
  expect(Buffer.from(infiniband?.to ?? []).toString("hex")).toBe("00ffffffff12601b800100000000000000000001");
  expect(infiniband?.bytes).toHaveLength(40 + 24 + 24);
  expect(infiniband?.bytes.slice(64, 69)).toEqual(Uint8Array.of(2, 3, 0, 0, 2));
  expect(makeAnnouncement({ ...INFINIBAND, broadcast: new Uint8Array(6) }, ip, "router")).toBeUndefined();
});

test("gateways of IPv6 hear each other by IPv6, whatever moves", () => {
  const setup: GatewaySetup = {
    ...(setupOf(1, 2) as GatewaySetup),
    self: { inside: "fd00:20::3:1", outside: "2001:db8:181::51", sync: "fd00:9::1" },
    peers: [{ inside: "fd00:20::3:2", outside: "2001:db8:181::52", sync: "fd00:9::2" }],
  };
  const text = keepalivedFile([setup], PATHS);
  expect(text).toMatch(/unicast_src_ip 2001:db8:181::51\n +unicast_peer \{\n +2001:db8:181::52\n/);
  expect(text).toContain("fe80::72:51:2/128 dev lo\n");
  expect(text).not.toContain("127.72.");
  const two = conntrackdFile(setup, ["10.20.3.1", "fd00:20::3:1"], 65_536, SYNC);
  expect(two).toMatch(/IPv6_address fd00:9::1\n +IPv6_Destination_Address fd00:9::2\n/);
  expect(two).toMatch(/IPv4_address 10\.20\.3\.1\n +IPv6_address fd00:20::3:1\n/);
  const three = conntrackdFile({ ...setup, peers: [...setup.peers, ...setup.peers] }, [], 65_536, SYNC);
  expect(three).toMatch(/IPv6_address ff02::7237:80\n +Group 3781\n +Interface sync0\n/);
});

test("conntrackd's counts are read, and nonsense is none", () => {
  const text = `cache internal:
current active connections:\t           7
connections created:\t\t          11\tfailed:\t           0
connections updated:\t\t          23\tfailed:\t           0
connections destroyed:\t\t           4\tfailed:\t           0

external inject:
connections created:\t\t         363\tfailed:\t           1
connections updated:\t\t       16105\tfailed:\t           2
connections destroyed:\t\t          15\tfailed:\t           0

UDP traffic (active device=ib0):
                1608 Bytes sent              1517592 Bytes recv
                  67 Pckts sent                16544 Pckts recv
                   0 Error send                    0 Error recv

message tracking:
                   0 Malformed msgs                  298 Lost msgs
`;
  expect(readSyncCounts(text)).toEqual({ own: 7, injected: 16_483, refused: 3, sent: 67, received: 16_544, lost: 298 });
  expect(readSyncCounts("cannot connect")).toBeUndefined();
  const runtime = `daemon uptime: 2 min

netlink stats:
	events received:	              183094
	events filtered:	                   0
	netlink overrun:		           4
	flush kernel table:		           0
`;
  expect([readOverruns(runtime), readOverruns(text)]).toEqual([4, undefined]);
});
