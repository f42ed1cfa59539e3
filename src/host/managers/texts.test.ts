// Owns the proof of what is read from the words of other network managers.
import { describe, expect, test } from "vitest";
import type { LinkFact } from "../../model/facts.ts";
import { isNetworkManagers, netplanPlaces, networkdFile, stanzasOfInterfaces } from "./texts.ts";

test("networkd's state of a link names its file, unless it leaves the link alone", () => {
  const text =
    "# This is private data. Do not parse.\nADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a=b.network\n";
  expect(networkdFile(text)).toBe("/etc/systemd/network/a=b.network");
  expect(networkdFile(text.replace("configured", "unmanaged"))).toBeUndefined();
  expect(networkdFile("ADMIN_STATE=pending\n")).toBeUndefined();
  expect(networkdFile("")).toBeUndefined();
});

test("a device is NetworkManager's when it manages it by a connection", () => {
  expect(isNetworkManagers("[device]\nmanaged=true\nconnection-uuid=9b678740\n")).toBe(true);
  expect(isNetworkManagers("[device]\nmanaged=true\n")).toBe(false);
  expect(isNetworkManagers("[device]\nmanaged=false\nconnection-uuid=9b678740\n")).toBe(false);
});

test("stanzas of interfaces(5) tell links and IP versions", () => {
  const text =
    "auto ib0\niface ib0 inet static\n  address 10.0.0.1/8\n#iface no inet static\n iface ib0 inet6 auto\niface x inet";
  expect(stanzasOfInterfaces(text)).toEqual({ ib0: [4, 6], x: [4] });
});

describe("netplan's definitions", () => {
  const links = [{ name: "ib5", hardwareAddress: "02:00:00:00:00:01" }] as LinkFact[];
  const places = (text: string) => netplanPlaces(text, links);

  test("are of links by name, by what they match, and by the name that they give", () => {
    const text = `network:
  ethernets:
    ib0: {}
    a: { match: { macaddress: "02:00:00:00:00:01" } }
    b: { match: { macaddress: "02:00:00:00:00:02" }, set-name: ib2 }
    c: { match: { name: "ib3*" } }
    d: { match: { name: ib4 } }
  bonds: { bond0: { interfaces: [ib0] } }
`;
    expect(places(text)).toEqual({
      ib0: { section: "ethernets", id: "ib0" },
      ib5: { section: "ethernets", id: "a" },
      ib2: { section: "ethernets", id: "b" },
      ib4: { section: "ethernets", id: "d" },
      bond0: { section: "bonds", id: "bond0" },
    });
  });

  test.each([
    "",
    "[",
    "network: 5",
    "network: { ethernets: [a] }",
    "&a [*a]",
    "network: { ethernets: { x: 5, y: null } }",
  ])("that make no sense say little: %s", (text) =>
    expect(Object.keys(places(text)).every((name) => ["x", "y"].includes(name))).toBe(true),
  );
});
