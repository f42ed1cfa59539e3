// Owns what is told of a packet's way where gateways have a say: those of this host, which pass it on under another
// address, and those that it is sent to, of which it is known whether they answered.
import { sayAge } from "../model/age.ts";
import { familyOf, prefixContains } from "../model/ip.ts";
import type { PassingGateway } from "../model/passing.ts";
import type { GatewaySignal, ProbeSignal, ShareSignal, Signal } from "../model/signals.ts";
import type { Way } from "./verdict.ts";

/** What a gateway of this host makes of a packet. */
export interface Passing {
  /** "gateway/alinat". */
  section: string;
  /** The address that the world sees; absent where the packet keeps its own, or is refused. */
  translatedTo?: string;
  /** Whether this host is the active one for it; absent where only one gateway is there, or nobody tells. */
  state?: ShareSignal["state"];
  /** Full sentences. */
  said: string;
}

/** What is known of a gateway that a packet is sent to. */
export interface Health {
  /** "egress/alinat". */
  section: string;
  gateway: string;
  /** The target that was asked by way of it; absent where it was asked itself. */
  target?: string;
  well?: boolean;
  /** A full sentence. */
  said: string;
}

/** The gateway of this host that passes the packet on; undefined where none does. `now` is in seconds since boot. */
export function passGateway(
  gateways: readonly PassingGateway[],
  signals: readonly Signal[],
  { packet, verdict }: Way,
  now: number,
): Passing | undefined {
  if (packet.iif === undefined || verdict.is !== "sent") return undefined;
  const links = verdict.ways.map(({ hop }) => hop.link);
  const found = gateways.find(({ inside, outside }) => packet.iif === inside && links.includes(outside));
  if (!found) return undefined;
  const section = `gateway/${found.name}`;
  const place = found.shares.findIndex(({ from }) => from === undefined || from.some((one) => holds(one, packet.from)));
  const share = found.shares[place];
  if (!share) {
    return { section, said: `${section} refuses it: ${packet.from ?? "its source"} is none of those who may pass.` };
  }
  const name = sayTranslation(share.to, packet.to);
  const passes = `${section} passes it on ${name === undefined ? "with its own source" : `from ${name}`}.`;
  const translation = name === undefined ? {} : { translatedTo: name };
  if (!found.failover) return { section, ...translation, said: passes };
  const row = signals.find(
    (signal): signal is GatewaySignal => signal.kind === "gateway" && signal.section === found.name,
  );
  const part = row?.shares[place];
  const state = part ? { state: part.state } : {};
  return { section, ...translation, ...state, said: `${passes} ${sayPart(part, now)}` };
}

/** What was told last of the gateways that the packet may be sent to. */
export function healthOf(signals: readonly Signal[], { verdict }: Way): Health[] {
  const vias = verdict.is === "sent" ? verdict.ways.flatMap(({ hop }) => hop.via ?? []) : [];
  const rows = signals.filter((signal): signal is ProbeSignal => signal.kind === "probe");
  return [...new Set(vias)].flatMap((via) =>
    rows.flatMap(({ name, well, rttMs }): Health[] => {
      const [section = "", gateway, target] = name.split(" ");
      if (gateway !== via) return [];
      const who = target === undefined ? via : `${target} by way of ${via}`;
      const time = well === true && rttMs !== undefined ? ` after ${rttMs} ms` : "";
      const said =
        well === undefined
          ? `Whether ${who} answers is not known yet (${section}).`
          : `${who} ${well ? `answered${time}` : "did not answer"} when it was asked last (${section}).`;
      return [
        {
          section,
          gateway: via,
          ...(target === undefined ? {} : { target }),
          ...(well === undefined ? {} : { well }),
          said,
        },
      ];
    }),
  );
}

function sayPart(part: ShareSignal | undefined, now: number): string {
  if (!part) return "Nobody tells whether this host is the active one: no gateway process runs here.";
  const since = `for ${sayAge(now - part.since)}: ${part.why}`;
  switch (part.state) {
    case "active":
      return `This host is active for it ${since}.`;
    case "standby":
      return `This host stands by ${since}. Hosts inside send to another one, which has ${part.addresses.join(", ")}.`;
    case "fault":
      return `This host is out of service ${since}.`;
    case "unknown":
      return `Whether this host is active is not known ${since}.`;
  }
}

/** Addresses of the packet's own IP version; those of the other have no say. */
function sayTranslation(to: string | undefined, destination: string): string | undefined {
  const all = to?.split(", ").filter((one) => !/[.:]/.test(one) || one.includes(":") === (familyOf(destination) === 6));
  if (!all || all.length === 0) return undefined;
  const one = all.length === 1 && !all[0]?.includes("-");
  return one ? all[0] : `one of ${all.join(", ")}, always the same for one host`;
}

function holds(prefix: string, address: string | undefined): boolean {
  return address !== undefined && familyOf(prefix) === familyOf(address) && prefixContains(prefix, address);
}
