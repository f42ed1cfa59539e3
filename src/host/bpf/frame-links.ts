// Owns the question at which links heddle can pass frames on (XDP): what drivers tell, less where others have programs.
import type { FrameLinks } from "../../model/facts.ts";
import type { NamespaceFd } from "../native.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { listFrameFeatures } from "../netlink/netdev.ts";
import { eachAttribute, Packet } from "../netlink/packet.ts";
import { describe } from "./call.ts";
import { openProgram } from "./program.ts";

/** Name of heddle's program for frames, as far as the kernel keeps it (native/bpf/spread-frames.bpf.c). */
export const FRAMES_PROGRAM = "spread_frames";

const IFLA_XDP = 43;
const IFLA_XDP_PROG_ID = 4;
/** Offset of the name in struct bpf_prog_info, and its room. */
const NAME_AT = 64;
const NAME_ROOM = 16;

/** The links, by name. A link has room for one program, so one at which another's is counts as unable. */
export async function listFrameLinks(socket: RouteSocket, namespace: NamespaceFd): Promise<FrameLinks> {
  const features = new Map((await listFrameFeatures(namespace)).map((one) => [one.index, one]));
  const found: FrameLinks = { receive: [], send: [] };
  if (features.size === 0) return found;
  for (const { index, name, unknown = [] } of await socket.listLinks()) {
    if (name === undefined) continue;
    const { receives = false, sends = false } = features.get(index) ?? {};
    const told = unknown.find(({ type }) => (type & 0x3fff) === IFLA_XDP)?.bytes;
    if (receives && (told === undefined || isOursOrNone(told))) found.receive.push(name);
    if (sends) found.send.push(name);
  }
  return found;
}

function isOursOrNone(told: Uint8Array): boolean {
  const packet = new Packet(told);
  let id = 0;
  eachAttribute(packet, 0, told.length, (type, at, length) => {
    if (type === IFLA_XDP_PROG_ID) id = packet.u32(at, length);
  });
  if (id === 0) return true;
  using program = openProgram(id);
  if (!program) return true;
  const described = describe(program.fd, NAME_AT + NAME_ROOM, "BPF program");
  const name = new Uint8Array(described.buffer, NAME_AT, NAME_ROOM);
  const end = name.indexOf(0);
  return new TextDecoder().decode(name.subarray(0, end < 0 ? NAME_ROOM : end)) === FRAMES_PROGRAM;
}
