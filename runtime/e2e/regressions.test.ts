import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const REPO = fileURLToPath(new URL("../../", import.meta.url));

interface Row {
  readonly number: string;
  readonly rule: string;
  /** Where its test is, or the issue it waits for. */
  readonly place: string;
}

const rows: readonly Row[] = readFileSync(join(REPO, "docs/regressions.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, number, rule, place] = /^\| ([AU]\d\S*) \| (.+) \| (.+) \|$/.exec(line) ?? [];
    if (number === undefined || rule === undefined || place === undefined) return [];
    return [{ number, rule, place: place.replaceAll("`", "") }];
  });

/** The numbers that stand at the beginning of the titles of a test file, each as often as it does. */
function numbersOf(text: string): readonly string[] {
  const titles = text.matchAll(/\b(?:it|describe)(?:\.[\w.]+)?\(\s*(["'`])(.*?)\1/g);
  const each = text.matchAll(/\]\s*(?:as const)?\s*,?\s*\)\(\s*(["'`])(.*?)\1/g);
  const skipped = text.matchAll(/\.skipIf\([^\n]*\)\(\s*(["'`])(.*?)\1/g);
  return [...titles, ...each, ...skipped].flatMap(([, , title = ""]) => {
    const numbers = /^(?:(?:A\d+(?:-\w+)?|U\d+) )+/.exec(title)?.[0] ?? "";
    return numbers.split(" ").filter((number) => number !== "");
  });
}

function testFiles(): readonly string[] {
  return ["runtime", "image/test"].flatMap((dir) =>
    readdirSync(join(REPO, dir), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.test\.(ts|mjs)$/.test(file))
      .map((file) => `${dir}/${file}`),
  );
}

const held = new Map(
  testFiles().map((file) => [file, new Set(numbersOf(readFileSync(join(REPO, file), "utf8")))]),
);

describe("docs/regressions.md", () => {
  it("has every number once, in order", () => {
    const range = (prefix: string, last: number) =>
      Array.from({ length: last }, (_, index) => `${prefix}${index + 1}`);
    expect(rows.map(({ number }) => number)).toEqual([
      ...range("A", 20),
      ...range("A22-", 43),
      ...range("A24-", 37),
      ...range("U", 18),
    ]);
  });

  it.each(rows.filter(({ place }) => !place.startsWith("issue ")))(
    "$number is held by a test in $place",
    ({ number, place }) => {
      expect(held.get(place), `${place} is no test file`).toBeDefined();
      expect([...(held.get(place) ?? [])]).toContain(number);
    },
  );

  it("a number that waits for an issue says which, and one whose test exists waits for none", () => {
    const waiting = rows.filter(({ place }) => place.startsWith("issue "));
    for (const { place } of waiting) expect(place).toMatch(/^issue [3-9]$/);
    const numbers = new Set([...held.values()].flatMap((set) => [...set]));
    expect(waiting.filter(({ number }) => numbers.has(number)).map(({ number }) => number)).toEqual(
      [],
    );
  });

  it("a number in a title is in the table", () => {
    const known = new Set(rows.map(({ number }) => number));
    const used = [...held.values()].flatMap((set) => [...set]);
    expect(
      used.filter((number) => /^(A\d+(-\d+)?|U\d+)$/.test(number) && !known.has(number)),
    ).toEqual([]);
  });
});
