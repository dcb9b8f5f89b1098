import { z } from "zod";

/**
 * What `aaos-observe` writes, one object a line: what a program asked the kernel for, as it stood when it asked. Telemetry for a
 * person; whether the call then succeeded is not known. Mirrors `native/src/observed_call.h`.
 */
const Place = {
  /** The system call. */
  call: z.string(),
  pid: z.int(),
  /** Absolute and free of links, as far as it exists. */
  path: z.string().startsWith("/"),
  /** What was there when the program asked. */
  kind: z.enum(["file", "dir", "other", "absent"]),
  /** As the program named it, where that differs from `path`: it came through a link. */
  asked: z.string().optional(),
};

export const Observation = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("read"), ...Place }),
  z.strictObject({ op: z.literal("write"), ...Place }),
  /** Metadata only. */
  z.strictObject({ op: z.literal("look"), ...Place }),
  /** Arguments are cut at 64, each at 256 bytes. */
  z.strictObject({ op: z.literal("exec"), ...Place, argv: z.array(z.string()) }),
  z.strictObject({
    op: z.literal("connect"),
    call: z.string(),
    pid: z.int(),
    protocol: z.enum(["tcp", "udp", "unix", "unknown"]),
    host: z.string().optional(),
    port: z.int().min(0).max(65_535).optional(),
    path: z.string().optional(),
    kind: z.string().optional(),
  }),
]);
export type Observation = z.infer<typeof Observation>;
export type ObservedPath = Extract<Observation, { op: "read" | "write" | "look" | "exec" }>;
export type ObservedConnect = Extract<Observation, { op: "connect" }>;

/** The last line: how the program ended. */
export const ObservationEnd = z.strictObject({
  op: z.literal("exit"),
  code: z.int().nullable(),
  signal: z.int().nullable(),
  /** Why the program could not be started; 0 where it was. */
  exec_errno: z.int(),
  /** Calls whose arguments could not be read, and lines past the bound. */
  unreadable: z.int(),
  dropped: z.int(),
});
export type ObservationEnd = z.infer<typeof ObservationEnd>;
