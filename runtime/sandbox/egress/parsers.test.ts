import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzTargets } from "../../test/egress-targets.js";
import { clientHelloOf, dnsQuery, mutate, refragment, seededRandom } from "../../test/mutate.js";
import { addressClass } from "./address-guard.js";
import { parseClientHello, parseSecondHello } from "./parse-client-hello.js";
import { parseDnsQuery } from "./parse-dns.js";
import { parseSocksRequest } from "./parse-socks.js";
import { parseOpening } from "./tunnel.js";

describe("any bytes at all", () => {
  it("leave every parser standing, with its rules kept", async () => {
    for (const target of await fuzzTargets()) {
      const random = seededRandom(7);
      for (let round = 0; round < 4_000; round++) {
        const seed = target.seeds[round % target.seeds.length] ?? Buffer.alloc(0);
        const bytes = mutate(seed, target.dictionary, random);
        target.check(bytes, Math.floor(random() * (bytes.length + 1)));
      }
    }
  });

  it("of pure noise do so too", async () => {
    const targets = await fuzzTargets();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), (noise, split) => {
        for (const target of targets) target.check(Buffer.from(noise), split);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("ClientHello", () => {
  it("gives the name that a real client asks for, in one record or in many", async () => {
    const hello = await clientHelloOf({ servername: "Granted.test" });
    for (const bytes of [
      hello,
      refragment(hello, 1_000),
      refragment(hello, 100),
      refragment(hello, 10),
    ]) {
      const parsed = parseClientHello(bytes);
      expect(parsed).toMatchObject({ kind: "done", consumed: bytes.length });
      if (parsed.kind === "done") expect(parsed.value.serverName).toBe("granted.test");
    }
  });

  it("waits for every byte of it", async () => {
    const hello = refragment(await clientHelloOf({ servername: "granted.test" }), 90);
    for (let length = 0; length < hello.length; length++)
      expect(parseClientHello(hello.subarray(0, length)).kind).toBe("more");
  });

  it("knows a client that names no host", async () => {
    const parsed = parseClientHello(await clientHelloOf({}));
    expect(parsed).toMatchObject({ kind: "done", value: { serverName: null } });
  });

  it.each([
    ["HTTP", "GET / HTTP/1.1\r\n\r\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.9\r\n"],
    ["SSLv2", "\x80\x2e\x01\x00\x02"],
    ["an alert", "\x15\x03\x01\x00\x02\x02\x28"],
    ["an empty record", "\x16\x03\x01\x00\x00"],
    ["an oversized record", "\x16\x03\x01\xff\xff"],
  ])("is not %s", (_, text) => {
    expect(parseClientHello(Buffer.from(text, "latin1")).kind).toBe("bad");
  });

  it("is not cut into thousands of records", async () => {
    const hello = await clientHelloOf({ servername: "granted.test" });
    expect(parseClientHello(refragment(hello, 1)).kind).toBe("bad");
  });

  it.each([
    ["a name of two hosts", (name: Buffer) => Buffer.concat([extension(0, nameList(name, name))])],
    [
      "the extension twice",
      (name: Buffer) => Buffer.concat([extension(0, nameList(name)), extension(0, nameList(name))]),
    ],
    ["a NUL in the name", () => extension(0, nameList(Buffer.from("evil.test\0.granted.test")))],
    ["an empty name", () => extension(0, nameList(Buffer.alloc(0)))],
    [
      "a wrong inner length",
      (name: Buffer) => extension(0, Buffer.concat([nameList(name), Buffer.alloc(1)])),
    ],
  ])("with %s is malformed", (_, extensions) => {
    expect(parseClientHello(helloWith(extensions(Buffer.from("granted.test")))).kind).toBe("bad");
  });

  it("tells of an encrypted one, and of early data", () => {
    const name = extension(0, nameList(Buffer.from("granted.test")));
    const parsed = parseClientHello(
      helloWith(
        Buffer.concat([name, extension(0xfe0d, Buffer.alloc(8)), extension(42, Buffer.alloc(0))]),
      ),
    );
    expect(parsed).toMatchObject({
      value: { serverName: "granted.test", encrypted: true, earlyData: true },
    });
  });

  it("T10 is read again after a HelloRetryRequest, behind change_cipher_spec", async () => {
    const hello = await clientHelloOf({ servername: "evil.test" });
    const second = Buffer.concat([Buffer.from([0x14, 3, 3, 0, 1, 1]), hello]);
    expect(parseSecondHello(second)).toMatchObject({
      value: { serverName: "evil.test" },
      consumed: second.length,
    });
    expect(parseSecondHello(Buffer.from([0x14, 3, 3, 0, 1, 1, 0x17, 3, 3]))).toMatchObject({
      value: null,
      consumed: 0,
    });
  });

  function extension(type: number, body: Buffer): Buffer {
    return Buffer.concat([
      Buffer.from([type >> 8, type & 255, body.length >> 8, body.length & 255]),
      body,
    ]);
  }
  function nameList(...names: readonly Buffer[]): Buffer {
    const entries = names.map((name) => Buffer.concat([Buffer.from([0, 0, name.length]), name]));
    const list = Buffer.concat(entries);
    return Buffer.concat([Buffer.from([0, list.length]), list]);
  }
  function helloWith(extensions: Buffer): Buffer {
    const fixed = Buffer.concat([
      Buffer.from([3, 3]),
      Buffer.alloc(32),
      Buffer.from([0, 0, 2, 0x13, 1, 1, 0]),
    ]);
    const body = Buffer.concat([
      fixed,
      Buffer.from([extensions.length >> 8, extensions.length & 255]),
      extensions,
    ]);
    const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
    return Buffer.concat([
      Buffer.from([0x16, 3, 1, message.length >> 8, message.length & 255]),
      message,
    ]);
  }
});

describe("DNS query", () => {
  it("T06 a compression pointer, a label over 63 octets and a name over 255 are malformed", () => {
    const header = dnsQuery([]).subarray(0, 12);
    const pointer = Buffer.concat([header, Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
    const long = Buffer.concat([
      header,
      Buffer.from([64]),
      Buffer.alloc(64, 97),
      Buffer.from([0, 0, 1, 0, 1]),
    ]);
    const deep = dnsQuery(Array.from({ length: 5 }, () => "a".repeat(60)));
    for (const bytes of [pointer, long, deep])
      expect(parseDnsQuery(bytes)).toMatchObject({ kind: "malformed", rcode: "FORMERR" });
  });

  it("for a name that is none keeps no name: dots and NULs inside labels, other octets", () => {
    for (const labels of [["a.granted", "test"], ["granted\0", "test"], ["gr nted", "test"], []]) {
      const parsed = parseDnsQuery(dnsQuery(labels));
      expect(parsed).toMatchObject({ kind: "query", query: { name: null } });
    }
  });

  it("of two questions, with answers, or of another opcode is answered with an error; a response is dropped", () => {
    const patched = (at: number, value: number) => {
      const bytes = dnsQuery(["granted", "test"]);
      bytes[at] = value;
      return parseDnsQuery(bytes);
    };
    expect(patched(5, 2)).toMatchObject({ rcode: "FORMERR" });
    expect(patched(7, 1)).toMatchObject({ rcode: "FORMERR" });
    expect(patched(2, 0x28)).toMatchObject({ rcode: "NOTIMP" });
    expect(patched(2, 0x80)).toEqual({ kind: "drop" });
  });
});

describe("SOCKS request", () => {
  it("names no host in brackets, with a zone, or beyond ASCII", () => {
    for (const host of ["[::1]", "fe80::1%eth0", "b\u00fccher.test", "a b", ""]) {
      const name = Buffer.from(host, "latin1");
      const bytes = Buffer.concat([
        Buffer.from([5, 1, 0, 3, name.length]),
        name,
        Buffer.from([0, 80]),
      ]);
      expect(parseSocksRequest(bytes).kind).toBe("bad");
    }
  });
});

describe("the first bytes of a tunnel", () => {
  it.each([
    ["\x16\x03\x01", "tls"],
    ["GET / HTTP/1.1\r\n", "http"],
    ["\r\nGET / HTTP/1.1\r\n", "http"],
    ["PRI * HTTP/2.0\r\n", "other"],
    ["SSH-2.0-x\r\n", "other"],
    ["GET without a version\r\n", "other"],
    ["*1\r\n$4\r\nPING\r\n", "other"],
    ["still", "other"],
  ])("%j are %s", (text, expected) => {
    expect(parseOpening(Buffer.from(text, "latin1"))).toMatchObject({ value: expected });
  });

  it("may still become HTTP while they are its beginning", () => {
    for (const text of ["", "G", "GET ", "GET /", "\r\n", "\x16"])
      expect(parseOpening(Buffer.from(text, "latin1")).kind).toBe("more");
  });
});

describe("address", () => {
  it.each([
    ["93.184.216.34", "public"],
    ["2606:2800:220:1::1", "public"],
    ["127.0.0.1", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["10.0.0.1", "private"],
    ["100.64.0.1", "private"],
    ["fd12::1", "private"],
    ["169.254.1.1", "link_local"],
    ["fe80::1", "link_local"],
    ["169.254.169.254", "metadata"],
    ["::ffff:169.254.169.254", "metadata"],
    ["168.63.129.16", "metadata"],
    ["fd00:ec2::254", "metadata"],
    ["64:ff9b::7f00:1", "embedded"],
    ["64:ff9b:1::7f00:1", "embedded"],
    ["2002:7f00:1::", "embedded"],
    ["2001:0:1::1", "embedded"],
    ["::7f00:1", "embedded"],
    ["2a00::200:5efe:a00:1", "embedded"],
    ["224.0.0.1", "special"],
    ["255.255.255.255", "special"],
    ["0.0.0.0", "special"],
    ["::", "special"],
    ["192.0.2.1", "special"],
    ["198.18.0.1", "special"],
    ["240.0.0.1", "special"],
    ["2001:db8::1", "special"],
    ["fec0::1", "special"],
    ["4000::1", "special"],
    ["fe80::1%eth0", "special"],
    ["nonsense", "special"],
  ])("%s is %s", (address, kind) => {
    expect(addressClass(address, [])).toBe(kind);
  });

  it("of the machine itself is its own, in either spelling", () => {
    expect(addressClass("93.184.216.34", ["fe80::1%eth0", "93.184.216.34"])).toBe("own");
    expect(addressClass("2606:2800:220:1::1", ["2606:2800:220:1:0:0:0:1"])).toBe("own");
  });
});
