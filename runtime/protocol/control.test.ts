import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { METHODS, STREAMING } from "./control.js";
import { RESULTS } from "./control-results.js";

const DOCS = join(import.meta.dirname, "../../docs/protocol.md");

describe("docs/protocol.md", () => {
  it("lists every method and no other, with every parameter of it", () => {
    const rows = [...readFileSync(DOCS, "utf8").matchAll(/^\| `([a-z]+\.[a-z_]+)` \|(.*?)\|/gm)];
    expect(rows.map(([, method]) => method).sort()).toEqual(Object.keys(METHODS).sort());
    for (const [, method = "", params = ""] of rows) {
      if (params.startsWith(" as ")) continue;
      const schema = METHODS[method as keyof typeof METHODS];
      for (const name of Object.keys(schema.shape))
        expect([method, params]).toEqual([method, expect.stringContaining(`\`${name}`)]);
    }
  });
});

describe("a method", () => {
  it("either has a result or streams", () => {
    const calls = Object.keys(METHODS).filter((method) => !STREAMING.has(method as never));
    expect(Object.keys(RESULTS).sort()).toEqual(calls.sort());
  });
});
