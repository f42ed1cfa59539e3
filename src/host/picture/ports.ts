// Owns the reading of RDMA ports below /sys/class/infiniband for a picture. Bounded; what cannot be read is left out.
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

async function readPort(folder: string, name: string): Promise<PicturePort | undefined> {
  const [layer, state, lid, smLid] = await Promise.all(
    ["link_layer", "state", "lid", "sm_lid"].map((file) => read(join(folder, file))),
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
  // "4: ACTIVE"
  const words = (state ?? "").split(": ");
  return { name, layer, state: words[1] ?? "", lid: Number(lid ?? 0) || 0, smLid: Number(smLid ?? 0) || 0, gids };
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
