import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Capability, CapabilitySource } from "../protocol/capability.js";
import { checkTemplate, expandGrants, type Params, renderTemplate } from "./expand.js";
import { matchGlob } from "./glob.js";
import { formatCapability } from "./grammar.js";

function written(sources: readonly CapabilitySource[], params: Params): readonly string[] {
  return expandGrants(sources, params).grants.map((grant) => formatCapability(grant.capability));
}

function capabilities(source: CapabilitySource, params: Params): readonly Capability[] {
  return expandGrants([source], params).grants.map((grant) => grant.capability);
}

describe("a template grants", () => {
  it("U10 a value, each element of a list, a tree below a value", () => {
    expect(
      written(["file_read: {in.*}", "file_write: {out}", "file_write: {dir}/*"], {
        in: ["/a.md", "/b.md"],
        out: "/out/x.md",
        dir: "/work/",
      }),
    ).toEqual([
      "file_read: /a.md",
      "file_read: /b.md",
      "file_write: /out/x.md",
      "file_write: /work/*",
    ]);
  });

  it("with its constraints, in the map form too", () => {
    expect(
      expandGrants([{ file_write: "{out}", max_invocations: 3 }], { out: "/x" }).grants,
    ).toEqual([
      { capability: { kind: "file_write", glob: "/x" }, constraints: { max_invocations: 3 } },
    ]);
  });

  it("host and port of a URL, and of a host", () => {
    expect(written(["network: {url}"], { url: "https://Example.COM/a,b/*?q=*" })).toEqual([
      "network: example.com:443",
    ]);
    expect(written(["network: {url}"], { url: "http://[::1]:8080/" })).toEqual([
      "network: [::1]:8080",
    ]);
    expect(written(["network: {url}"], { url: "example.com" })).toEqual(["network: example.com"]);
    expect(written(["network: *.{d}:443, {d}"], { d: "example.com" })).toEqual([
      "network: *.example.com:443, example.com",
    ]);
  });

  it("a single text where each element of a list is meant", () => {
    expect(written(["file_read: {in.*}"], { in: "/a" })).toEqual(["file_read: /a"]);
  });
});

describe("a template grants nothing", () => {
  it("U4 where it names a parameter that is unset, and says nothing", () => {
    for (const params of [{}, { w: "" }, { w: [] }]) {
      const sources = ["file_write: {w}/*", "file_read: {w.*}", "network: a.com, {w}", "tool: {w}"];
      expect(expandGrants(sources, params)).toEqual({ grants: [], problems: [] });
    }
  });

  it("and says so, where a list stands for a value", () => {
    const { grants, problems } = expandGrants(["file_read: {in}"], { in: ["/a"] });
    expect(grants).toEqual([]);
    expect(problems).toEqual(["file_read: {in}: 'in' is a list: write {in.*}"]);
  });

  it.each(["toString", "constructor", "__proto__"])("for %s, which every object has", (name) => {
    expect(expandGrants([`tool: {${name.toLowerCase()}}`], {}).grants).toEqual([]);
    expect(renderTemplate(`{${name}}`, {})).toBe(`{${name}}`);
  });
});

