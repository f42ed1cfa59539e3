// Owns how the state of spreading looks to people: a bar for each link, then the largest flows.
import { sayRate } from "../../spread/chart.ts";
import type { FlowReport, MemberReport, SpreadReport } from "../../spread/report.ts";
import type { Paint } from "./style.ts";

const BAR = 30;
const PROTOCOLS: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp" };

/** All sections, a paragraph each. */
export function renderSpread(reports: readonly SpreadReport[], paint: Paint): string {
  return reports.map((report) => renderOne(report, paint)).join("\n");
}

function renderOne(
  { name, mechanism, by, members, unevenness, moves, stoodIn, nobody, flows }: SpreadReport,
  paint: Paint,
): string {
  const even =
    unevenness === undefined ? "nothing is carried" : `busiest link at ${unevenness.toFixed(2)} of its share`;
  const counts = [
    `${moves} move${moves === 1 ? "" : "s"}`,
    ...(stoodIn > 0 ? [`${stoodIn} packets by a stand-in`] : []),
    ...(nobody > 0 ? [`${nobody} packets found no link up`] : []),
  ];
  const width = Math.max(...members.map(({ link }) => link.length), 4);
  const highest = Math.max(...members.map(({ share }) => share), 0);
  const lines = members.map((member) => renderMember(member, highest, width, paint));
  const top = flows.map((flow) => `    ${sayFlow(flow)}`);
  return [
    `${paint("bold", `spread/${name}`)} by ${by}, ${mechanism}: ${even}; ${counts.join(", ")}`,
    ...lines,
    ...(top.length > 0 ? ["  largest flows (estimated):", ...top] : []),
    "",
  ].join("\n");
}

function renderMember(member: MemberReport, highest: number, width: number, paint: Paint): string {
  const { link, weight, up, bytesPerSecond, packetsPerSecond, share, buckets } = member;
  const filled = highest === 0 ? 0 : Math.round((BAR * share) / highest);
  const bar = paint(up ? "green" : "red", "█".repeat(filled)) + "·".repeat(BAR - filled);
  const rate = sayRate(bytesPerSecond).padStart(11);
  const packets = `${packetsPerSecond.toFixed(0)} packets/s`.padStart(17);
  const state = up ? "" : paint("red", "  down");
  return `  ${link.padEnd(width)} ${bar} ${rate} ${packets} ${`${(100 * share).toFixed(0)} %`.padStart(5)}  ${buckets} buckets${weight === 1 ? "" : `, weight ${weight}`}${state}`;
}

function sayFlow({ source, destination, protocol, ports, bytesPerSecond, link }: FlowReport): string {
  const end = (address: string, port: number | undefined): string =>
    port === undefined ? address : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const what = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
  const way = link === undefined ? "" : ` by ${link}`;
  return `${sayRate(bytesPerSecond).padStart(11)}  ${what} ${end(source, ports?.source)} → ${end(destination, ports?.destination)}${way}`;
}
