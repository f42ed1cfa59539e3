// Proves links, addresses and neighbours against iproute2 and the kernel, both ways.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADDRESS_FLAG, type AddressMessage } from "./address.ts";
import { openRouteSocket, type RouteSocket } from "./client.ts";
import { LINK_FLAG } from "./link.ts";
import { NEIGHBOUR_FLAG, NEIGHBOUR_STATE, type NeighbourMessage } from "./neighbour.ts";
import { VERB, type Request } from "./requests.ts";
import { holdsAsync } from "./testing/seeds.ts";
import { indexOf, testNamespace, THREE_LINKS, type TestNamespace } from "./testing/test-namespace.ts";

let namespace: TestNamespace;
let socket: RouteSocket;

beforeEach(() => {
  namespace = testNamespace(THREE_LINKS);
  socket = openRouteSocket({ namespace: namespace.fd });
});

afterEach(() => {
  socket.close();
  namespace.close();
});

const failures = (results: readonly unknown[]) => results.filter((result) => result !== undefined);

interface ShownLink {
  ifindex: number;
  ifname: string;
  address: string;
  addr_info: Record<string, unknown>[];
}

describe("links", () => {
  it("are as ip shows them", async () => {
    namespace.batch([
      "link add br0 type bridge",
      "link set w2 master br0",
      "link property add dev v0 altname another altname yet-another",
      "link set v1 alias words mtu 1400 group 7 txqueuelen 33 down",
      "link add mac0 link v0 type macvlan",
    ]);
    const links = await socket.listLinks();
    const shown = namespace.json("link show");
    const nameOf = (index: number | undefined) => links.find((link) => link.index === index)?.name;
    const states = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];
    const groups: Record<number, string> = { 0: "default", 7: "7" };
    const ours = links.map((link) => ({
      ifindex: link.index,
      ifname: link.name,
      mtu: link.mtu,
      min_mtu: link.minMtu,
      max_mtu: link.maxMtu,
      address: link.hardwareAddress,
      broadcast: link.broadcast,
      operstate: states[link.operState ?? 0],
      group: groups[link.group ?? 0],
      txqlen: link.txQueueLength,
      qdisc: link.queueDiscipline,
      promiscuity: link.promiscuity,
      allmulti: link.allMulticast,
      num_tx_queues: link.txQueues,
      num_rx_queues: link.rxQueues,
      gso_max_size: link.gsoMaxSize,
      gso_max_segs: link.gsoMaxSegments,
      gro_max_size: link.groMaxSize,
      link: link.parent === undefined ? undefined : nameOf(link.parent),
      master: nameOf(link.master),
      altnames: link.altNames,
      ifalias: link.alias,
      kind: link.kind,
      slaveKind: link.masterKind,
      up: (link.flags & LINK_FLAG.up) !== 0,
    }));
    const theirs = shown.map((link) => {
      const details = link["linkinfo"] as Record<string, unknown> | undefined;
      return {
        ...Object.fromEntries(Object.keys(ours[0] ?? {}).map((name) => [name, link[name]])),
        kind: details?.["info_kind"],
        slaveKind: details?.["info_slave_kind"],
        up: (link["flags"] as string[]).includes("UP"),
      };
    });
    expect(ours).toEqual(theirs);
    expect(links.find(({ name }) => name === "v0")).toMatchObject({
      altNames: ["another", "yet-another"],
      carrier: true,
    });
    expect(links.find(({ name }) => name === "mac0")).toMatchObject({ kind: "macvlan", parent: indexOf(0) });
  });

  it("change as they are told", async () => {
    const set = (message: object, change = 0): Request => ({
      object: "link",
      type: "new",
      flags: VERB.set,
      change,
      message: { index: indexOf(0), type: 0, flags: 0, ...message },
    });
    const steps = [set({}, LINK_FLAG.up), set({ mtu: 1400, hardwareAddress: "02:11:22:33:44:55", name: "first" })];
    expect(failures(await socket.perform([...steps, set({ flags: LINK_FLAG.up }, LINK_FLAG.up)]))).toEqual([]);
    expect(namespace.json("link show first")[0]).toMatchObject({ mtu: 1400, address: "02:11:22:33:44:55" });
    const [refused] = await socket.perform([set({ mtu: 7 })]);
    expect(refused).toMatchObject({ code: "EINVAL", kernelMessage: "mtu less than device minimum", object: "link 3" });
  });
});

const lifetime = fc.integer({ min: 1000, max: 100_000 });

