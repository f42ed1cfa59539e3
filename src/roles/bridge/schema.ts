// Owns what may be written under `bridge`: a port on either fabric, and the groups between them.
import * as z from "zod/mini";
import { FABRIC_NAME } from "../../rdma/bridge/model-fabric.ts";
import { address, described, linkName, optional, wholeNumber } from "../fields.ts";

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

/** A model of a fabric: what there is until a port of a real adapter is. */
const model = z.strictObject({
  model: described("The model of a fabric: its folder, or @ and its name.", fabric),
  node: described(
    "Name of the host in the model whose place the bridge takes.",
    z.string().check(z.regex(/^[A-Za-z0-9_-]{1,31}$/, "expected the name of a node of the model")),
  ),
  port: optional("UDP port of the model's ibsim; 7070 unless stated.", wholeNumber(1, 65_535)),
});

export const bridgeSchema = z.strictObject({
  infiniband: described("The port on InfiniBand.", model),
  ethernet: described("The port on Ethernet.", z.strictObject({ link: described("Its link.", linkName) })),
  p_key: optional("Partition on InfiniBand; the default one (0xffff) unless stated.", wholeNumber(1, 0xffff)),
  multicast: described(
    "The groups.",
    z.array(group).check(z.minLength(1, "expected at least one group"), z.maxLength(MOST_GROUPS)),
  ),
  classes: optional(
    "Code points with the service levels that stand for them.",
    z.array(serviceClass).check(z.maxLength(64)),
  ),
});

export type BridgeSection = z.output<typeof bridgeSchema>;
export type GroupLine = BridgeSection["multicast"][number];
