// Owns the reading of RDMA ports below /sys/class/infiniband for a picture, and how fast a link is. Bounded; what cannot be
// read is left out.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PicturePort } from "../../model/rdma-picture.ts";

const CLASS = "sys/class/infiniband";
const MOST_DEVICES = 64;
const MOST_PORTS = 16;
/** GIDs of a port that are looked at: ConnectX has 256. */
const MOST_GIDS = 1024;

/** Every port, by its device's name and number. */
export async function readPorts(root: string): Promise<PicturePort[]> {
  const ports: PicturePort[] = [];
  for (const device of (await list(join(root, CLASS))).slice(0, MOST_DEVICES)) {
    for (const port of (await list(join(root, CLASS, device, "ports"))).slice(0, MOST_PORTS)) {
      const found = await readPort(join(root, CLASS, device, "ports", port), `${device}/${port}`);
      if (found !== undefined) ports.push(found);
    }
  }
  return ports;
}

/**
 * Gigabits per second of a link that is up, as its driver says (/sys/class/net/NAME/speed, in Mbit/s; Linux
 * Documentation/ABI/testing/sysfs-class-net); undefined where it says nothing.
 */
export async function readLinkRate(root: string, link: string): Promise<number | undefined> {
  const speed = Number((await read(join(root, "sys/class/net", link, "speed"))) ?? 0);
  return speed > 0 ? speed / 1000 : undefined;
}

async function readPort(folder: string, name: string): Promise<PicturePort | undefined> {
  const [layer, state, lid, smLid, rate] = await Promise.all(
    ["link_layer", "state", "lid", "sm_lid", "rate"].map((file) => read(join(folder, file))),
  );
  if (layer !== "InfiniBand" && layer !== "Ethernet") return undefined;
  const gids: PicturePort["gids"] = [];
  if (layer === "Ethernet") {
    for (const index of (await list(join(folder, "gids"))).slice(0, MOST_GIDS)) {
      const [gid, type, link] = await Promise.all([
        read(join(folder, "gids", index)),
        // An index that is not set cannot be read.
        read(join(folder, "gid_attrs/types", index)),
        read(join(folder, "gid_attrs/ndevs", index)),
      ]);
      if (gid !== undefined && type !== undefined && link !== undefined) gids.push({ gid, type, link });
    }
  }
  // "4: ACTIVE", and "100 Gb/sec (4X EDR)".
  const words = (state ?? "").split(": ");
  const gbps = Number.parseFloat(rate ?? "");
  return {
    name,
    layer,
    state: words[1] ?? "",
    lid: Number(lid ?? 0) || 0,
    smLid: Number(smLid ?? 0) || 0,
    ...(gbps > 0 ? { rate: gbps } : {}),
    gids,
  };
}

async function list(folder: string): Promise<string[]> {
  const names: string[] = await readdir(folder).catch(() => []);
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}

async function read(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return undefined;
  }
}
