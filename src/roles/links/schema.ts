// Owns what may be written under `links`.
import * as z from "zod/mini";
import { described, interfaceAddress } from "../fields.ts";

export const linksSchema = z.strictObject({
  addresses: described(
    "Addresses with the lengths of their subnets, put on the link in this order; others that it has are left alone.",
    z.array(interfaceAddress).check(z.minLength(1, "expected at least one address")),
  ),
});

export type Links = z.output<typeof linksSchema>;
