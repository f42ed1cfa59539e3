// Proves who is answered when a host is wanted or its address is claimed: by whose word, and how often it is asked.
import { beforeEach, expect, test } from "vitest";
import { Hosts } from "./hosts.ts";
import type { Host } from "./hosts.ts";
import { bytesOf } from "./testing/packets.ts";
import { WantedHosts } from "./wanted-hosts.ts";

const ADDRESS = bytesOf("fd00:2::10");
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x10);

let hosts: Hosts;
let wanted: WantedHosts;
let said: string[];

const answer = ({ name }: Host): void => void said.push(`answer ${name}`);

beforeEach(() => {
  said = [];
  hosts = new Hosts({
    seek: ({ name }) => said.push(`ask ${name}`),
    seekPath: () => {},
    ready: (host) => wanted.found(host, 0),
    left: () => {},
  });
  wanted = new WantedHosts(hosts);
});

test("who wants a host is answered when it has answered, and from then on at once", () => {
  wanted.wanted(ADDRESS, "ethernet", 0, answer);
  wanted.heard(ADDRESS, "ethernet", MAC, 10);
  wanted.wanted(ADDRESS, "ethernet", 500, answer);
  expect(said).toEqual(["ask fd00:2::10", "answer fd00:2::10", "answer fd00:2::10"]);
});

test("who is on its own side, or late, gets nothing", () => {
  wanted.wanted(ADDRESS, "infiniband", 0, answer);
  wanted.heard(ADDRESS, "ethernet", MAC, 10);
  wanted.wanted(ADDRESS, "infiniband", 20, answer);
  expect(said).toEqual(["ask fd00:2::10"]);
});

test("a claim is objected to by what the host says now, not by what is known", () => {
  wanted.wanted(ADDRESS, "ethernet", 0, answer);
  wanted.heard(ADDRESS, "ethernet", MAC, 10);
  said.length = 0;
  // The host has moved, and claims its own address on the other side: its place before is silent.
  wanted.claimed(ADDRESS, "ethernet", 1000, answer);
  expect(said).toEqual(["ask fd00:2::10"]);
  wanted.heard(ADDRESS, "ethernet", MAC, 3000);
  expect(said).not.toContain("answer fd00:2::10");
  wanted.claimed(ADDRESS, "ethernet", 4000, answer);
  wanted.heard(ADDRESS, "ethernet", MAC, 4100);
  wanted.heard(ADDRESS, "ethernet", MAC, 4200);
  expect(said.filter((one) => one.startsWith("answer"))).toHaveLength(1);
});

test("an answer from the side of the claim is no objection", () => {
  wanted.claimed(ADDRESS, "ethernet", 0, answer);
  wanted.heard(ADDRESS, "infiniband", bytesOf("fe80::1"), 10);
  expect(said).toEqual(["ask fd00:2::10"]);
});

test("a bridge that is not the one to answer asks nobody, and one that is asks so often only", () => {
  wanted.answers = false;
  wanted.wanted(ADDRESS, "ethernet", 0, answer);
  wanted.claimed(ADDRESS, "ethernet", 0, answer);
  expect(said).toEqual([]);
  wanted.answers = true;
  for (let i = 0; i < 300; i++) wanted.wanted(bytesOf(`fd00:2::1:${i.toString(16)}`), "ethernet", 1, answer);
  expect([said.length, wanted.counts.tooMany]).toEqual([256, 44]);
});
