import { z } from "zod";

/** A path as a tool takes it: absolute, without NUL, at most 4096 bytes (PATH_MAX of Linux). */
export const AbsolutePath = z
  .string()
  .min(1, "must not be empty")
  .max(4_096, "is longer than 4096 characters")
  .refine((path) => path.startsWith("/"), "must be an absolute path, beginning with /")
  .refine((path) => !path.includes("\0"), "must not hold a NUL character");