describe("a value stays data", () => {
  it("A24-15 a value that would end a YAML string grants nothing beyond one odd path", () => {
    const value = "/data/x\"\n  - 'file_write: *'\n  - y";
    const { grants, problems } = expandGrants(["file_write: {out}"], { out: value });
    expect(grants).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(capabilities("file_write: {out}", { out: "/data/x' - file_write: *" })).toEqual([
      { kind: "file_write", glob: "/data/x' - file_write: \\*" },
    ]);
  });

  it("A24-16 a comma in a URL adds no host", () => {
    expect(written(["network: {url}"], { url: "https://a.com/,*" })).toEqual([
      "network: a.com:443",
    ]);
    for (const url of [
      "a.com,*",
      "a.com,b.com",
      "https://a.com,b.com/",
      "*",
      "*.com",
      "https://*/",
      "https://u:p@a.com/",
      "a.com b.com",
    ]) {
      const { grants, problems } = expandGrants(["network: {url}"], { url });
      expect(grants).toEqual([]);
      expect(problems).toHaveLength(1);
    }
  });

  it("A24-14 a star in a path value is a character, not a wildcard", () => {
    const [one] = capabilities("file_write: {out}", { out: "/*" });
    expect(one).toEqual({ kind: "file_write", glob: "/\\*" });
    expect(matchGlob("/\\*", "/etc")).toBe(false);
    expect(matchGlob("/\\*", "/*")).toBe(true);
    expect(written(["cargo_run: {w}"], { w: "/src/*" })).toEqual([]);
    expect(written(["cargo_run: {w}"], { w: "/src/x" })).toEqual(["cargo_run: /src/x"]);
  });

  it("a value cannot climb out of the path around it", () => {
    expect(expandGrants(["file_read: /data/{name}.md"], { name: "../etc/passwd" }).grants).toEqual(
      [],
    );
    expect(expandGrants(["file_read: /data/.{name}"], { name: "./etc" }).grants).toEqual([]);
    expect(written(["file_read: /data/{name}.md"], { name: "a" })).toEqual([
      "file_read: /data/a.md",
    ]);
  });

  it.each(["*", "a, b", "a|b", "a b", "{x}", "mcp.s.*", "-x", "web_search\n"])(
    "a name of %j is refused",
    (value) => {
      for (const template of [
        "tool: {p}",
        "spawn_child: [{p}]",
        "message_send: {p}",
        "exec: {p}",
        "exec: git {p}",
      ]) {
        expect(expandGrants([template], { p: value }).grants).toEqual([]);
      }
    },
  );

  it("A24-37 a placeholder inside a value is never expanded", () => {
    expect(written(["file_read: {a}"], { a: "/x/{b}", b: "/etc" })).toEqual(["file_read: /x/{b}"]);
    expect(renderTemplate("{a} {b}", { a: "{b}", b: "{a}" })).toBe("{b} {a}");
  });

  it("no value of a path parameter grants any path but its own", () => {
    const nasty = fc.string({
      unit: fc.constantFrom("a", "/", "*", "\\", ".", ",", "{", "}", " ", ":", "\n", "b"),
    });
    fc.assert(
      fc.property(nasty, nasty, (value, other) => {
        for (const capability of capabilities("file_write: {p}", {
          p: value,
          a: "/etc",
          b: "/etc",
        })) {
          if (capability.kind !== "file_write") throw new Error("another kind");
          const own = `/${value
            .split("/")
            .filter((s) => s !== "" && s !== ".")
            .join("/")}`;
          expect(matchGlob(capability.glob, own)).toBe(true);
          if (own !== other) expect(matchGlob(capability.glob, other)).toBe(false);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("no value of a host parameter grants more than one exact host", () => {
    const nasty = fc.string({
      unit: fc.constantFrom(
        "a",
        ".",
        "*",
        ",",
        "/",
        ":",
        "@",
        "h",
        "t",
        "p",
        "[",
        "]",
        "\\",
        " ",
        "1",
        "%",
        "#",
      ),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          nasty,
          nasty.map((s) => `https://${s}`),
        ),
        (value) => {
          for (const capability of capabilities("network: {p}", { p: value })) {
            if (capability.kind !== "network") throw new Error("another kind");
            expect(capability.hosts).toHaveLength(1);
            expect(capability.hosts[0]?.host).not.toContain("*");
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe("a message template", () => {
  it("joins lists, blanks the empty, leaves unknown names", () => {
    expect(renderTemplate('Read {in} as {t}{none}; {"k": {x}}', { in: ["/a", "/b"], t: "" })).toBe(
      'Read /a, /b as {none}; {"k": {x}}',
    );
  });
  it("a value's dollar signs mean nothing", () => {
    expect(renderTemplate("{a}", { a: "$& $1 $$" })).toBe("$& $1 $$");
  });
});

describe("checking a template before it is used", () => {
  it.each([
    "file_read: {in.*}",
    "file_write: {w}/*",
    "network: {url}",
    "network: *.{d}:{p}",
    "tool: mcp.{s}.x",
    "exec: git {sub}",
    "cargo_run: {w}",
    "web_search",
  ])("%s is taken", (source) => {
    expect(checkTemplate(source).ok).toBe(true);
  });
  it.each([
    "file_read: data/{x}",
    "file_read: {X}",
    "network: {a} {b}",
    "file_reed: {x}",
    "file_read: {a.*}/{b.*}",
    "file_read: {a}/../b",
  ])("%s is refused", (source) => {
    expect(checkTemplate(source).ok).toBe(false);
  });
});
