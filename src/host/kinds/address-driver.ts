// Owns the kind "address" on a real host: addresses put on links and taken off them, over netlink.
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { LinkFact } from "../../model/facts.ts";
import { formatAddress, parseAddress, parsePrefix } from "../../model/ip.ts";
import type { AddressSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import { sysctl } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { ADDRESS_FLAG } from "../netlink/address.ts";
import type { AddressMessage } from "../netlink/address.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { observe, performSteps, specsOf } from "./perform-steps.ts";
import { scopeNumber } from "../../model/scope.ts";

/** How long the probe for duplicates may take: one to two seconds by default (dad_transmits, retrans_time_ms). */
const LONGEST_PROBE_MS = 10_000;
/** How often it is looked whether it is over. */
const PROBE_LOOK_MS = 50;

/** Addresses of all links, as the look already has them. */
export function addressDriver(
  socket: RouteSocket,
  namespace: NamespaceFd,
  awaitsProbes: () => boolean = () => true,
): KindDriver<"address"> {
  return {
    list: async (links) => links.flatMap((link) => link.addresses.map((spec) => observe("address", spec))),
    async perform(steps, links, signal) {
      const names = new LinkNames(links);
      const results = await keepingSecondaries(namespace, steps, () =>
        performSteps(socket, steps, (step) => addressRequests(step, names)),
      );
      return awaitsProbes() ? awaitProbes(socket, results, links, signal) : results;
    },
  };
}

function addressRequests(step: Step, links: LinkNames): Request[] {
  const { before, after } = specsOf("address", step);
  const requests: Request[] = [];
  // An IPv6 address cannot be there with two lengths, so the old one goes first.
  if (before) requests.push({ object: "address", type: "delete", flags: 0, message: addressToMessage(before, links) });
  if (after) {
    requests.push({ object: "address", type: "new", flags: VERB.create, message: addressToMessage(after, links) });
  }
  return requests;
}

function addressToMessage(spec: AddressSpec, links: LinkNames): AddressMessage {
  const { family, link, address, peer, scope, protocol } = spec;
  const parts = parsePrefix(address);
  if (!parts) throw new RangeError(`not an address: ${address}`);
  const broadcast = family === 4 && peer === undefined ? broadcastOf(parts.address, parts.length) : undefined;
  return {
    family,
    index: links.index(link),
    address: parts.address,
    prefixLength: parts.length,
    scope: scopeNumber(scope),
    flags: 0,
    ...(peer === undefined ? {} : { peer }),
    ...(broadcast === undefined ? {} : { broadcast }),
    ...(protocol === undefined ? {} : { protocol }),
  };
}

/** The last address of the subnet, which programs ask the link for; none where a subnet has no room for one. */
function broadcastOf(address: string, length: number): string | undefined {
  const bytes = parseAddress(address);
  if (!bytes || length > 30) return undefined;
  const last = bytes.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - i * 8))));
  return formatAddress(last);
}

/**
 * Takes IPv4 addresses away so that those of the same subnet stay. Unless promote_secondaries says otherwise, they go
 * with the first one (__inet_del_ifa), and they may be somebody else's.
 */
async function keepingSecondaries<T>(
  namespace: NamespaceFd,
  steps: readonly Step[],
  run: () => Promise<T>,
): Promise<T> {
  const leaving = steps.map((step) => specsOf("address", step).before).filter((before) => before?.family === 4);
  const paths = [...new Set(leaving.map((before) => `net/ipv4/conf/${before?.link}/promote_secondaries`))];
  const values = sysctl(
    namespace,
    paths.map((path) => ({ path })),
  );
  const off = paths.filter((_, i) => {
    const answer = values[i];
    return answer !== undefined && "value" in answer && answer.value === "0";
  });
  const set = (value: string): unknown =>
    sysctl(
      namespace,
      off.map((path) => ({ path, value })),
    );
  set("1");
  try {
    return await run();
  } finally {
    set("0");
  }
}

/**
 * Waits until the new IPv6 addresses can be used: routes with one as their source are refused while the link is being
 * asked whether somebody else has it. A duplicate is taken back and fails its step. On a link without a carrier the
 * probe does not begin, so nothing is waited for.
 */
async function awaitProbes(
  socket: RouteSocket,
  results: readonly StepResult[],
  links: readonly LinkFact[],
  signal?: AbortSignal,
): Promise<StepResult[]> {
  const probed = new Map<string, StepResult>();
  for (const result of results) {
    const { after } = specsOf("address", result.step);
    const link = links.find(({ name }) => name === after?.link);
    if (result.error || after?.family !== 6 || !link?.up || !link.carrier) continue;
    probed.set(`${link.index} ${parsePrefix(after.address)?.address}`, result);
  }
  const failed = new Map<StepResult, HostError>();
  const until = performance.now() + LONGEST_PROBE_MS;
  while (probed.size > 0 && performance.now() < until) {
    const waiting = new Set<string>();
    for (const message of await socket.listAddresses({ family: 6 }, signal)) {
      const result = probed.get(`${message.index} ${message.address}`);
      if (!result || (message.flags & ADDRESS_FLAG.tentative) === 0) continue;
      if ((message.flags & ADDRESS_FLAG.dadFailed) === 0) waiting.add(`${message.index} ${message.address}`);
      else failed.set(result, await takeBack(socket, message));
    }
    for (const key of probed.keys()) if (!waiting.has(key)) probed.delete(key);
    if (probed.size > 0) await sleep(PROBE_LOOK_MS, undefined, signal ? { signal } : {});
  }
  return results.map((result) => {
    const error = failed.get(result);
    return error ? { ...result, error } : result;
  });
}

async function takeBack(socket: RouteSocket, message: AddressMessage): Promise<HostError> {
  const { family, index, address, prefixLength, scope } = message;
  const bare = { family, index, address, prefixLength, scope, flags: 0 };
  await socket.perform([{ object: "address", type: "delete", flags: 0, message: bare }]);
  return new HostError({
    errno: constants.errno.EADDRINUSE,
    object: `address ${address}/${prefixLength}`,
    kernelMessage: "another host on the link has this address",
  });
}
