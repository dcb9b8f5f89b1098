import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { JsonObject } from "../protocol/json.js";
import { Plan } from "../protocol/plan.js";
import { fromStrict, toStrict } from "./strict-dialect.js";

const SCHEMA = z.toJSONSchema(Plan, { io: "input" }) as JsonObject;

describe("toStrict", () => {
  it("closes every object, requires every property and leaves no record, default, pattern or reference", () => {
    const strict = toStrict(SCHEMA);
    const objects = nodes(strict).filter((node) => node["type"] === "object");
    expect(objects.length).toBeGreaterThan(2);
    for (const node of objects) {
      expect(node["additionalProperties"]).toBe(false);
      expect(node["required"]).toEqual(Object.keys(node["properties"] as object));
    }
    expect(JSON.stringify(strict)).not.toMatch(
      /"(default|pattern|propertyNames|\$ref|\$schema|\$defs)":/,
    );
  });

  it("a record is a list of pairs and an optional property may be null", () => {
    const schema = z.toJSONSchema(
      z.object({ by_name: z.record(z.string(), z.int()), maybe: z.string().optional() }),
    ) as JsonObject;
    const pair = {
      type: "object",
      properties: { name: { type: "string" }, value: { type: "integer" } },
      required: ["name", "value"],
      additionalProperties: false,
    };
    expect(toStrict(schema)).toEqual({
      type: "object",
      properties: {
        by_name: { type: "array", items: pair },
        maybe: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
      required: ["by_name", "maybe"],
      additionalProperties: false,
    });
  });
});

describe("fromStrict", () => {
  it("turns pairs back into a record and drops the nulls of optional properties", () => {
    const value = {
      steps: [
        { id: "a", role: "r", params: [{ name: "k", value: 1 }], depends_on: null, ttl: null },
      ],
      final_output: "/x",
    };
    expect(fromStrict(SCHEMA, value)).toEqual({
      steps: [{ id: "a", role: "r", params: { k: 1 } }],
      final_output: "/x",
    });
  });

  it("what is in the original form already stays as it is", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const plan = fc.record({
      steps: fc.array(fc.record({ id: fc.string(), params: fc.dictionary(fc.string(), json) })),
      final_output: fc.string(),
    });
    fc.assert(
      fc.property(plan, (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(fromStrict(SCHEMA, plain)).toEqual(plain);
      }),
    );
  });

  it("never throws, whatever a model sends", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fromStrict(SCHEMA, value);
      }),
    );
  });
});

function nodes(schema: unknown): JsonObject[] {
  if (Array.isArray(schema)) return schema.flatMap(nodes);
  if (typeof schema !== "object" || schema === null) return [];
  return [schema as JsonObject, ...Object.values(schema).flatMap(nodes)];
}
