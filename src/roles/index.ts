// Owns the only list of roles.
import { bridge } from "./bridge/index.ts";
import { egress } from "./egress/index.ts";
import { gateway } from "./gateway/index.ts";
import { links } from "./links/index.ts";
import { multihome } from "./multihome/index.ts";
import type { Role } from "./role.ts";
import { spread } from "./spread/index.ts";
import { staticRole } from "./static/index.ts";

/** Every role, in the order in which the manual tells of them. */
export const ROLES: readonly Role[] = [links, egress, gateway, spread, multihome, bridge, staticRole];
