// Owns how many requests for queue pairs one host may make: each costs the bridge memory, and a host on the other side work.
import type { Host } from "./hosts.ts";

/** Requests that a host may make at once, and a second after that. */
export const REQUEST_RATE = { burst: 256, perSecond: 64 } as const;

/** Takes one of a host's requests; false when it has made too many. */
export function takeRequest(host: Host, nowMs: number): boolean {
  if (host.tokens < 0) {
    host.tokens = REQUEST_RATE.burst;
    host.tokensMs = nowMs;
  }
  const more = ((nowMs - host.tokensMs) * REQUEST_RATE.perSecond) / 1000;
  host.tokens = Math.min(REQUEST_RATE.burst, host.tokens + more);
  host.tokensMs = nowMs;
  if (host.tokens < 1) return false;
  host.tokens -= 1;
  return true;
}
