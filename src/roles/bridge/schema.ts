// Owns what may be written under `bridge`: a port on either fabric, and what passes between them.
import * as z from "zod/mini";
import { MOST_ADDRESS_RECORDS } from "../../rdma/bridge/address-record.ts";
import { FABRIC_NAME } from "../../rdma/bridge/model-fabric.ts";
import { address, described, duration, ipv4Address, linkName, optional, wholeNumber } from "../fields.ts";

/** Ways in which a group's messages are passed on. */
const way = z.enum(["both", "to-infiniband", "to-ethernet"], 'expected "both", "to-infiniband" or "to-ethernet"');

/** How the MGID is made, or the MGID itself. */
const mgid = z.union([z.enum(["rdma-cm", "ipoib", "port"]), address], 'expected "rdma-cm", "ipoib", "port" or an MGID');

/** Most groups of one section, counted out. */
export const MOST_GROUPS = 4096;

const group = z.strictObject({
  group: described("IP address of the group, of the first of several.", address),
  count: optional("So many groups with addresses one after the other.", wholeNumber(1, MOST_GROUPS)),
  way: optional('Which messages are passed on; "both" unless stated.', way),
  mgid: optional('The group on InfiniBand: "rdma-cm" (default), "ipoib", "port", or an MGID.', mgid),
  port: optional("UDP port that is part of the MGID of that sort.", wholeNumber(1, 65_535)),
  q_key: optional(
    "Queue key of the group, on Ethernet and where it is made on InfiniBand.",
    wholeNumber(0, 0xffffffff),
  ),
  hop_limit: optional("Hop limit (TTL) of packets on Ethernet; 64 unless stated.", wholeNumber(0, 255)),
  sl: optional("Service level of the group where it is made.", wholeNumber(0, 15)),
});

const serviceClass = z.strictObject({
  dscp: described("Code point of packets on Ethernet.", wholeNumber(0, 63)),
  sl: described("Service level that stands for it on InfiniBand.", wholeNumber(0, 15)),
});

/** The path of a folder, or a name of the network namespace. */
const fabric = z
  .string("expected a folder, or @ and a name")
  .check(z.regex(FABRIC_NAME, "expected an absolute path, or @ and a name, of at most 71 characters"));

/** The link of IP, and a model of a fabric: what there is until a port of a real adapter is. */
const infiniband = z.strictObject({
  link: optional("Link of IP over InfiniBand, for `arp` and `nd`.", linkName),
  model: optional("The model of a fabric, for `multicast` and `messages`: its folder, or @ and its name.", fabric),
  node: optional(
    "Name of the host in the model whose place the bridge takes.",
    z.string().check(z.regex(/^[A-Za-z0-9_-]{1,31}$/, "expected the name of a node of the model")),
  ),
  port: optional("UDP port of the model's ibsim; 7070 unless stated.", wholeNumber(1, 65_535)),
  sm_key_file: optional(
    "File with the key by which the subnet administrator tells who is in a group; nobody but its owner may read it.",
    z
      .string("expected the path of a file")
      .check(z.regex(/^\/[^\0]{1,4094}$/, "expected the path of a file, from the root")),
  ),
});

/** Most queue pairs that a file may state, and ports. */
const MOST_STATED = 1024;

/** Queue pairs of programs: 0 and 1 are management's, the last one stands for groups. */
const queuePairNumber = wholeNumber(2, 0xfffffe);

const queuePair = z.strictObject({
  address: described("IPv4 address of its host.", ipv4Address),
  on: described(
    "The side that its host is on.",
    z.enum(["ethernet", "infiniband"], 'expected "ethernet" or "infiniband"'),
  ),
  qpn: described("Its number.", queuePairNumber),
  q_key: described("Its queue key.", wholeNumber(0, 0xffffffff)),
  as: optional(
    "How it is known on InfiniBand, of one on Ethernet.",
    z.strictObject({
      qpn: optional("Its number there, below 0x400000; the same unless stated.", wholeNumber(2, 0x3fffff)),
      q_key: optional("The queue key that senders there put; the same unless stated.", wholeNumber(0, 0xffffffff)),
    }),
  ),
});

const messages = z.strictObject({
  ports: optional(
    "UDP ports of RDMA-CM's services that may be asked for; all unless stated.",
    z.array(wholeNumber(1, 65_535)).check(z.minLength(1, "expected at least one port"), z.maxLength(MOST_STATED)),
  ),
  queue_pairs: optional(
    "Queue pairs of programs that do without RDMA-CM.",
    z.array(queuePair).check(z.maxLength(MOST_STATED)),
  ),
  register: optional(
    "IP addresses of hosts on Ethernet that the subnet administrator tells to those who ask it.",
    z.array(address).check(z.minLength(1, "expected at least one address"), z.maxLength(MOST_ADDRESS_RECORDS)),
  ),
  immediate: optional(
    '"qpn" where programs put their queue pair number into the immediate data, as udaddy does: it is translated as well. "keep" unless stated.',
    z.enum(["keep", "qpn"], 'expected "keep" or "qpn"'),
  ),
  idle: optional(
    "A session ends when nothing has passed for so long; 600s unless stated.",
    duration(10_000, 86_400_000, 1000),
  ),
  most: optional("Sessions in all; 16384 unless stated.", wholeNumber(1, 32_768)),
  most_of_host: optional("Sessions and queue pairs of one host; 1024 unless stated.", wholeNumber(1, 32_768)),
});

export const bridgeSchema = z.strictObject({
  infiniband: described("The port on InfiniBand.", infiniband),
  ethernet: described("The port on Ethernet.", z.strictObject({ link: described("Its link.", linkName) })),
  p_key: optional("Partition on InfiniBand; the default one (0xffff) unless stated.", wholeNumber(1, 0xffff)),
  multicast: optional(
    "The groups.",
    z.array(group).check(z.minLength(1, "expected at least one group"), z.maxLength(MOST_GROUPS)),
  ),
  arp: optional(
    "Hosts on the two links are of one subnet of IPv4: each is looked for and answered for on the other link.",
    z.boolean(),
  ),
  nd: optional("The same for hosts of IPv6, and their addresses are claimed on both links.", z.boolean()),
  messages: optional("Messages from one host to another; none are passed on unless it is stated.", messages),
  classes: optional(
    "Code points with the service levels that stand for them.",
    z.array(serviceClass).check(z.maxLength(64)),
  ),
});

export type BridgeSection = z.output<typeof bridgeSchema>;
export type GroupLine = NonNullable<BridgeSection["multicast"]>[number];
export type MessagesSection = NonNullable<BridgeSection["messages"]>;
