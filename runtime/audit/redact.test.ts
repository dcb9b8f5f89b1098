import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeRedactor } from "./redact.js";

const SECRET = 'k3y+with/odd"chars&=\\x';

describe("a known secret", () => {
  const redact = makeRedactor([SECRET, "short", ""]);
  for (const [form, text] of [
    ["as it is", `key: ${SECRET}.`],
    ["in JSON", JSON.stringify({ key: SECRET })],
    ["in JSON in JSON", JSON.stringify({ text: JSON.stringify({ key: SECRET }) })],
    ["in a URL", `https://x.test/?k=${encodeURIComponent(SECRET)}&b=1`],
    ["in hex", `0x${Buffer.from(SECRET).toString("hex")}`],
    ["in base64", Buffer.from(SECRET).toString("base64")],
    ["in base64 behind one byte", Buffer.from(`u${SECRET}`).toString("base64")],
    ["in base64 behind a user name", Buffer.from(`someone:${SECRET}`).toString("base64")],
    ["in base64url in the middle", Buffer.from(`ab${SECRET}cdef`).toString("base64url")],
  ] as const) {
    it(`is blanked ${form}`, () => {
      const clean = redact(text);
      expect(clean).toContain("[redacted]");
      const core = Buffer.from(SECRET).toString("base64").slice(4, 20);
      for (const rest of [SECRET, core]) expect(clean).not.toContain(rest);
    });
  }

  it("leaves all other text as it is, also words that a very short secret would hit", () => {
    const text = "a short text: the key of the matter, 100 % base64, k3y";
    expect(redact(text)).toBe(text);
  });

  it("never survives, whatever stands around it", () => {
    const letter = fc.constantFrom(..."abcdefXYZ0189-_");
    const secret = fc.string({ unit: letter, minLength: 12, maxLength: 40 });
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (known, before, after) => {
        expect(makeRedactor([known])(`${before}${known}${after}`)).not.toContain(known);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the well-known shape of a key", () => {
  const redact = makeRedactor([]);
  const pem =
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE\n-----END RSA PRIVATE KEY-----";
  for (const [text, clean] of [
    ["use sk-abcdefghijklmnop1234 now", "use [redacted] now"],
    ["sk-ant-api03-abcdefghijklmnop_1234-XY", "[redacted]"],
    ["Authorization: Bearer abc.def-123456", "Authorization: Bearer [redacted]"],
    ["authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: basic [redacted]"],
    [`ghp_${"a1".repeat(18)}.`, "[redacted]."],
    ["AKIAIOSFODNN7EXAMPLE", "[redacted]"],
    [`AIza${"x".repeat(35)}`, "[redacted]"],
    ["xoxb-123456789012-abcdef", "[redacted]"],
    ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk", "[redacted]"],
    ["https://user:pa55word@host.test/x", "https://user:[redacted]@host.test/x"],
    ["password=hunter2 next", "password=[redacted] next"],
    ['{"api_key": "abcdef123"}', '{"api_key": "[redacted]"}'],
    ['{\\"client_secret\\":\\"abcdef123\\"}', '{\\"client_secret\\":\\"[redacted]\\"}'],
    [`a ${pem} b`, "a [redacted] b"],
    [`a ${JSON.stringify(pem)} b`, 'a "[redacted]" b'],
    ["-----BEGIN PRIVATE KEY-----\nMIIE without an end", "[redacted]"],
  ] as const) {
    it(`is blanked: ${text.slice(0, 40).replaceAll("\n", " ")}`, () => {
      expect(redact(text)).toBe(clean);
    });
  }

  for (const text of [
    "the risk-free-of-charge-and-more offer",
    "the bearer of good news",
    "passwords are secret",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "https://host.test:8080/a@b",
    "max_tokens=1000",
  ]) {
    it(`is not seen in: ${text.slice(0, 40).replaceAll("\n", " ")}`, () => {
      expect(redact(text)).toBe(text);
    });
  }

  it("costs time in proportion to the text, also where a text is made to be slow", () => {
    for (const unit of [
      "-----BEGIN PRIVATE KEY-----",
      "a://a",
      "password",
      "eyJaaaaaaaa.",
      "Bearer ",
      "sk-",
      "secret  ",
    ]) {
      const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
      const start = performance.now();
      redact(text);
      expect(performance.now() - start, unit).toBeLessThan(2_000);
    }
  });
});
