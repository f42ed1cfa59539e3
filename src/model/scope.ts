// Owns the scopes of routes and addresses, as names and as the kernel's numbers.
import type { RouteScope } from "./kinds.ts";

/** rtm_scope, ifa_scope (include/uapi/linux/rtnetlink.h). */
const SCOPES: ReadonlyMap<RouteScope, number> = new Map<RouteScope, number>([
  ["global", 0],
  ["site", 200],
  ["link", 253],
  ["host", 254],
  ["nowhere", 255],
]);
const SCOPE_NAMES: ReadonlyMap<number, RouteScope> = new Map([...SCOPES].map(([name, number]) => [number, name]));

/** The name of a scope, or its number where it has none. */
export function scopeName(scope: number): RouteScope {
  return SCOPE_NAMES.get(scope) ?? scope;
}

/** The number of a scope: the higher, the nearer. */
export function scopeNumber(scope: RouteScope): number {
  return typeof scope === "number" ? scope : (SCOPES.get(scope) as number);
}
