import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clipColumns, displayWidth, fitColumns } from "./display-width.js";
import { jsonLine, plainLine, plainText } from "./plain-text.js";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

describe("text from models and pages", () => {
  const attacks: readonly [string, string, string][] = [
    ["colours", "a\u001b[31mred\u001b[0m", "ared"],
    ["a title", "a\u001b]0;owned\u0007b", "ab"],
    ["a title ended by ST", "a\u001b]2;owned\u001b\\b", "ab"],
    ["a hyperlink", "\u001b]8;;http://evil\u001b\\click\u001b]8;;\u001b\\", "click"],
    ["clipboard writing", "a\u001b]52;c;ZXZpbA==\u0007b", "ab"],
    ["a device string", "a\u001bP+q544e\u001b\\b", "ab"],
    ["eight-bit CSI", "a\u009b2Jb", "ab"],
    ["eight-bit OSC", "a\u009d0;x\u009cb", "ab"],
    ["an unfinished sequence", "a\u001b[", "a"],
    ["a reset", "a\u001bcb", "ab"],
    ["backspaces", "safe\b\b\b\bevil", "safeevil"],
    ["a carriage return that rewrites the line", "safe\revil", "safe\nevil"],
    ["text run backwards", "a\u202egnp.exe", "agnp.exe"],
    ["hidden text", "a\u{e0041}\u200bb", "ab"],
  ];
  it.each(attacks)("cannot bring %s to the terminal", (_what, text, plain) => {
    expect(plainText(text)).toBe(plain);
  });

  it("keeps what people write: newlines, tabs, accents, other scripts, emoji", () => {
    const text = "é\tß\n比較 한글 עברית 👍🏽\n";
    expect(plainText(text)).toBe(text);
    expect(plainLine(" a\n\tb  c ")).toBe("a b c");
  });

  it("holds no control character, whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(plainText(text)).not.toMatch(CONTROL);
        expect(plainLine(text)).not.toMatch(/[\n\t]/);
      }),
      { numRuns: 2_000 },
    );
  });

  it("as JSON is the same value, and nothing that a terminal obeys", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(JSON.parse(jsonLine({ text }))).toEqual({ text });
        expect(jsonLine({ text })).not.toMatch(CONTROL);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("columns", () => {
  const widths: readonly [string, number][] = [
    ["abc", 3],
    ["比較", 4],
    ["한글", 4],
    ["ｆｕｌｌ", 8],
    ["e\u0301", 1],
    ["👍🏽", 2],
    ["👩‍👩‍👧", 2],
    ["⠋✓…·", 4],
    ["", 0],
  ];
  it.each(widths)("of %j are %i", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it("are never exceeded by what is clipped, nor a wide character cut in half", () => {
    expect(clipColumns("比較表", 4)).toBe("比…");
    expect(fitColumns("比較表", 4)).toBe("比… ");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 0, max: 40 }), (text, max) => {
        const plain = plainLine(text);
        expect(displayWidth(clipColumns(plain, max))).toBeLessThanOrEqual(max);
        expect(displayWidth(fitColumns(plain, max))).toBe(max);
      }),
    );
  });
});
