import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "./error-code.js";

const DOCS = join(import.meta.dirname, "../../docs/errors.md");

describe("docs/errors.md", () => {
  it("says of every error what the catalogue says, in its order, and of no other", () => {
    const rows = readFileSync(DOCS, "utf8").matchAll(/^\| `(\w+)` \| (\d) \| (.*) \|$/gm);
    const documented = [...rows].map(([, kind, exit, hint]) => [kind, Number(exit), hint]);
    const catalogue = Object.entries(ERROR_CODES).map(([kind, { exit, hint }]) => [
      kind,
      exit,
      hint,
    ]);
    expect(documented).toEqual(catalogue);
  });
});
