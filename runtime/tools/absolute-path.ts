import { z } from "zod";

/** What a plan and the file worker's wire take (`native/src/path.h`). */
const MAX_PATH_BYTES = 4_000;
const MAX_NAME_BYTES = 255;

/** A path as a tool takes it: absolute, without NUL, no longer than the file worker and Linux (NAME_MAX) take one, in bytes. */
export const AbsolutePath = z
  .string()
  .min(1, "must not be empty")
  .refine(
    (path) => Buffer.byteLength(path) <= MAX_PATH_BYTES,
    `is longer than ${MAX_PATH_BYTES} bytes`,
  )
  .refine(
    (path) => path.split("/").every((name) => Buffer.byteLength(name) <= MAX_NAME_BYTES),
    `holds a name longer than ${MAX_NAME_BYTES} bytes`,
  )
  .refine((path) => path.startsWith("/"), "must be an absolute path, beginning with /")
  .refine((path) => !path.includes("\0"), "must not hold a NUL character");
