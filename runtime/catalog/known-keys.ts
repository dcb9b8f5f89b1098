import { z } from "zod";
import type { FieldPath } from "./file-problem.js";

/** The keys that the schema knows in the object at `path`; none where it is no strict object. */
export function knownKeys(schema: unknown, path: FieldPath): readonly string[] {
  const here = unwrap(schema);
  const [key, ...rest] = path;
  if (here instanceof z.ZodUnion) {
    return here.options.flatMap((option: unknown) => knownKeys(option, path));
  }
  if (key === undefined) return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
  if (here instanceof z.ZodObject) return knownKeys(here.shape[String(key)], rest);
  if (here instanceof z.ZodRecord) return knownKeys(here.valueType, rest);
  if (here instanceof z.ZodArray) return knownKeys(here.element, rest);
  return [];
}

/** The schema below defaults, options and pipes. */
function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodPipe) return unwrap(schema.out);
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.unwrap());
  }
  return schema;
}
