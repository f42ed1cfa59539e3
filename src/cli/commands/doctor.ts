// Owns `heddle doctor`: what is wrong with the routing of this host, whoever made it.
import { existsSync } from "node:fs";
import { WISHES } from "../../doctor/paths.ts";
import { examine } from "../../doctor/examine.ts";
import { listGateways } from "../../gateway/setup.ts";
import type { GatewaySetup } from "../../gateway/setup.ts";
import { HostError } from "../../host/error.ts";
import { canMarkSockets } from "../../host/kinds/cgroup-program-driver.ts";
import { hearAdverts } from "../../host/picture/adverts.ts";
import { readLinkRate } from "../../host/picture/ports.ts";
import { takePicture } from "../../host/picture/read.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { ConfiguredSection, HostPicture, OwnRouter } from "../../model/picture.ts";
import { choosesOwners } from "../../roles/egress/owners.ts";
import type { Egress } from "../../roles/egress/schema.ts";
import type { Gateway } from "../../roles/gateway/schema.ts";
import { ROLES } from "../../roles/index.ts";
import { askDoor, bridgeSocket } from "../bridge-door.ts";
import { bridgePicture } from "../bridge-pictures.ts";
import { DEFAULT_FILE } from "../context.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openStore } from "../session.ts";
import { countFindings, renderFindings } from "../render/findings.ts";

/** The options of the command. */
export interface DoctorOptions {
  root: string;
  /** Seconds, as they were written. */
  listen?: string;
}

const MOST_SECONDS = 600;

/** Looks at this host, changes nothing, and tells what it found. Needs no file; one that is there is heeded. */
export async function doctor(context: Context, options: DoctorOptions): Promise<ExitCode> {
  const { root, listen } = options;
  const seconds = listen === undefined ? 0 : Number(listen);
  if (!(seconds >= 0 && seconds <= MOST_SECONDS)) return context.fail([wrongTime(listen)], EXIT.usage);
  const seen = await addConfigured(
    context,
    await addBridges(context, root, await takePicture({ root, wishes: WISHES })),
  );
  const picture = seconds > 0 ? await addAdverts(seen, seconds) : seen;
  const findings = examine(picture);
  const counts = countFindings(findings);
  if (context.options.json) {
    const looked = { links: picture.links.length, routes: picture.routes.length, rules: picture.rules.length };
    context.sayJson({ findings, counts, looked, diagnostics: [] });
  } else {
    context.say(renderFindings(findings, picture, context.paint));
  }
  return counts.error + counts.warning > 0 ? EXIT.findings : EXIT.ok;
}

/** What is heard of virtual routers on its links. */
async function addAdverts(picture: HostPicture, seconds: number): Promise<HostPicture> {
  const { adverts, unseen } = await hearAdverts(picture.links, seconds);
  return { ...picture, adverts, unseen: [...picture.unseen, ...unseen] };
}

function wrongTime(listen: string | undefined): Diagnostic {
  return {
    code: "usage",
    severity: "error",
    summary: `--listen ${listen} is no number of seconds from 0 to ${MOST_SECONDS}`,
    remedy: "Three seconds are enough where adverts come every second.",
  };
}

/** The bridges that run here; whoever may not ask them does without. */
async function addBridges(context: Context, root: string, picture: HostPicture): Promise<HostPicture> {
  try {
    const store = await openStore(context);
    const running = await askDoor(bridgeSocket(store.runFolder, store.cookie));
    if (running === undefined) return picture;
    const bridges = running.map(async (status) => {
      const linkRate = await readLinkRate(root, status.ethernet.link);
      return { ...bridgePicture(status), ...(linkRate === undefined ? {} : { linkRate }) };
    });
    return { ...picture, bridges: await Promise.all(bridges) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return { ...picture, unseen: [...picture.unseen, { what: "the running bridges", why: "Only root may ask them." }] };
  }
}

/** What the file says, so that a remedy can be "apply it" instead of "write it"; and what only matters where it says so. */
async function addConfigured(context: Context, picture: HostPicture): Promise<HostPicture> {
  const { file } = context.options;
  if (file === DEFAULT_FILE && !existsSync(file)) return picture;
  const { config, diagnostics } = await context.readConfig();
  if (!config) {
    const why = diagnostics[0]?.summary ?? "It is not valid.";
    return { ...picture, unseen: [...picture.unseen, { what: file, why: `${why}; heddle check tells more.` }] };
  }
  const links = new Set(picture.links.map(({ name }) => name));
  const sections = config.sections.flatMap((section): ConfiguredSection[] => {
    const name = `${section.role}/${section.name}`;
    if (section.role === "egress") {
      const value = section.value as Egress;
      return choosesOwners(value) ? [{ section: name, links: [], marking: value.by ?? "either" }] : [];
    }
    if (section.role === "gateway") {
      const { outside, failover } = section.value as Gateway;
      const [setup] = listGateways({ ...config, sections: [section] }, picture.links);
      const own = failover && setup ? { failover: { routers: routersOf(setup), uplink: setup.uplink.length > 0 } } : {};
      return [{ section: name, links: [], outside, ...own }];
    }
    if (section.role !== "multihome") return [];
    const claims = ROLES.find(({ name }) => name === section.role)?.claims(section, picture.links) ?? [];
    const tables = claims.filter((claim) => "pool" in claim && claim.pool === "tables");
    return [
      { section: name, links: tables.flatMap((claim) => ("name" in claim && links.has(claim.name) ? claim.name : [])) },
    ];
  });
  const marks = sections.some(({ marking }) => marking !== undefined) ? tryMarks() : undefined;
  const features = marks === undefined ? picture.features : { ...picture.features, "bpf-cgroup": marks };
  return { ...picture, features, configured: { file, sections } };
}

/** The virtual routers of a gateway that stands in for others: one on each side for each share. */
function routersOf({ section, inside, outside, peers, intervalMs, shares }: GatewaySetup): OwnRouter[] {
  return shares.flatMap(({ id }) =>
    (
      [
        ["inside", inside],
        ["outside", outside],
      ] as const
    ).map(([side, link]) => ({
      whose: `gateway/${section}`,
      link,
      id,
      intervalMs,
      peers: peers.map((peer) => peer[side]),
    })),
  );
}

/** Whether sockets can be marked, as far as this user can find out: a kernel that was built for it may still refuse. */
function tryMarks(): boolean | undefined {
  try {
    return canMarkSockets();
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}
