import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toolNames } from "./tool-names.js";

describe("toolNames", () => {
  it("A24-35 dots become two underscores, and allowed names stay as they are", () => {
    const names = toolNames(["mcp.github.x", "file_read"]);
    expect(names.toWire("mcp.github.x")).toBe("mcp__github__x");
    expect(names.fromWire("mcp__github__x")).toBe("mcp.github.x");
    expect(names.toWire("file_read")).toBe("file_read");
  });

  it("an unknown name passes through both ways", () => {
    expect(toolNames([]).fromWire("made__up")).toBe("made__up");
    expect(toolNames([]).toWire("made.up")).toBe("made.up");
  });

  it("any set of names is mapped to different names that APIs take, and back, in whatever order it comes", () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 100 }),
      fc.stringMatching(/^[a-c._]{1,6}$/),
      fc.stringMatching(/^[a-b.]{60,70}$/),
    );
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 20 }), (all) => {
        const names = toolNames(all);
        const wires = all.map((one) => names.toWire(one));
        expect(new Set(wires).size).toBe(all.length);
        for (const [index, wire] of wires.entries()) {
          expect(wire).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
          expect(names.fromWire(wire)).toBe(all[index]);
        }
        const reversed = toolNames([...all].reverse());
        expect(all.map((one) => reversed.toWire(one))).toEqual(wires);
      }),
    );
  });
});
