// Proves how decoded packets look to people.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { PacketReport } from "../../rdma/decode/report.ts";
import { newCounts } from "../../rdma/decode/tally.ts";
import { renderCounts, renderPacket } from "./packets.ts";

const cases = join(import.meta.dirname, "../../rdma/decode/cases");
const plain = (_: unknown, text: string): string => text;

/** The text of a case of the decoder, without number and time. */
function shown(name: string): string {
  const said = parse(readFileSync(join(cases, name, "said.yaml"), "utf8")) as PacketReport;
  const text = renderPacket({ ...said, number: 7, time: "1700000001.500000000" }, "1700000000.250000000", plain);
  expect(text.startsWith("    7    1.250000 ")).toBe(true);
  return text.slice(18);
}

describe("a packet", () => {
  test.each([
    [
      "sidr-request-ipv4",
      "RoCEv2  192.0.2.10:49153 > 192.0.2.20  UD_SEND_ONLY  qp 0x1 > 0x1  qkey 0x80010000  psn 0  256 bytes  icrc ok\n" +
        '       SIDR_REQ 0x1f2e3d4c service 0x0000000001111c06 (udp port 7174) from 192.0.2.10:54321 to 192.0.2.20 private "hello-sidr"',
    ],
    [
      "sidr-refusal",
      "RoCEv2  192.0.2.20:49153 > 192.0.2.10  UD_SEND_ONLY  qp 0x1 > 0x1  qkey 0x80010000  psn 1  256 bytes  icrc ok\n" +
        "       SIDR_REP 0x1f2e3d4c service 0x0000000001111c06 (udp port 7174) refused: rejected by the service",
    ],
    [
      "multicast-on-infiniband",
      "IB  vl 0 sl 0  lid 3 fe80::20:101 > lid 0xc001 ff12:4001:ffff::f01:203  UD_SEND_ONLY  qp 0x123 > 0xffffff  " +
        "qkey 0x01234567  psn 3  61 bytes  icrc ok  vcrc ok",
    ],
    [
      "payload-damaged",
      "RoCEv2  192.0.2.10:49443 > 192.0.2.20  UD_SEND_ONLY  qp 0x123 > 0x456  qkey 0x01234567  psn 1  61 bytes  " +
        "ICRC BAD (is 1d4cee32, expected 04f75895)",
    ],
    [
      "captured-in-part",
      "RoCEv2  192.0.2.10:49443 > 192.0.2.20  UD_SEND_ONLY  qp 0x123 > 0x456  qkey 0x01234567  psn 1  18 bytes  icrc absent\n" +
        "       captured 80 of 130 bytes: it is shorter than its headers say",
    ],
    [
      "udp-length-lies",
      "RoCEv2  192.0.2.10:49443 > 192.0.2.20  icrc absent\n" +
        "       ! the UDP length differs from what the IP length leaves",
    ],
    ["igmp-join", "192.168.77.1 > 224.0.0.22  IGMPv3  54 bytes\n       to-exclude 239.192.7.9"],
    ["ethernet-arp", "ARP  42 bytes"],
    [
      "sa-no-record",
      "IB  vl 0 sl 0  lid 1 > lid 3  UD_SEND_ONLY  qp 0x1 > 0x1  qkey 0x80010000  psn 0  256 bytes  icrc ok  vcrc ok\n" +
        "       SA GetResp PathRecord tid 0x0001000000000002: no such record dgid fe80::beef, sgid fe80::20:101, " +
        "reversible 1, pathCount 1, pKey 0xffff",
    ],
  ])("%s", (name, text) => {
    expect(shown(name)).toBe(text);
  });

  test("of any case is shown in lines without gaps and undefined values", () => {
    for (const name of readdirSync(cases)) expect(shown(name)).not.toMatch(/undefined|NaN| $/);
  });
});

test.each([
  [{ packets: 1 }, "1 packet, 0 of RDMA."],
  [{ packets: 3, shown: 3, rdma: 2, icrc: { ok: 2, bad: 0, absent: 0 } }, "3 packets, 2 of RDMA: ICRC 2 ok."],
  [
    {
      packets: 9,
      shown: 1,
      rdma: 9,
      icrc: { ok: 7, bad: 1, absent: 1 },
      vcrc: { ok: 8, bad: 1, absent: 0 },
      broken: 1,
    },
    "9 packets, 9 of RDMA: ICRC 7 ok, 1 bad, 1 absent; VCRC 8 ok, 1 bad. 1 packet broken. 1 shown.",
  ],
])("%j is summed up", (counts, text) => {
  expect(renderCounts({ ...newCounts(), shown: 1, ...counts })).toBe(text);
});
