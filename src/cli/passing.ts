// Owns what explain is told of the gateways and bridges that the file makes of a host, and of what was heard of gateways last.
import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { secondsSinceBoot } from "../host/signals.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { formatAddress } from "../model/ip.ts";
import type { Passing, PassingBridge, PassingGateway } from "../model/passing.ts";
import type { HostPicture } from "../model/picture.ts";
import { listGroups } from "../roles/bridge/groups.ts";
import type { BridgeSection } from "../roles/bridge/schema.ts";
import type { Gateway } from "../roles/gateway/schema.ts";
import { sharesOf } from "../roles/gateway/shares.ts";
import type { Context } from "./context.ts";
import { openStore } from "./session.ts";

/** The file of this host, if there is one; what is wrong with one that cannot be used is told as what could not be seen. */
export interface FileHere {
  config?: Config;
  unseen: HostPicture["unseen"];
}

/** Reads the file where there is one. */
export async function readFileHere(context: Context): Promise<FileHere> {
  const { file } = context.options;
  if (!existsSync(file)) return { unseen: [] };
  const { config, diagnostics } = await context.readConfig();
  if (config) return { config, unseen: [] };
  const why = diagnostics[0]?.summary ?? "it is not valid";
  return { unseen: [{ what: `gateways and bridges in ${file}`, why: `${why}; heddle check tells more.` }] };
}

/** What passes packets on at this host, as it is now. */
export async function takePassing(context: Context, config: Config | undefined): Promise<Passing> {
  const store = await openStore(context);
  const signals = await store.readSignals();
  return {
    ...sectionsOf(config),
    signals: signals.filter((signal) => signal.kind !== "segment"),
    at: secondsSinceBoot(),
    date: new Date().toISOString(),
  };
}

/** What passes packets on once the file is applied, where the host was as it is told. */
export function plannedPassing(config: Config, now: Passing | undefined): Passing {
  return { ...(now ?? { signals: [], at: 0, date: "" }), ...sectionsOf(config) };
}

function sectionsOf(config: Config | undefined): Pick<Passing, "gateways" | "bridges"> {
  return config ? { gateways: gatewaysOf(config), bridges: bridgesOf(config) } : { gateways: [], bridges: [] };
}

/** What is said of a facts file that does not tell of it. */
export function untold(file: string): Diagnostic {
  return {
    code: "facts-without-passing",
    severity: "note",
    summary: `${file} does not tell which gateways and bridges the host has, and how gateways are`,
    detail: "An earlier heddle wrote it.",
    remedy: "Write it anew on the host it is of, with: heddle facts -o FILE.",
  };
}

/** The sections of `gateway`, as far as a packet's way depends on them. */
function gatewaysOf({ sections }: Config): PassingGateway[] {
  return sections.flatMap((section): PassingGateway[] => {
    if (section.role !== "gateway") return [];
    const gateway = section.value as Gateway;
    const { inside, outside, nat, from, failover } = gateway;
    const own = from ? { from } : {};
    const translated = sharesOf(gateway).map((share) => ({
      to: share.to.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(", "),
      ...(share.from ? { from: share.from } : {}),
    }));
    const whole = nat === "masquerade" ? { to: `the address of ${outside}`, ...own } : own;
    const shares = translated.length > 0 ? translated : [whole];
    return [{ name: section.name, inside, outside, shares, failover: failover !== undefined }];
  });
}

/** The sections of `bridge`, as far as packets to groups depend on them. */
function bridgesOf({ sections }: Config): PassingBridge[] {
  return sections.flatMap((section): PassingBridge[] => {
    if (section.role !== "bridge") return [];
    const bridge = section.value as BridgeSection;
    const groups = listGroups(bridge).groups.map(({ name, mgid, from }) => ({
      group: name,
      mgid: formatAddress(mgid),
      toInfiniband: from.way !== "to-ethernet",
    }));
    return [{ name: section.name, link: bridge.ethernet.link, groups }];
  });
}
