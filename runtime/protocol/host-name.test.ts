import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorityText, canonicalHost, parseAuthority } from "./host-name.js";

describe("canonical host", () => {
  it.each([
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    ["localhost", "localhost"],
    ["_dmarc.example.com", "_dmarc.example.com"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["例え。テスト", "xn--r8jz45g.xn--zckzah"],
    ["ｅｘａｍｐｌｅ.com", "example.com"],
    ["127.0.0.1", "127.0.0.1"],
    ["１２７.0.0.1", "127.0.0.1"],
    ["127.1", "127.0.0.1"],
    ["2130706433", "127.0.0.1"],
    ["0x7f000001", "127.0.0.1"],
    ["0x7f.1", "127.0.0.1"],
    ["0177.0.0.01", "127.0.0.1"],
    ["0", "0.0.0.0"],
    ["192.168.257", "192.168.1.1"],
    ["127.0.0.1.", "127.0.0.1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["[::ffff:7f00:1]", "127.0.0.1"],
    ["64:ff9b::7f00:1", "64:ff9b::7f00:1"],
  ])("%s is %s", (text, expected) => {
    expect(canonicalHost(text)).toBe(expected);
  });

  it.each([
    "",
    ".",
    "..",
    "a..b",
    ".example.com",
    "example.com..",
    "attacker\0.google.com",
    "a b",
    "a\tb",
    "a\r\nb",
    "a%00b",
    "%31%32%37.0.0.1",
    "user@example.com",
    "example.com/path",
    "example.com\\@evil",
    "example.com?x",
    "example.com#x",
    "*.example.com",
    "-a.example",
    "a-.example",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(130)}example`,
    "xn--\u{1f4a9}",
    "xn--a",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.256",
    "08.1.1.1",
    "4294967296",
    "example.0x",
    "1.2.3.abc.1",
    "fe80::1%eth0",
    "[fe80::1%25eth0]",
    "[::1",
    "::1]",
    "[127.0.0.1]",
    "[example.com]",
    "1:2",
    "::1::",
    "a".repeat(2_000),
    "exa\u00admple.com\u0000",
  ])("%j is no host", (text) => {
    expect(canonicalHost(text)).toBeUndefined();
  });

  it("comes out unchanged when it goes in again", () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.ipV4Extended(), fc.ipV6(), fc.string()), (text) => {
        const once = canonicalHost(text);
        if (once !== undefined) expect(canonicalHost(once)).toBe(once);
      }),
    );
  });

  it("is where a URL parser would go, whenever both know the host", () => {
    fc.assert(
      fc.property(fc.oneof(fc.webAuthority({ withUserInfo: false }), fc.ipV4Extended()), (text) => {
        const mine = parseAuthority(text);
        if (mine === undefined || !URL.canParse(`http://${text}/`)) return;
        const theirs = new URL(`http://${text}/`);
        expect(canonicalHost(theirs.hostname)).toBe(mine.host);
        expect(theirs.port === "" ? 80 : Number(theirs.port)).toBe(mine.port ?? 80);
      }),
    );
  });
});

describe("authority", () => {
  it("is a host with or without a port", () => {
    expect(parseAuthority("Example.com:443")).toEqual({ host: "example.com", port: 443 });
    expect(parseAuthority("example.com")).toEqual({ host: "example.com", port: null });
    expect(parseAuthority("[::1]:8080")).toEqual({ host: "::1", port: 8080 });
    expect(parseAuthority("[::1]")).toEqual({ host: "::1", port: null });
  });

  it.each(["a:0", "a:65536", "a:", "a:1:2", ":80", "::1:80x", "a:+1", "a: 1", "u@a:1", "[::1]x:1"])(
    "%j is none",
    (text) => {
      expect(parseAuthority(text)).toBeUndefined();
    },
  );

  it("is written with brackets around IPv6 only", () => {
    expect(authorityText("::1", 80)).toBe("[::1]:80");
    expect(authorityText("a.example", 80)).toBe("a.example:80");
  });
});
