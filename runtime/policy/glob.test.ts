import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers, matchGlob, overlaps } from "./glob.js";
import { escapeGlob, normaliseGlob, treeGlob } from "./glob-syntax.js";

/** The same language, spelled as a regular expression: slow and obvious. */
function naive(glob: string, path: string): boolean {
  if (glob === "/") return path === "/";
  const segments = glob.slice(1).split("/");
  let source = "";
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === "**" || (segment === "*" && isLast)) source += "(?:/[^/]+)*";
    else {
      const text = segment.replace(/\\([*\\])|\*|[^*\\]+/g, (whole, escaped?: string) => {
        if (escaped !== undefined) return `\\${escaped}`;
        return whole === "*" ? "[^/]*" : whole.replace(/[.+?^${}()|[\]]/g, "\\$&");
      });
      source += `/(?=[^/])${text}`;
    }
  }
  return new RegExp(`^${source}$`, "s").test(path === "/" ? "" : path);
}

const segmentText = fc.string({
  unit: fc.constantFrom("a", "b", ".", "*"),
  minLength: 1,
  maxLength: 4,
});
const pathSegment = fc
  .string({ unit: fc.constantFrom("a", "b", "."), minLength: 1, maxLength: 4 })
  .filter((s) => s !== "." && s !== "..");
const paths = fc.array(pathSegment, { maxLength: 5 }).map((s) => `/${s.join("/")}`);
const globs = fc
  .array(fc.oneof(segmentText, fc.constantFrom("*", "**", "a", "b")), { maxLength: 5 })
  .map((s) => `/${s.join("/")}`)
  .filter((text) => normaliseGlob(text).ok)
  .map((text) => {
    const normal = normaliseGlob(text);
    return normal.ok ? normal.glob : text;
  });

