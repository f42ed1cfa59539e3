// Owns a role that only tests have: tables of nftables that set a mark, by name.
import * as z from "zod/mini";
import type { Wanted } from "../src/model/objects.ts";
import { nftTableName } from "../src/model/nft.ts";
import { ROLES } from "../src/roles/index.ts";
import type { Role } from "../src/roles/role.ts";
import { marking, nftTable } from "./nft-objects.ts";

const schema = z.strictObject({
  families: z.array(z.enum(["inet", "ip"])),
  mark: z.number(),
});

const marker: Role<z.output<typeof schema>> = {
  name: "marker",
  about: "Sets a mark.",
  schema,
  claims: () => [],
  desire: (section) => ({
    value: section.value.families.map((family): Wanted => {
      const spec = nftTable({
        family,
        name: nftTableName("marker", section.name),
        objects: marking(section.value.mark),
      });
      return { kind: "nftTable", spec, from: section.at("mark") };
    }),
    diagnostics: [],
  }),
};

/** The roles of heddle, and this one. */
export const ROLES_AND_MARKER: readonly Role[] = [...ROLES, marker];
