// Owns the listening for adverts of virtual routers on the links of this host, for a while.
import { closeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Family } from "../../model/ip.ts";
import type { Advert, PictureLink } from "../../model/picture.ts";
import { readAdvert, VRRP } from "../../probes/vrrp.ts";
import { fieldFilter } from "../classic-bpf.ts";
import { HostError } from "../error.ts";
import { hearPackets, OWN_NAMESPACE, takePacket, watchDescriptor } from "../native.ts";
import type { NamespaceFd } from "../native.ts";

/** EtherTypes. */
const ETHERTYPE: Record<Family, number> = { 4: 0x0800, 6: 0x86dd };

/** Links that are listened to, and different adverts that are kept, at most. */
const MOST_LINKS = 64;
const MOST_ADVERTS = 1000;
/** An advert of 255 addresses of IPv6 is longer than a link takes; what is longer than this is none. */
const MOST_BYTES = 1500;

/** What was heard, each advert once; and why nothing was, where that is so. */
export interface Heard {
  adverts: Advert[];
  unseen: { what: string; why: string }[];
}

/** Listens on all links that are up for some seconds. Of what this host sends itself it hears nothing. */
export async function hearAdverts(
  links: readonly Pick<PictureLink, "name" | "index" | "type" | "up">[],
  seconds: number,
  namespace: NamespaceFd = OWN_NAMESPACE,
): Promise<Heard> {
  const adverts = new Map<string, Advert>();
  const unseen: Heard["unseen"] = [];
  const ends: (() => void)[] = [];
  const asked = links.filter(({ type, up }) => up && type !== "loopback");
  for (const { name, index } of asked.slice(0, MOST_LINKS)) {
    for (const family of [4, 6] as const) {
      try {
        ends.push(hear(name, index, family, namespace, adverts));
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        unseen.push({ what: `adverts of virtual routers on ${name} (IPv${family})`, why: `${error.message}.` });
      }
    }
  }
  if (asked.length > MOST_LINKS) {
    unseen.push({ what: "adverts of virtual routers on every link", why: `Only ${MOST_LINKS} links are listened to.` });
  }
  await sleep(seconds * 1000);
  for (const end of ends) end();
  return { adverts: [...adverts.values()], unseen };
}

function hear(
  link: string,
  index: number,
  family: Family,
  namespace: NamespaceFd,
  adverts: Map<string, Advert>,
): () => void {
  const descriptor = hearPackets(
    namespace,
    index,
    ETHERTYPE[family],
    fieldFilter("byte", VRRP.at[family], VRRP.protocol),
  );
  const bytes = new Uint8Array(MOST_BYTES);
  const unwatch = watchDescriptor(descriptor, "readable", () => {
    for (let length = takePacket(descriptor, bytes); length !== undefined; length = takePacket(descriptor, bytes)) {
      const advert = length <= bytes.length ? readAdvert(family, bytes.subarray(0, length)) : undefined;
      if (advert && adverts.size < MOST_ADVERTS) adverts.set(JSON.stringify([link, advert]), { link, ...advert });
    }
  });
  return () => {
    unwatch();
    closeSync(descriptor);
  };
}