const addresses = (family: 4 | 6) =>
  fc
    .array(
      fc.record(
        {
          k: fc.integer({ min: 0, max: 2 }),
          bits: fc.integer({ min: family === 4 ? 16 : 32, max: family === 4 ? 32 : 128 }),
          peer: fc.boolean(),
          label: fc.constantFrom("a", "b7"),
          broadcast: fc.boolean(),
          metric: fc.integer({ min: 1, max: 100_000 }),
          lifetimes: fc.tuple(lifetime, lifetime),
          protocol: fc.constantFrom(4, 72, 200),
          scope: fc.constantFrom(0, 253),
          noPrefixRoute: fc.boolean(),
        },
        { requiredKeys: ["k", "bits"] },
      ),
      { minLength: 40, maxLength: 40 },
    )
    .map((rows) =>
      rows.map((row, i): AddressMessage => {
        const address = family === 4 ? `30.${i}.0.1` : `2001:db8:${(i + 1).toString(16)}::1`;
        const [one, other] = row.lifetimes ?? [];
        return {
          family,
          index: indexOf(row.k),
          address,
          prefixLength: row.bits,
          scope: family === 4 ? (row.scope ?? 0) : 0,
          flags: ADDRESS_FLAG.nodad | (row.noPrefixRoute === true ? ADDRESS_FLAG.noPrefixRoute : 0),
          ...(row.peer === true && { peer: `${address.slice(0, -1)}9` }),
          ...(family === 4 && row.label !== undefined && { label: `v${row.k}:${row.label}` }),
          ...(family === 4 && row.broadcast === true && { broadcast: `30.${i}.0.255` }),
          ...(row.metric !== undefined && { metric: row.metric }),
          ...(row.protocol !== undefined && { protocol: row.protocol }),
          ...(one !== undefined &&
            other !== undefined && { validLifetime: Math.max(one, other), preferredLifetime: Math.min(one, other) }),
        };
      }),
    );

/** A listed address without what the kernel adds; times may have ticked. */
function comparable(message: AddressMessage): Record<string, unknown> {
  const { created: _, updated: __, flags, label, ...rest } = message;
  const kept = flags & ~(ADDRESS_FLAG.permanent | ADDRESS_FLAG.secondary);
  return {
    ...rest,
    // The kernel labels an IPv4 address with the link's name, and says nothing of nodad there.
    ...(label !== undefined && label.includes(":") && { label }),
    flags: rest.family === 4 ? kept & ~ADDRESS_FLAG.nodad : kept,
    ...(rest.validLifetime !== undefined && { validLifetime: Math.round(rest.validLifetime / 100) }),
    ...(rest.preferredLifetime !== undefined && { preferredLifetime: Math.round(rest.preferredLifetime / 100) }),
  };
}

describe.each([4 as const, 6 as const])("random IPv%i addresses", (family) => {
  it("come back as they were asked for, and are as ip shows them", async () => {
    await holdsAsync(
      fc.asyncProperty(addresses(family), async (messages) => {
        const create = messages.map((message): Request => ({
          object: "address",
          type: "new",
          flags: VERB.create,
          message,
        }));
        expect(failures(await socket.perform(create))).toEqual([]);
        const key = ({ address }: { address: string }) =>
          Number.parseInt(address.split(/[.:]+/)[family === 4 ? 1 : 2] ?? "", family === 4 ? 10 : 16);
        const ofTest = (await socket.listAddresses({ family }))
          .filter(({ address }) => address.startsWith("30.") || address.startsWith("2001:db8"))
          .toSorted((a, b) => key(a) - key(b));
        expect(ofTest.map(comparable)).toEqual(messages.map(comparable));

        const shown = namespace.json(`-${family} addr show`) as unknown as ShownLink[];
        const rows = shown.flatMap((link) =>
          link.addr_info.map((row): [string, Record<string, unknown>] => [String(row["local"]), row]),
        );
        const byAddress = new Map(rows);
        const scopes: Record<number, string> = { 0: "global", 253: "link" };
        for (const message of ofTest) {
          const row = byAddress.get(message.address);
          expect({
            prefixlen: row?.["prefixlen"],
            scope: row?.["scope"],
            address: row?.["address"],
            broadcast: row?.["broadcast"],
            label: row?.["label"],
            metric: row?.["metric"],
            noprefixroute: row?.["noprefixroute"],
          }).toEqual({
            prefixlen: message.prefixLength,
            scope: scopes[message.scope],
            address: message.peer,
            broadcast: message.broadcast,
            label: message.label,
            metric: message.metric,
            noprefixroute: (message.flags & ADDRESS_FLAG.noPrefixRoute) !== 0 ? true : undefined,
          });
        }
        const remove = messages.map((message): Request => ({ object: "address", type: "delete", flags: 0, message }));
        expect(failures(await socket.perform(remove))).toEqual([]);
      }),
      3,
    );
  });

  it("are filtered by link", async () => {
    const listed = await socket.listAddresses({ family, index: indexOf(1) });
    expect(listed.map(({ address }) => address)).toEqual([family === 4 ? "10.9.1.1" : "fd00:1::1"]);
    expect(await socket.listAddresses({ family, index: 4711 })).toEqual([]);
  });
});

