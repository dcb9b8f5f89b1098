import { describe, expect, it } from "vitest";
import { expandRun } from "./placeholders.js";

describe("expandRun", () => {
  it("replaces {run} in strings, lists and objects, and leaves other braces alone", () => {
    expect(
      expandRun({ a: "{run}/x.md", b: ["{run}/y", 1, null], c: { d: "{param}" } }, "/w"),
    ).toEqual({
      a: "/w/x.md",
      b: ["/w/y", 1, null],
      c: { d: "{param}" },
    });
  });

  it("A24-37 expands once: a directory that itself holds {run} stays as it is", () => {
    expect(expandRun("{run}/x", "/odd/{run}")).toBe("/odd/{run}/x");
  });
});