describe("a glob matches", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["/data/x.md", "/data/x.md", true],
    ["/data/x.md", "/data/x.md5", false],
    ["/data/*", "/data", true],
    ["/data/*", "/data/a/b/c.md", true],
    ["/data/*", "/dat", false],
    ["/logs/*.jsonl", "/logs/a.jsonl", true],
    ["/logs/*.jsonl", "/logs/.jsonl", true],
    ["/logs/*.jsonl", "/logs/a/b.jsonl", false],
    ["/data/foo*", "/data/foobar", true],
    ["/data/foo*", "/data/foobar/x", false],
    ["/src/*/Makefile", "/src/a/Makefile", true],
    ["/src/*/Makefile", "/src/Makefile", false],
    ["/src/*/Makefile", "/src/a/b/Makefile", false],
    ["/src/**/x.ts", "/src/x.ts", true],
    ["/src/**/x.ts", "/src/a/b/x.ts", true],
    ["/src/**/x.ts", "/src/a/y.ts", false],
    ["/a*b*c/*", "/aXbYc/deep/er", true],
    ["/", "/", true],
    ["/", "/a", false],
    ["/a\\*b", "/a*b", true],
    ["/a\\*b", "/aXb", false],
  ];
  it.each(table)("%s against %s: %s", (glob, path, expected) => {
    expect(matchGlob(glob, path)).toBe(expected);
  });

  it("A22-12 a glob ends at a separator: /data/* takes /data and all below, never /data-foo", () => {
    expect(matchGlob("/data/*", "/data/foo")).toBe(true);
    expect(matchGlob("/data/*", "/data-foo")).toBe(false);
    expect(matchGlob("/data/*", "/data-foo/x")).toBe(false);
  });

  it("A24-20 /* and /** match everything, /data/** the whole tree, *.ext one segment", () => {
    for (const path of ["/", "/a", "/a/b/c"]) {
      expect(matchGlob("/*", path)).toBe(true);
      expect(matchGlob("/**", path)).toBe(true);
    }
    expect(matchGlob("/data/**", "/data/a/b")).toBe(true);
    expect(matchGlob("/data/*.md", "/data/a.md")).toBe(true);
    expect(matchGlob("/data/*.md", "/data/a.txt")).toBe(false);
  });

  it("a path that is not absolute and normalised matches nothing", () => {
    for (const path of [
      "",
      "data/x",
      "/data/../etc/passwd",
      "/data//x",
      "/data/./x",
      "/data/",
      "/data/\0",
    ])
      expect(matchGlob("/**", path)).toBe(false);
  });

  it("agrees with a naive reference on every glob and path", () => {
    fc.assert(
      fc.property(globs, paths, (glob, path) => {
        expect(matchGlob(glob, path)).toBe(naive(glob, path));
      }),
      { numRuns: 5_000 },
    );
  });

  it("an escaped path matches itself and nothing else", () => {
    const wild = fc.array(
      fc.string({ unit: fc.constantFrom("a", "*", "\\"), minLength: 1, maxLength: 4 }),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(wild, paths, (segments, other) => {
        const path = `/${segments.join("/")}`;
        const glob = escapeGlob(path);
        expect(normaliseGlob(glob)).toEqual({ ok: true, glob });
        expect(matchGlob(glob, path)).toBe(true);
        expect(matchGlob(glob, other)).toBe(path === other);
      }),
      { numRuns: 2_000 },
    );
  });

  it("a hostile pattern costs no more than the product of the lengths", () => {
    const started = performance.now();
    expect(matchGlob(`/${"*a".repeat(2_000)}b`, `/${"a".repeat(4_000)}`)).toBe(false);
    expect(matchGlob(`${"/**/a".repeat(600)}/b`, `${"/a".repeat(1_500)}`)).toBe(false);
    expect(covers(`${"/**/a".repeat(600)}/b`, `${"/*/a".repeat(1_000)}`)).toBe(false);
    expect(overlaps(`${"/**/a*".repeat(500)}/b`, `${"/**/*a".repeat(500)}/c`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe("one glob covers another", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["/data/*", "/data/a/*", true],
    ["/data/*", "/data", true],
    ["/data/*", "/data/**/x.md", true],
    ["/data/a/*", "/data/*", false],
    ["/data/*.md", "/data/a.md", true],
    ["/data/*.md", "/data/a*.md", true],
    ["/data/a*.md", "/data/*.md", false],
    ["/data/*/x", "/data/**/x", false],
    ["/data/**/x", "/data/*/x", true],
    ["/*", "/**", true],
    ["/data", "/data/*", false],
  ];
  it.each(table)("%s covers %s: %s", (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });

  it("never where a path of the inner one is missing from the outer one", () => {
    fc.assert(
      fc.property(globs, globs, paths, (outer, inner, path) => {
        if (covers(outer, inner) && matchGlob(inner, path))
          expect(matchGlob(outer, path)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it("always itself, and a tree all below it", () => {
    fc.assert(
      fc.property(globs, (glob) => {
        expect(covers(glob, glob)).toBe(true);
        expect(covers("/*", glob)).toBe(true);
        expect(covers(treeGlob(glob), glob)).toBe(true);
      }),
    );
  });
});

describe("two globs overlap", () => {
  it("wherever one path is matched by both, in either order", () => {
    fc.assert(
      fc.property(globs, globs, paths, (a, b, path) => {
        expect(overlaps(a, b)).toBe(overlaps(b, a));
        if (matchGlob(a, path) && matchGlob(b, path)) expect(overlaps(a, b)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ["/data/*", "/output/*", false],
    ["/data/a*", "/data/b*", false],
    ["/data/*.md", "/data/*.txt", false],
    ["/data/a*", "/data/*b", true],
    ["/**/x", "/a/*", true],
    ["/a/**/x/y", "/a/y", false],
  ])("%s and %s: %s", (a, b, expected) => {
    expect(overlaps(a, b)).toBe(expected);
  });
});

describe("a glob is refused", () => {
  it.each(["data/*", "/data/../etc", "/a\0b", "/a\nb", "/a/**b", "/a\\b", "/a ", ""])(
    "%j",
    (text) => {
      expect(normaliseGlob(text).ok).toBe(false);
    },
  );
  it("and its twin is written in its one form", () => {
    expect(normaliseGlob("//data/./x/")).toEqual({ ok: true, glob: "/data/x" });
    expect(normaliseGlob("/")).toEqual({ ok: true, glob: "/" });
  });
});
