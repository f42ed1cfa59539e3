// Owns the ways in which a host can be told to send what a user sends by a gateway of its own: heddle's two, and those
// that people write by hand. Each is put up on the worker of the lab of egress, for its user aliprod.
import type { Lab } from "../../src/lab/lab.ts";
import { applySection, CHOSEN, heddle } from "../egress-lab.ts";

/** One way. */
export interface Mechanism {
  name: string;
  /** Bits that the program itself gives its socket, as root, before it connects. */
  mark?: number;
  up(lab: Lab): Promise<void>;
}

const USER = "5001";
const TABLE = "100";
const PREFERENCE = "100";
const NFT_TABLE = ["inet", "by_hand"];
const MARKED = ["fwmark", "1"];

export const BPF = "heddle, by: bpf";
export const SKUID = "nft skuid";

const BY_BPF: Mechanism = {
  name: BPF,
  up: (lab) => applySection(lab, "match: { users: [aliprod] }", "by: bpf"),
};
/** The same without the table that remembers who was chosen. */
export const BPF_ALONE: Mechanism = {
  name: `${BPF}, without nftables`,
  up: async (lab) => {
    await BY_BPF.up(lab);
    await must(lab, ["nft", "delete", "table", "inet", "heddle-egress-alinat"]);
  },
};

export const MECHANISMS: readonly Mechanism[] = [
  {
    // The unit file of seed 001, which leaves the source address to the main table.
    name: "iptables owner, as seed 001",
    up: async (lab) => {
      await byHand(lab, MARKED, false);
      const rule = ["-A", "OUTPUT", "-p", "tcp", "-m", "owner", "--uid-owner", USER, "-j", "MARK", "--set-mark", "1"];
      await must(lab, ["iptables", "-t", "mangle", ...rule]);
    },
  },
  {
    name: SKUID,
    up: async (lab) => {
      await byHand(lab, MARKED, true);
      await must(lab, ["nft", skuidTable()]);
    },
  },
  { name: "heddle, by: nftables", up: (lab) => applySection(lab, "match: { users: [aliprod] }", "by: nftables") },
  { name: "ip rule uidrange", up: (lab) => byHand(lab, ["uidrange", `${USER}-${USER}`], true) },
  { name: "SO_MARK before connect", mark: 1, up: (lab) => byHand(lab, MARKED, true) },
  BPF_ALONE,
  BY_BPF,
];

/** Takes away whatever one of them has put up. */
export async function takeDown(lab: Lab): Promise<void> {
  await heddle(lab, "remove");
  // What is not there cannot be deleted, which is as good.
  await lab.exec("worker", ["ip", "rule", "del", "preference", PREFERENCE]);
  await lab.exec("worker", ["ip", "route", "flush", "table", TABLE]);
  await lab.exec("worker", ["nft", "delete", "table", ...NFT_TABLE]);
  await must(lab, ["iptables", "-t", "mangle", "-F"]);
  await must(lab, ["sysctl", "-qw", "net.ipv4.conf.ib0.rp_filter=0"]);
}

/** A table with the chosen gateway, and the rule that leads to it. */
async function byHand(lab: Lab, selector: readonly string[], withSource: boolean): Promise<void> {
  const source = withSource ? ["src", CHOSEN[4]] : [];
  const way = ["default", "via", "10.20.3.227", "dev", "ib0", ...source];
  await must(lab, ["ip", "route", "add", ...way, "table", TABLE]);
  await must(lab, ["ip", "rule", "add", ...selector, "lookup", TABLE, "preference", PREFERENCE]);
  await must(lab, ["sysctl", "-qw", "net.ipv4.conf.ib0.rp_filter=2"]);
}

/** Packets are marked by their owner alone, and get the source address of the link. */
function skuidTable(): string {
  const marks = `chain marks { type route hook output priority mangle; meta skuid ${USER} meta mark set 1; };`;
  const translation = `oifname "ib0" meta mark 1 ip saddr != ${CHOSEN[4]} snat ip to ${CHOSEN[4]};`;
  const sources = `chain sources { type nat hook postrouting priority srcnat; ${translation} };`;
  return `table ${NFT_TABLE.join(" ")} { ${marks} ${sources} }`;
}

async function must(lab: Lab, words: readonly string[]): Promise<void> {
  const { code, stderr } = await lab.exec("worker", words);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
}
