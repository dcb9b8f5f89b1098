import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { type Json, JsonObject } from "../../protocol/json.js";

/** Largest input schema that is taken from a server, in bytes of JSON. */
const MAX_SCHEMA_BYTES = 65_536;
/** Keywords whose check runs an expression that the server wrote: left to the server itself. */
const EXPRESSIONS: ReadonlySet<string> = new Set(["pattern", "patternProperties", "format"]);

export type ForeignSchema =
  | {
      readonly ok: true;
      /** For the model. */
      readonly schema: JsonObject;
      /** What is wrong with an input, or null. */
      readonly problem: (input: unknown) => string | null;
    }
  | { readonly ok: false; readonly problem: string };

/**
 * The input schema of a tool whose server nobody vouches for. Regular expressions in it are not run here: one that takes
 * exponential time would stop the daemon.
 */
export function foreignSchema(source: unknown): ForeignSchema {
  const parsed = JsonObject.safeParse(source);
  if (!parsed.success) return { ok: false, problem: "its input schema is no JSON object" };
  const text = JSON.stringify(parsed.data);
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES)
    return { ok: false, problem: `its input schema is larger than ${MAX_SCHEMA_BYTES} bytes` };
  const { $schema: _dialect, $id: _id, ...schema } = parsed.data;
  let validate: ValidateFunction;
  try {
    const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false });
    validate = ajv.compile(withoutExpressions(schema) as JsonObject);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, problem: `its input schema cannot be used: ${why}` };
  }
  return {
    ok: true,
    schema: { type: "object", ...schema },
    problem: (input) => (validate(input) ? null : explain(validate)),
  };
}

function withoutExpressions(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutExpressions);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !EXPRESSIONS.has(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutExpressions(item)]));
}

function explain(validate: ValidateFunction): string {
  return (validate.errors ?? [])
    .map(({ instancePath, message = "is not valid" }) => {
      const field = instancePath.replace(/^\//, "").replaceAll("/", ".");
      return field === "" ? message : `${field}: ${message}`;
    })
    .join("; ");
}
