// Owns the messages of the bridge's measurements: sessions and groups, and a frame for each.
import { makeMgid, groupMac } from "../../src/rdma/bridge/mgid.ts";
import { BridgedGroup } from "../../src/rdma/bridge/group.ts";
import { roceMessage } from "../../src/rdma/bridge/testing/message-stand.ts";
import type { MessageStand, Place } from "../../src/rdma/bridge/testing/message-stand.ts";

/** Clients of a bridge with many sessions; each has as many servers. */
const CLIENTS = 100;
const SERVER: Place = { address: "192.0.2.77", lid: 9 };

function clientAt(i: number): Place {
  return { address: `192.0.3.${i}`, mac: Uint8Array.of(2, 0, 0, 0, 3, i) };
}

/** Which client and which queue pair a session has. */
function partsOf(session: number): { client: Place; qpn: number } {
  return { client: clientAt(session % CLIENTS), qpn: 0x100 + Math.floor(session / CLIENTS) };
}

/** Opens so many sessions. */
export function sessionsOf(stand: MessageStand, count: number): void {
  const server = stand.answer(SERVER);
  stand.hosts.setPath(server, server.gid, { lid: 9, sl: 0, mtu: 4096 });
  server.mtu = 4096;
  for (let i = 0; i < count; i++) {
    const { client, qpn } = partsOf(i);
    if (stand.sessions.open(stand.answer(client), server, qpn, 0x01234567, 0) === undefined) throw new Error("no room");
  }
}

/** So many groups that are joined. */
export function groupsOf(count: number): BridgedGroup[] {
  return Array.from({ length: count }, (_, i) => {
    const address = groupAddress(i);
    const group = new BridgedGroup(i, {
      name: address.join("."),
      way: "both",
      ethernet: { address, mac: groupMac(address), qKey: 0x01234567, pKey: 0xffff, hopLimit: 64 },
      mgid: makeMgid({ format: "rdma-cm", group: address, pKey: 0xffff, scope: 2 }),
    });
    group.infiniband = { mlid: 0xc001 + i, qKey: 0x01234567, pKey: 0xffff, sl: 0, hopLimit: 0, mtu: 4096 };
    return group;
  });
}

function groupAddress(i: number): Uint8Array {
  return Uint8Array.of(239, 41, i >> 8, i & 0xff);
}

/** Frames to so many sessions, or groups, in the form that load.c reads. */
export function framesOf(sessions: number, groups: number, bytes: number, mac: Uint8Array): Uint8Array {
  const payload = new Uint8Array(bytes).fill(7);
  const frames = [
    ...Array.from({ length: sessions }, (_, i) => {
      const { client, qpn } = partsOf(i);
      return roceMessage(client, SERVER, payload, (fields) => {
        fields.bth.destQp = qpn;
        fields.ethernet.destination.set(mac);
      });
    }),
    ...Array.from({ length: groups }, (_, i) => {
      const address = groupAddress(i);
      return roceMessage(clientAt(1), { address: address.join(".") }, payload, (fields) => {
        fields.bth.destQp = 0xffffff;
        fields.ethernet.destination.set(groupMac(address));
      });
    }),
  ];
  const all = new Uint8Array(frames.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const frame of frames) {
    new DataView(all.buffer).setUint32(at, frame.length, true);
    all.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return all;
}
