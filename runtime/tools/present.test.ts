import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toolDenied, toolFailure, toolOutput } from "../protocol/tool-call.js";
import { presentResult } from "./present.js";

const MAX = 4_096;

describe("what fits", () => {
  it("is given as it is", () => {
    const output = { content: "x", list: [1, null, true] };
    expect(presentResult(toolOutput(output), MAX)).toEqual({
      text: JSON.stringify(output),
      is_error: false,
    });
  });

  it("a failure is an object with its kind and message, a denial names layer and capability", () => {
    const failed = presentResult(toolFailure("not_found", "gone"), MAX);
    expect(failed).toEqual({
      text: '{"error":{"kind":"not_found","message":"gone"}}',
      is_error: true,
    });
    const denial = { layer: "token", message: "no", capability: "file_read: /x" } as const;
    expect(JSON.parse(presentResult(toolDenied(denial), MAX).text)).toEqual({
      error: { kind: "denied", layer: "token", message: "no", capability: "file_read: /x" },
    });
  });
});

describe("what is too long", () => {
  it("loses the end of its longest text, keeps the rest, and says how to go on", () => {
    const page = { status: 200, body: "b".repeat(100_000), title: "short", truncated: false };
    const { text } = presentResult(toolOutput(page), MAX);
    const cut = JSON.parse(text) as { body: string; _cut: string };
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX);
    expect(Buffer.byteLength(text)).toBeGreaterThan(MAX - 700);
    expect(cut).toMatchObject({ status: 200, title: "short", truncated: true });
    expect(cut.body).toMatch(/^b+…\[cut\]$/);
    expect(cut._cut).toContain("ask for less");
  });

  it("numbered lines are cut between lines, and the offset to go on with is named", () => {
    const lines = Array.from(
      { length: 1_000 },
      (_, i) => `${String(i + 11).padStart(6)}\tline ${i + 11}`,
    );
    const output = {
      content: lines.join("\n"),
      total_lines: 2_000,
      offset: 11,
      returned_lines: 1_000,
      truncated: true,
      hint: "go on with offset 1011 of 2000 lines",
    };
    const cut = JSON.parse(presentResult(toolOutput(output), MAX).text) as typeof output;
    const last = Number(cut.content.split("\n").at(-1)?.split("\t")[0]);
    expect(cut.content.split("\n")).toHaveLength(cut.returned_lines);
    expect(last).toBe(10 + cut.returned_lines);
    expect(cut.hint).toBe(`go on with offset ${last + 1}`);
    expect(cut.truncated).toBe(true);
  });

  it("several long texts share the room", () => {
    const files = ["a", "b", "c"].map((name) => ({ path: name, content: name.repeat(50_000) }));
    const cut = JSON.parse(presentResult(toolOutput({ files }), MAX).text) as {
      files: typeof files;
    };
    for (const { content } of cut.files) expect(content.length).toBeGreaterThan(1_000);
  });

  it("a list of many small entries is shortened, and says so", () => {
    const entries = Array.from({ length: 5_000 }, (_, i) => ({ name: `file-${i}`, size_bytes: i }));
    const { text } = presentResult(toolOutput({ entries, truncated: false }), MAX);
    const cut = JSON.parse(text) as { entries: typeof entries; truncated: boolean };
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX);
    expect(cut.entries.length).toBeGreaterThan(50);
    expect(cut.entries[0]).toEqual({ name: "file-0", size_bytes: 0 });
    expect(cut.truncated).toBe(true);
  });

  it("any result stays whole JSON within its bound", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.nat(9_000).map((n) => '\u0001😀\n"'.repeat(n)),
    );
    const value = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: "small" },
        text,
        fc.integer(),
        fc.constant(null),
        fc.array(tie("json"), { maxLength: 20 }),
        fc.dictionary(fc.string(), tie("json"), { maxKeys: 10 }),
      ),
    })).json;
    fc.assert(
      fc.property(value, (output) => {
        const { text: presented } = presentResult(
          toolOutput(JSON.parse(JSON.stringify(output)) as never),
          2_048,
        );
        expect(Buffer.byteLength(presented)).toBeLessThanOrEqual(2_048);
        expect(() => JSON.parse(presented) as unknown).not.toThrow();
      }),
      { numRuns: 200 },
    );
  });
});
