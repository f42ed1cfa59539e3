// Proves what is told of packets: cases/<name>/{packet,said}.yaml. `kept` is how many bytes the capture has, where not all.
import { join } from "node:path";
import { testCases } from "../../../test/cases.ts";
import { fromHex } from "../codec/testing/vectors.ts";
import { CapturedPacket } from "./captured-packet.ts";
import type { LinkLayer } from "./captured-packet.ts";
import { describePacket } from "./describe-packet.ts";

interface PacketFile {
  link: LinkLayer;
  bytes: string;
  kept?: number;
}

testCases(join(import.meta.dirname, "cases"), "said.yaml", (one) => {
  const { link, bytes, kept } = one.yaml("packet.yaml") as PacketFile;
  const packet = new CapturedPacket();
  packet.number = 1;
  packet.linkLayer = link;
  packet.bytes = fromHex(bytes.replaceAll(/\s/g, ""));
  packet.wireBytes = packet.bytes.length;
  packet.to = kept ?? packet.wireBytes;
  const { number: _, time: __, ...said } = describePacket(packet);
  return said;
});
