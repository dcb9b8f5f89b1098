import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ALL_ATTEMPTS } from "./all-attempts.js";
import { ELSEWHERE } from "./elsewhere.js";
import { TOOL_ATTEMPTS } from "./tool-attempts.js";

const REPO = fileURLToPath(new URL("../../", import.meta.url));
const read = (file: string): string => readFileSync(join(REPO, file), "utf8");

/** The rows of a Markdown document's tables by their first cell, bold or not. */
function rowsOf(file: string): ReadonlyMap<string, readonly (readonly string[])[]> {
  const rows = new Map<string, (readonly string[])[]>();
  for (const line of read(file).split("\n")) {
    if (!line.startsWith("| ")) continue;
    const cells = line.slice(2, -2).split(" | ");
    const plain = cells.map((cell) => cell.replaceAll("\\|", "|").replaceAll("**", "").trim());
    const [id = ""] = plain;
    rows.set(id, [...(rows.get(id) ?? []), plain]);
  }
  return rows;
}

describe("A22-24 the documents of confinement say what is so:", () => {
  const rows = rowsOf("docs/conformance.md");

  it("docs/conformance.md has every attempt that the suite makes, with the answer that it must have", () => {
    const wrong = ALL_ATTEMPTS.filter(
      ({ id, expect: stated }) => !(rows.get(id) ?? []).some((cells) => cells[4] === stated),
    );
    expect(wrong.map(({ id }) => id)).toEqual([]);
    const wrongTools = TOOL_ATTEMPTS.filter(
      ({ id, expect: stated }) => !(rows.get(id) ?? []).some((cells) => cells[4] === stated),
    );
    expect(wrongTools.map(({ id }) => id)).toEqual([]);
  });

  it("it gives the reason of whatever is accepted, names where the others are tried, and tells of no problem", () => {
    const reasons = [...ALL_ATTEMPTS, ...TOOL_ATTEMPTS].flatMap(({ id, accepted }) =>
      accepted === undefined ? [] : [{ id, accepted }],
    );
    for (const { id, accepted } of reasons)
      expect(rows.get(id)?.map((cells) => cells[2])).toContain(accepted);
    for (const { id, where } of ELSEWHERE)
      expect(rows.get(id)?.map((cells) => cells[2])).toContain(where);
    expect(read("docs/conformance.md")).toMatch(/ 0 problems\. Every answer is the one stated\./);
  });

  it("every test and file that the threat model, and the list of what is tried elsewhere, refer to is there", () => {
    const named = [...read("docs/threat-model.md").matchAll(/`(runtime\/[\w./-]+)`/g)].map(
      ([, file = ""]) => file,
    );
    const tests = ELSEWHERE.flatMap(({ where }) =>
      [...where.matchAll(/`(\w+\/[\w/-]+\.test\.ts)`/g)].map(([, file]) => `runtime/${file}`),
    );
    expect(named.length).toBeGreaterThan(1);
    for (const file of [...named, ...tests]) expect(existsSync(join(REPO, file)), file).toBe(true);
  });
});
