import { describe, expect, it } from "vitest";
import { namedOutput } from "./goal.js";

describe("namedOutput", () => {
  it.each([
    ["Fetch http://a.example/x and write /data/report.md", "/data/report.md"],
    ["read /data/in.txt, summarise it and save the result to /data/out.md.", "/data/out.md"],
    ['write a report about caching to "/output/a b.md"', "/output/a"],
    ["Write /data/one.md, then compare and write /data/two.md!", "/data/two.md"],
    ["store it (in /data/notes.md)", "/data/notes.md"],
  ])("A22-17 finds the path that the operator named: %s", (goal, path) => {
    expect(namedOutput(goal)).toBe(path);
  });

  it.each([
    "summarise https://example.com/write/this/page.html",
    "read /data/in.txt and tell me what it says",
    "write a poem",
  ])("names nothing where the goal asks for no file: %s", (goal) => {
    expect(namedOutput(goal)).toBeUndefined();
  });
});
