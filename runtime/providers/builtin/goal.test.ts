import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseGoal } from "./goal.js";

function understood(text: string) {
  const result = parseGoal(text);
  if (!result.ok) throw new Error(result.why);
  const { operation, output, sources } = result.goal;
  return [operation, sources.map((source) => source.where), output];
}

describe("parseGoal", () => {
  it.each([
    [
      "Fetch http://a.org/x and http://b.org/y, compare them, write /output/compare.md",
      ["compare", ["http://a.org/x", "http://b.org/y"], "/output/compare.md"],
    ],
    ["fetch https://a.org and save it to /data/a.md", ["collect", ["https://a.org"], "/data/a.md"]],
    [
      "Download https://a.org/p?q=1&r=2 to /data/a.html.",
      ["collect", ["https://a.org/p?q=1&r=2"], "/data/a.html"],
    ],
    ["Summarise /data/notes.md to /output/s.md", ["summarise", ["/data/notes.md"], "/output/s.md"]],
    ["Please summarize https://a.org", ["summarise", ["https://a.org"], null]],
    [
      "Write a summary of /data/a.md and /data/b.md to /output/b.md",
      ["summarise", ["/data/a.md", "/data/b.md"], "/output/b.md"],
    ],
    [
      "compare /data/a.md to /data/b.md and write the result into /output/c.md",
      ["compare", ["/data/a.md", "/data/b.md"], "/output/c.md"],
    ],
    [
      "Read https://a.org and https://b.org/x_(y). Extract the prices and write them to prices.md",
      ["extract", ["https://a.org", "https://b.org/x_(y)"], "{run}/prices.md"],
    ],
    [
      "list the open questions in '/data/my notes.md' and store the list as /output/q.md",
      ["list", ["/data/my notes.md"], "/output/q.md"],
    ],
    ["Outline /data/book.md, save to {run}/toc.md", ["outline", ["/data/book.md"], "{run}/toc.md"]],
    [
      "Summarise https://a.org into /output/",
      ["summarise", ["https://a.org"], "/output/summarise.md"],
    ],
    [
      "Could you please analyse https://a.org, https://b.org and https://c.org, then write a report to /output/r.md?",
      ["analyse", ["https://a.org", "https://b.org", "https://c.org"], "/output/r.md"],
    ],
    [
      "From https://a.org extract names and dates, and put them in /output/n.md",
      ["extract", ["https://a.org"], "/output/n.md"],
    ],
    [
      "Fetch https://a.org, https://a.org and summarise, write to `/output/a.md`",
      ["summarise", ["https://a.org"], "/output/a.md"],
    ],
  ])("understands: %s", (text, wanted) => {
    expect(understood(text)).toEqual(wanted);
  });

  it.each([
    ["Write a poem to /output/poem.md", "names no URL"],
    ["What is the capital of France?", "names no URL"],
    ["Translate https://a.org into German and write /output/g.md", "beyond"],
    ["Fetch https://a.org, translate it into German, and write /output/g.md", "beyond"],
    ["Fetch https://a.org and transmogrify it to /output/g.md", "beyond"],
    ["Delete /data/a.md", "beyond"],
    ["Read /data/a.md and fix the bugs in it", "beyond"],
    ["Compare https://a.org with my expectations", "two sources"],
    ["Summarise /data/reports/", "no absolute path"],
    ["Summarise /data/*.md to /output/s.md", "no absolute path"],
    ["Summarise notes.md to /output/s.md", "no absolute path"],
    ["Write /output/a.md and /output/b.md from https://a.org", "more than one output"],
    ["", "names no URL"],
  ])("refuses and says why: %s", (text, why) => {
    const result = parseGoal(text);
    expect(result.ok ? "understood" : result.why).toContain(why);
  });

  it("a goal is data: nothing in it makes the parser throw or take long", () => {
    const piece = fc.constantFrom(
      "https://a.org/x",
      "/data/a.md",
      "to",
      "write",
      "compare",
      ",",
      "and",
      "{run}/x",
      '"',
      "(",
      "\ue0000\ue001",
      "~/x",
      "\n",
    );
    const goal = fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 });
    fc.assert(
      fc.property(goal, (pieces) => {
        const result = parseGoal(pieces.join(" "));
        if (result.ok) expect(result.goal.sources.length).toBeGreaterThan(0);
      }),
    );
    const started = performance.now();
    parseGoal("fetch https://a.org/".concat("(".repeat(20_000), " and ".repeat(5_000)));
    parseGoal("compare /a ".repeat(6_000));
    parseGoal("/a compare ".repeat(100).concat("compare ".repeat(7_000), "/b"));
    parseGoal("a".repeat(65_000));
    parseGoal("a.b/".repeat(16_000));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
