// Owns the taking of a picture of this host: links, routes, rules, sysctls, files, nftables, features. Changes nothing.
import { existsSync } from "node:fs";
import { release } from "node:os";
import type { Family } from "../../model/ip.ts";
import type { HostPicture, PictureLink, PictureWishes } from "../../model/picture.ts";
import { HostError } from "../error.ts";
import { LinkNames } from "../kinds/link-names.ts";
import { nexthopFromMessage } from "../kinds/nexthop-driver.ts";
import { driverNames, OWN_NAMESPACE, sysctl } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { legacyTables } from "../packet-filters.ts";
import { readTableNames, TABLE_NAME_DIRECTORIES } from "../table-names.ts";
import { listChains } from "./chains.ts";
import { probeFeatures } from "./features.ts";
import { readFiles, readText } from "./files.ts";
import { readPorts } from "./ports.ts";
import { countBuckets, pictureLink, pictureNeighbour, pictureRoute, pictureRule } from "./objects.ts";

/** What is looked at, and where. */
export interface PictureOptions {
  wishes: PictureWishes;
  /** Where the tree of files begins: "/" for the host's own. */
  root: string;
  /** The network namespace; nftables is asked only in the process's own. */
  namespace?: NamespaceFd;
}

/** Takes the picture. Throws HostError where links and routes cannot be listed; all else that fails is `unseen`. */
export async function takePicture(options: PictureOptions): Promise<HostPicture> {
  const { root, wishes, namespace = OWN_NAMESPACE } = options;
  const socket = openRouteSocket({ namespace });
  try {
    const [objects, seen, chains, features, tableNames, ports] = await Promise.all([
      readObjects(socket, namespace),
      readFiles(root, wishes),
      namespace === OWN_NAMESPACE ? listChains() : { why: "It is another network namespace." },
      probeFeatures(root),
      readTableNames(TABLE_NAME_DIRECTORIES.map((directory) => `${root}/${directory}`)),
      readPorts(root),
    ]);
    const links = await addModes(root, objects.links, namespace);
    const sysctls = readSysctls(namespace, wishes, links);
    return {
      ...objects,
      links,
      kernel: release(),
      sysctls: sysctls.values,
      tableNames,
      files: seen.files,
      ...(ports.length > 0 ? { ports } : {}),
      ...("chains" in chains ? chains : {}),
      features: { ...features, ...objects.features, ...("chains" in chains ? { nftables: true } : {}) },
      unseen: [
        ...(existsSync(root) ? [] : [{ what: `files below ${root}`, why: "There is no such directory." }]),
        ...seen.unseen,
        ...sysctls.unseen,
        ...oldTables(namespace),
        ...("chains" in chains && !chains.ruleset ? [TOO_MANY_RULES] : []),
        ...("why" in chains ? [{ what: "the packet filter rules of nftables", why: chains.why }] : []),
      ],
    };
  } finally {
    socket.close();
  }
}

/** Tables that nft does not list. */
function oldTables(namespace: NamespaceFd): HostPicture["unseen"] {
  const names = legacyTables(namespace);
  if (names.length === 0) return [];
  return [
    { what: `the rules of ${names.join(", ")}`, why: "They are those of the old iptables, which nft does not list." },
  ];
}

const TOO_MANY_RULES = { what: "each rule of nftables", why: "There are too many." };

type Objects = Pick<HostPicture, "links" | "routes" | "rules" | "nexthops" | "buckets" | "neighbours" | "features">;

async function readObjects(socket: RouteSocket, namespace: NamespaceFd): Promise<Objects> {
  const messages = await socket.listLinks();
  const addresses = Map.groupBy(await socket.listAddresses(), ({ index }) => index);
  const names = new Map(messages.map(({ index, name }) => [index, name ?? `#${index}`]));
  // A name that is not UTF-8 cannot be said back to the kernel.
  const askable = messages.map(({ name = "" }) => (name.includes("\uFFFD") ? "" : name));
  const drivers = driverNames(namespace, askable);
  const links = messages.map((message, i) =>
    pictureLink(message, addresses.get(message.index) ?? [], names, drivers[i]),
  );
  const linkNames = new LinkNames(links);
  const routes = (await socket.listRoutes()).flatMap((message) => pictureRoute(message, linkNames) ?? []);
  const nexthops = (await socket.listNexthops()).map((message) => nexthopFromMessage(message, linkNames));
  const buckets = nexthops.some(({ resilient }) => resilient) ? countBuckets(await socket.listBuckets()) : [];
  const neighbours = (await socket.listNeighbours()).flatMap((message) => pictureNeighbour(message, linkNames) ?? []);
  const [rules4, rules6] = [await listRules(socket, 4), await listRules(socket, 6)];
  return {
    links,
    routes,
    rules: [...(rules4 ?? []), ...(rules6 ?? [])],
    nexthops,
    ...(buckets.length > 0 ? { buckets } : {}),
    neighbours,
    features: { "policy-routing-ipv4": rules4 !== undefined, "policy-routing-ipv6": rules6 !== undefined },
  };
}

/** Rules of a family; undefined where the kernel has none to speak of (fib_nl_dumprule: EAFNOSUPPORT). */
async function listRules(socket: RouteSocket, family: Family): Promise<HostPicture["rules"] | undefined> {
  try {
    const messages = await socket.listRules({ family });
    return messages.filter((message) => message.family === family).flatMap((message) => pictureRule(message) ?? []);
  } catch (error) {
    if (error instanceof HostError && ["EAFNOSUPPORT", "EOPNOTSUPP"].includes(error.code)) return undefined;
    throw error;
  }
}

/** The mode of IPoIB links that netlink does not tell, from sysfs, which shows the process's own namespace. */
async function addModes(root: string, links: readonly PictureLink[], namespace: NamespaceFd): Promise<PictureLink[]> {
  if (namespace !== OWN_NAMESPACE) return [...links];
  return Promise.all(
    links.map(async (link): Promise<PictureLink> => {
      if (link.type !== "infiniband" || link.ipoibMode !== undefined) return link;
      const text = await readText(root, `/sys/class/net/${link.name}/mode`);
      const mode = typeof text === "string" ? text.trim() : "";
      return mode === "datagram" || mode === "connected" ? { ...link, ipoibMode: mode } : link;
    }),
  );
}

/** Sysctls that are read in one call; the addon takes no more than 65,536. */
const MOST_AT_ONCE = 50_000;

function readSysctls(
  namespace: NamespaceFd,
  wishes: PictureWishes,
  links: readonly PictureLink[],
): { values: Record<string, string>; unseen: { what: string; why: string }[] } {
  const names = ["all", ...links.map(({ name }) => name)];
  const paths = wishes.sysctls.flatMap((wish) =>
    wish.includes("*") ? names.map((name) => wish.replace("*", () => name)) : [wish],
  );
  const values: Record<string, string> = {};
  let refused = 0;
  for (let from = 0; from < paths.length; from += MOST_AT_ONCE) {
    const some = paths.slice(from, from + MOST_AT_ONCE);
    const answers = sysctl(
      namespace,
      some.map((path) => ({ path })),
    );
    for (const [i, answer] of answers.entries()) {
      if ("errno" in answer) refused += answer.errno === ENOENT ? 0 : 1;
      else if (answer.value !== undefined) values[some[i] as string] = answer.value.trim();
    }
  }
  const unseen = refused > 0 ? [{ what: `${refused} sysctls of the network`, why: "They cannot be read." }] : [];
  return { values, unseen };
}

/** What is not there: IPv6 that is off, a link that went away. */
const ENOENT = 2;
