import { z } from "zod";

const Root = z.string().regex(/^\//, "must be an absolute path");

/** `/etc/aaos/policy.yaml`: the operator's ceiling over every grant. What a section leaves out has the default shown. */
export const PolicyFile = z.strictObject({
  read: z
    .strictObject({
      allow: z.array(Root).default(["/data", "/src", "/usr/share/aaos"]),
      deny: z.array(Root).default([]),
    })
    .prefault({}),
  write: z
    .strictObject({
      allow: z.array(Root).default(["/data", "/output"]),
      deny: z.array(Root).default([]),
    })
    .prefault({}),
  /** `*` is the public internet; private, loopback, link-local and metadata addresses need to be named. HOST[:PORT]. */
  network: z
    .strictObject({
      allow: z.array(z.string().min(1)).default(["*"]),
      deny: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  exec: z
    .strictObject({
      allow: z
        .array(z.string().min(1))
        .default(["git", "rg", "cargo", "npm", "node", "python3", "make", "pandoc", "jq"]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      agents: z.int().positive().default(100),
      spawn_depth: z.int().min(0).default(5),
      tokens_per_day: z.int().positive().nullable().default(null),
      usd_per_day: z.number().positive().nullable().default(null),
    })
    .prefault({}),
});
export type PolicyFile = z.infer<typeof PolicyFile>;