const neighbours = (family: 4 | 6) =>
  fc
    .array(
      fc.record(
        {
          k: fc.integer({ min: 0, max: 2 }),
          mac: fc.uint8Array({ minLength: 5, maxLength: 5 }),
          state: fc.constantFrom("permanent" as const, "noarp" as const),
          router: fc.boolean(),
          protocol: fc.constantFrom(4, 72, 200),
        },
        { requiredKeys: ["k", "mac", "state"] },
      ),
      { minLength: 60, maxLength: 60 },
    )
    .map((rows) =>
      rows.map((row, i): NeighbourMessage => {
        const mac = ["02", ...Array.from(row.mac, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
        return {
          family,
          index: indexOf(row.k),
          destination: family === 4 ? `10.9.${row.k}.${i + 100}` : `fd00:7::${(i + 1).toString(16)}`,
          hardwareAddress: mac,
          state: NEIGHBOUR_STATE[row.state],
          flags: row.router === true ? NEIGHBOUR_FLAG.router : 0,
          type: 1,
          ...(row.protocol !== undefined && { protocol: row.protocol }),
        };
      }),
    );

describe.each([4 as const, 6 as const])("random IPv%i neighbours", (family) => {
  it("come back as they were asked for, by our hand and by ip's, and are as ip shows them", async () => {
    const theirs = testNamespace(THREE_LINKS);
    const them = openRouteSocket({ namespace: theirs.fd });
    const byDestination = (a: NeighbourMessage, b: NeighbourMessage) =>
      `${a.destination} ${a.index}` < `${b.destination} ${b.index}` ? -1 : 1;
    const ofTest = async (from: RouteSocket) =>
      (await from.listNeighbours({ family }))
        .filter(({ hardwareAddress, type }) => type === 1 && hardwareAddress?.startsWith("02:") === true)
        .map((message) => {
          const { cacheInfo: _, probes: __, ...rest } = message;
          return rest;
        })
        .toSorted(byDestination);
    await holdsAsync(
      fc.asyncProperty(neighbours(family), async (messages) => {
        const request = (type: "new" | "delete", message: NeighbourMessage): Request => ({
          object: "neighbour",
          type,
          flags: type === "new" ? VERB.create : 0,
          message,
        });
        expect(failures(await socket.perform(messages.map((message) => request("new", message))))).toEqual([]);
        theirs.batch(
          messages.map((message) => {
            const state = message.state === NEIGHBOUR_STATE.permanent ? "permanent" : "noarp";
            const router = message.flags === 0 ? "" : " router";
            const protocol = message.protocol === undefined ? "" : ` protocol ${message.protocol}`;
            const link = `v${(message.index - 3) / 2}`;
            return `neigh add ${message.destination} lladdr ${message.hardwareAddress} dev ${link} nud ${state}${router}${protocol}`;
          }),
        );
        expect(await ofTest(socket)).toEqual(messages.toSorted(byDestination));
        expect(await ofTest(them)).toEqual(messages.toSorted(byDestination));
        const show = `-${family} neigh show nud all`;
        const order = (rows: Record<string, unknown>[]) =>
          rows
            .filter(({ lladdr }) => String(lladdr).startsWith("02:"))
            .map((row) => JSON.stringify(row))
            .toSorted();
        expect(order(namespace.json(show))).toHaveLength(messages.length);
        expect(order(namespace.json(show))).toEqual(order(theirs.json(show)));
        for (const from of [socket, them]) await from.perform(messages.map((message) => request("delete", message)));
      }),
      2,
    );
    them.close();
    theirs.close();
  });

  it("and proxies are kept apart", async () => {
    const destination = family === 4 ? "10.9.0.77" : "fd00::77";
    const message: NeighbourMessage = {
      family,
      index: indexOf(0),
      destination,
      state: 0,
      flags: 0,
      type: 0,
      proxy: true,
      protocol: 72,
    };
    const request: Request = { object: "neighbour", type: "new", flags: VERB.create, message };
    expect(await socket.perform([request])).toEqual([undefined]);
    expect(await socket.listNeighbours({ family, proxy: true })).toMatchObject([
      { destination, proxy: true, index: indexOf(0), protocol: 72 },
    ]);
    expect((await socket.listNeighbours({ family })).map((entry) => entry.destination)).not.toContain(destination);
    expect(namespace.json(`-${family} neigh show proxy`)).toMatchObject([{ dst: destination, dev: "v0", proxy: null }]);
    expect(await socket.perform([{ ...request, type: "delete", flags: 0 }])).toEqual([undefined]);
    expect(await socket.listNeighbours({ family, proxy: true })).toEqual([]);
  });
});
