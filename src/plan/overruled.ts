// Owns what switches of the whole host do to those of links: of some the kernel takes the larger value, others it resets.
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Desired, DesiredState, Observed } from "../model/objects.ts";

/** Of these the kernel takes the larger of the link's value and that of "all" (IN_DEV_MAXCONF, linux/inetdevice.h). */
const SWITCH = /^net\/ipv4\/conf\/([^/]+)\/(rp_filter|arp_ignore|arp_announce)$/;

const FORWARDING = /^net\/(ipv[46])\/conf\/([^/]+)\/forwarding$/;

/**
 * Switches whose change sets this one as well, in the kernel and not as a write to its file (inet_forward_change in
 * net/ipv4/devinet.c, addrconf_fixup_forwarding in net/ipv6/addrconf.c).
 */
export function resettingPaths(path: string): string[] {
  const [, version, link] = FORWARDING.exec(path) ?? [];
  const all = [`net/${version}/conf/all/forwarding`, ...(version === "ipv4" ? ["net/ipv4/ip_forward"] : [])];
  return link === undefined ? [] : all.filter((one) => one !== path);
}

/** The paths of the host's own switches that may overrule what is wanted, to be read along. */
export function overrulingPaths(want: DesiredState): string[] {
  return [...new Set(switchesOf(want).map(({ all }) => all))];
}

/** What is said of wishes that are overruled: once for each switch of the host. */
export function findOverruled(want: DesiredState, observed: readonly Observed[]): Diagnostic[] {
  const values = new Map<string, number>();
  for (const object of observed) if (object.kind === "sysctl") values.set(object.spec.path, Number(object.spec.value));
  // What the file itself asks of "all" is what will be there.
  for (const { kind, spec } of want.objects) if (kind === "sysctl") values.set(spec.path, Number(spec.value));
  const overruled = switchesOf(want).filter(({ all, value }) => (values.get(all) ?? 0) > value);
  return [...Map.groupBy(overruled, ({ all }) => all)].map(([all, wishes]): Diagnostic => {
    const links = wishes.map(({ link }) => link).join(", ");
    const range = wishes[0]?.desired.from[0];
    const dotted = all.replaceAll("/", ".");
    return {
      code: "overruled-sysctl",
      severity: "warning",
      summary: `${dotted} is ${values.get(all)}, which overrules what is asked of ${links}`,
      detail: `The kernel takes the larger of the two, so that ${wishes[0]?.value} on ${links} has no effect.`,
      remedy: `Lower it where it is set (sysctl.d, a boot script): sysctl -w ${dotted}=${wishes[0]?.value}; or ask for what it says.`,
      ...(range === undefined ? {} : { range }),
    };
  });
}

interface LinkSwitch {
  desired: Desired;
  link: string;
  value: number;
  /** Path of the host's own. */
  all: string;
}

function switchesOf(want: DesiredState): LinkSwitch[] {
  return want.objects.flatMap((desired): LinkSwitch[] => {
    if (desired.kind !== "sysctl") return [];
    const [, link = "", name = ""] = SWITCH.exec(desired.spec.path) ?? [];
    if (link === "" || link === "all" || link === "default") return [];
    return [{ desired, link, value: Number(desired.spec.value), all: `net/ipv4/conf/all/${name}` }];
  });
}
