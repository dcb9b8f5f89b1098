import { describe, expect, it } from "vitest";
import { canonicalHost } from "../protocol/host-name.js";
import { parseHostEntry } from "./host-pattern.js";
import {
  coversHost,
  inRange,
  isPublicAddress,
  isPublicHost,
  matchHost,
  parseNetworkRule,
} from "./hosts.js";

describe("a public address", () => {
  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
  ])("%s is one", (ip) => {
    expect(isPublicAddress(ip)).toBe(true);
  });

  it.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "100::1",
    "3fff::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:a00:1",
    "fe80::1%eth0",
    "4000::1",
    "",
    "localhost",
    "1.2.3",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "1.2.3.4.5",
    "999.1.1.1",
    "[::1]",
  ])("%j is none", (ip) => {
    expect(isPublicAddress(ip)).toBe(false);
  });
});

describe("a host has one form", () => {
  it.each([
    ["EXAMPLE.org", "example.org"],
    ["example.org.", "example.org"],
    ["[::1]", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["::FFFF:127.0.0.1", "127.0.0.1"],
    ["0x7f.0.0.1", "127.0.0.1"],
    ["017700000001", "127.0.0.1"],
    ["127.1", "127.0.0.1"],
    ["127.0.0.1.", "127.0.0.1"],
    ["ｅｘａｍｐｌｅ.org", "example.org"],
    ["bücher.de", "xn--bcher-kva.de"],
    ["a_b.example.org", "a_b.example.org"],
  ])("%s is %s", (text, expected) => {
    expect(canonicalHost(text)).toBe(expected);
  });

  it.each([
    "",
    ".",
    "..",
    "a..b",
    "a.org..",
    "*",
    "*.a.org",
    "a b",
    "a/b",
    "a@b",
    "a:b",
    "a%2eorg",
    "a#b",
    "a?b",
    "a\\b",
    "[a]",
    "[::1",
    "::1%eth0",
    "1.2.3.4.5",
    "256.1.1.1",
    "a,b",
    "-a.org",
    "a\n.org",
    `${"a".repeat(64)}.org`,
  ])("%j is no host", (text) => {
    expect(canonicalHost(text)).toBeUndefined();
  });
});

describe("a pattern takes a host", () => {
  const takes = (pattern: string, host: string, port = 443): boolean => {
    const entry = parseHostEntry(pattern);
    if (!entry.ok) throw new Error(entry.problem);
    return matchHost(entry.pattern, host, port);
  };

  it("of its name and port, and no other", () => {
    expect(takes("a.org", "a.org", 1)).toBe(true);
    expect(takes("a.org:443", "a.org")).toBe(true);
    expect(takes("a.org:443", "a.org", 80)).toBe(false);
    expect(takes("a.org", "b.a.org")).toBe(false);
  });

  it("below a suffix at a dot, never the suffix itself or a longer name that ends so", () => {
    expect(takes("*.a.org", "x.a.org")).toBe(true);
    expect(takes("*.a.org", "x.y.a.org")).toBe(true);
    expect(takes("*.a.org", "a.org")).toBe(false);
    expect(takes("*.a.org", "xa.org")).toBe(false);
    expect(takes("*.a.org", "a.org.evil.com")).toBe(false);
  });

  it("A24-23 a wildcard takes the public internet only; what is inside must be named", () => {
    for (const host of [
      "127.0.0.1",
      "10.0.0.1",
      "169.254.169.254",
      "::1",
      "localhost",
      "x.localhost",
      "metadata.google.internal",
      "printer.local",
      "router",
    ]) {
      expect(isPublicHost(host)).toBe(false);
      expect(takes("*", host)).toBe(false);
      expect(takes(host.includes(":") ? `[${host}]` : host, host)).toBe(true);
    }
    expect(takes("*.localhost", "x.localhost")).toBe(false);
    expect(takes("*", "example.org")).toBe(true);
    expect(takes("*", "8.8.8.8")).toBe(true);
  });

  it("a covering pattern takes all that the covered one takes", () => {
    const covers = (outer: string, inner: string): boolean => {
      const [a, b] = [parseHostEntry(outer), parseHostEntry(inner)];
      return a.ok && b.ok && coversHost(a.pattern, b.pattern);
    };
    expect(covers("*", "*.a.org")).toBe(true);
    expect(covers("*.a.org", "*.x.a.org")).toBe(true);
    expect(covers("*.a.org", "x.a.org:443")).toBe(true);
    expect(covers("*:443", "a.org")).toBe(false);
    expect(covers("*", "127.0.0.1")).toBe(false);
    expect(covers("127.0.0.1", "127.0.0.1:80")).toBe(true);
    expect(covers("*.x.a.org", "*.a.org")).toBe(false);
  });
});

describe("an address range", () => {
  it("takes its addresses, also written inside IPv6, and no name", () => {
    expect(inRange("10.1.2.3", "10.0.0.0/8")).toBe(true);
    expect(inRange("11.0.0.1", "10.0.0.0/8")).toBe(false);
    expect(inRange("::ffff:10.1.2.3", "10.0.0.0/8")).toBe(true);
    expect(inRange("fd00::1", "fd00::/8")).toBe(true);
    expect(inRange("a.org", "10.0.0.0/8")).toBe(false);
  });
  it("is refused where it is none", () => {
    expect(parseNetworkRule("10.0.0.0/8")).toMatchObject({ ok: true, rule: { kind: "range" } });
    for (const text of ["10.0.0.0/33", "10.0.0/8", "fd00::/129", "a.org/8"])
      expect(parseNetworkRule(text).ok).toBe(false);
  });
});
