// Owns what adverts that were heard tell of virtual routers: a number that somebody else has too, intervals that differ.
//
// Sources: RFC 5798 sections 5.2.3 and 6.4 (a virtual router is known by its number on a segment, and whoever sends adverts
// of it is one of it); keepalived.conf(5).
import { familyOf, isIpAddress } from "../../model/ip.ts";
import type { Advert, HostPicture, OwnRouter } from "../../model/picture.ts";
import { blocksOf, wordOf } from "../braces.ts";
import type { Block } from "../braces.ts";
import { someLines } from "../finding.ts";
import type { Finding } from "../finding.ts";

/** keepalived's interval where the file states none, s. */
const USUAL_S = 1;

/** Findings by what was heard; none where nobody listened. */
export function heardRouters(picture: HostPicture, instances: readonly Block[]): Finding[] {
  const adverts = (picture.adverts ?? []).filter(({ priority }) => priority > 0);
  const own = [
    ...instances.flatMap(instanceOf),
    ...(picture.configured?.sections ?? []).flatMap(({ failover }) => failover?.routers ?? []),
  ];
  const places = Map.groupBy(adverts, ({ link, family, id }) => `${link} ${family} ${id}`);
  return [...places.values()].flatMap((heard): Finding[] => {
    const [first] = heard;
    if (!first) return [];
    const ours = own.filter(
      ({ link, id }) => link === first.link && id === first.id && isOfVersion(first, { link, id }, own),
    );
    const strangers = heard.filter((advert) => ours.some((router) => isStranger(advert, router)));
    if (strangers.length > 0) return [taken(first, strangers, ours)];
    const apart = heard.filter((advert) => !sharesAddress(advert.addresses, first.addresses));
    if (ours.length === 0 && apart.length > 0) return [taken(first, heard, [])];
    return differing(heard, ours);
  });
}

/** Both IP versions have numbers of their own. A router that does not say which it is of is taken to be of either. */
function isOfVersion({ family }: Advert, place: Pick<OwnRouter, "link" | "id">, own: readonly OwnRouter[]): boolean {
  const known = own
    .filter(({ link, id }) => link === place.link && id === place.id)
    .flatMap(({ peers = [], addresses = [] }) => [...peers, ...addresses]);
  return known.length === 0 || known.some((address) => familyOf(address) === family);
}

function isStranger({ source, addresses }: Advert, router: OwnRouter): boolean {
  if (router.peers) return !router.peers.includes(source);
  return router.addresses !== undefined && !sharesAddress(addresses, router.addresses);
}

function sharesAddress(a: readonly string[], b: readonly string[]): boolean {
  return a.some((address) => b.includes(address));
}

function taken({ link, id }: Advert, others: readonly Advert[], ours: readonly OwnRouter[]): Finding {
  return {
    code: "vrrp-same-id",
    severity: "error",
    summary:
      ours.length > 0
        ? `somebody else on ${link} has the virtual router number ${id}`
        : `two virtual routers on ${link} have the number ${id}`,
    found: someLines([
      ...ours.map(({ whose }) => `${whose} has the number ${id} on ${link}`),
      ...others.map(sayAdvert),
    ]),
    consequence:
      "To every router of the segment they are one: whoever has the higher priority silences the others, and their addresses are nowhere.",
    remedy: {
      text: "Give one of them another number, on all of its members: `virtual_router_id` of keepalived, `failover: { id }` of a gateway. In `nodes` or `unicast_peer` state every member that is meant to be one.",
    },
  };
}

function differing(heard: readonly Advert[], ours: readonly OwnRouter[]): Finding[] {
  const intervals = new Set([...heard, ...ours].map(({ intervalMs }) => intervalMs));
  const [first] = heard;
  if (!first || intervals.size < 2) return [];
  return [
    {
      code: "vrrp-interval",
      severity: "warning",
      summary: `members of the virtual router ${first.id} on ${first.link} have different intervals`,
      found: someLines([
        ...ours.map(({ whose, intervalMs }) => `${whose}: every ${intervalMs} ms`),
        ...heard.map(sayAdvert),
      ]),
      consequence:
        "How long a takeover takes depends on who is active: each waits for three of the intervals that the active one says. VRRP 2 drops adverts with another one.",
      remedy: { text: "Write one interval on all members: the same file on every gateway." },
    },
  ];
}

function sayAdvert({ source, id, addresses, priority, intervalMs, version }: Advert): string {
  const what = addresses.length > 0 ? ` for ${someLines(addresses, 3).join(", ")}` : "";
  return `${source} sends adverts of ${id}${what}: VRRP ${version}, priority ${priority}, every ${intervalMs} ms`;
}

/** A virtual router as keepalived's file has it. */
function instanceOf(block: Block): OwnRouter[] {
  const [link, id] = [wordOf(block, "interface"), Number(wordOf(block, "virtual_router_id"))];
  if (link === undefined || !Number.isInteger(id)) return [];
  const listed = (keyword: string): string[] =>
    blocksOf(block.inside, keyword).flatMap(({ inside }) =>
      inside.flatMap(({ words }) => (words[0] ?? "").split("/")[0] ?? []).filter(isIpAddress),
    );
  const [peers, addresses] = [listed("unicast_peer"), listed("virtual_ipaddress")];
  return [
    {
      whose: `vrrp_instance ${block.words[1] ?? "without a name"}`,
      link,
      id,
      intervalMs: Math.round(Number(wordOf(block, "advert_int") ?? USUAL_S) * 1000),
      ...(peers.length > 0 ? { peers } : {}),
      ...(addresses.length > 0 ? { addresses } : {}),
    },
  ];
}
