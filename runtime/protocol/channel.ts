import { z } from "zod";
import { compareVersions } from "./version-order.js";

/** Channels by name; where one lies is a setting, and anybody can host one: static files. */
export const ChannelName = z.enum(["stable", "beta"]);
export type ChannelName = z.infer<typeof ChannelName>;

/** Times of day, in the machine's time zone. */
export const MaintenanceWindow = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/, "is two times, as 02:00-05:00");

/** `check` tells, `download` has it ready, `apply` installs it and starts it in the window. */
export const AutomaticUpgrade = z.enum(["off", "check", "download", "apply"]);

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const Release = z.strictObject({
  version: z.string().min(1),
  /** The kind of machine, as in the bundle. */
  compatible: z.string().min(1),
  /** Of the bundle; relative to the index, or absolute. */
  url: z.string().min(1),
  sha256: Sha256,
  size_bytes: z.int().positive(),
  /** Only machines that run this version or a newer one can take it. */
  min_version: z.string().optional(),
});
export type Release = z.infer<typeof Release>;

/** What `URL/CHANNEL.index` says, inside its signature (CMS, RFC 5652). */
export const ChannelIndex = z.strictObject({
  format: z.literal(1),
  channel: ChannelName,
  /** Grows with each index: an older one is never taken again. */
  serial: z.int().positive(),
  /** After that it is worth nothing: who holds newer ones back is found. */
  expires: z.iso.datetime(),
  /** SHA-256 of signers' certificates (DER) that may sign no index any more: how a key that was lost is rotated out. */
  retired: z.array(Sha256).default([]),
  releases: z.array(Release),
});
export type ChannelIndex = z.infer<typeof ChannelIndex>;

/** The newest release that this machine can take and does not have; undefined where there is none. Pure. */
export function newestRelease(
  { releases }: ChannelIndex,
  { compatible, version }: { readonly compatible: string; readonly version: string },
): Release | undefined {
  return releases
    .filter((release) => release.compatible === compatible)
    .filter(
      ({ min_version }) => min_version === undefined || compareVersions(version, min_version) >= 0,
    )
    .filter((release) => compareVersions(release.version, version) > 0)
    .sort((a, b) => compareVersions(b.version, a.version))[0];
}
