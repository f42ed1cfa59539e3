// Owns the form of the rows that tell what is going on, which come from files: what each must hold, and how much at most.
import * as z from "zod/mini";

const text = z.string().check(z.maxLength(256));
/** With a gateway, and a target that may have a path of 256 characters. */
const longText = z.string().check(z.maxLength(512));
const count = z.optional(z.number());

const share = z.object({
  name: text,
  state: z.enum(["active", "standby", "fault", "unknown"]),
  since: z.number(),
  why: text,
  holds: z.boolean(),
  priority: z.number(),
  addresses: z.array(text),
});

/** What the process of a gateway tells. */
export const gatewayRow = z.object({
  kind: z.literal("gateway"),
  section: text,
  at: z.number(),
  shares: z.array(share),
  drained: z.boolean(),
  uplink: z.optional(
    z.object({
      well: z.optional(z.boolean()),
      targets: z.array(z.object({ target: longText, well: z.optional(z.boolean()), rttMs: count })),
    }),
  ),
  connections: z.object({
    state: z.enum(["absent", "asking", "current"]),
    own: count,
    injected: count,
    refused: count,
    lost: count,
  }),
});

/** What was heard of a target. */
export const probeRow = z.object({
  kind: z.literal("probe"),
  name: longText,
  link: z.optional(text),
  at: z.number(),
  well: z.optional(z.boolean()),
  rttMs: count,
});

/** More than a section has hosts. */
const addresses = z.array(text).check(z.maxLength(8192));

/** On which of two segments hosts are. */
export const segmentRow = z.object({
  kind: z.literal("segment"),
  section: text,
  at: z.number(),
  hosts: z.tuple([addresses, addresses]),
});
