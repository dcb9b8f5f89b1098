import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Access } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { CapabilitySource, Grant } from "../protocol/capability.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { arbitraryAccess, arbitraryCapability } from "../test/arbitrary-capability.js";
import { type Ceiling, ceilingAllows, makeCeiling, withinCeiling } from "./ceiling.js";
import { exactCapability } from "./exact-capability.js";
import { parseGrant } from "./grammar.js";
import { coversCapability } from "./narrow.js";

const WORKSPACE = "/tmp/root/var/lib/aaos/workspace/R1";

function ceiling(policy: unknown = {}, workspace: string | null = WORKSPACE): Ceiling {
  const never = ["/tmp/root/var/lib/aaos", "/tmp/root/etc/aaos", "/tmp/root/run"];
  return makeCeiling(PolicyFile.parse(policy), { workspace, never });
}

function grant(source: CapabilitySource): Grant {
  const parsed = parseGrant(source);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.grant;
}

function allows(access: Access, under: Ceiling = ceiling()): boolean {
  return ceilingAllows(under, access) === undefined;
}

const read = (path: string): Access => ({ kind: "file_read", path });
const write = (path: string): Access => ({ kind: "file_write", path });
const connect = (host: string, port = 443): Access => ({ kind: "network", host, port });

describe("the ceiling on files", () => {
  it("a root opens itself and all below it, and ends at a separator", () => {
    expect(allows(read("/data"))).toBe(true);
    expect(allows(read("/data/a/b"))).toBe(true);
    expect(allows(read("/data-foo"))).toBe(false);
    expect(allows(read("/src/x"))).toBe(true);
    expect(allows(write("/src/x"))).toBe(false);
    expect(allows(write("/output/x"))).toBe(true);
  });

  it("deny wins over allow, with patterns too", () => {
    const under = ceiling({ read: { allow: ["/data"], deny: ["/data/secret", "/data/**/.env"] } });
    expect(allows(read("/data/open"), under)).toBe(true);
    expect(allows(read("/data/secret/x"), under)).toBe(false);
    expect(allows(read("/data/a/.env"), under)).toBe(false);
    expect(allows(read("/data/a/.envrc"), under)).toBe(true);
  });

  it("the run's own workspace is always readable and writable, another's never", () => {
    const under = ceiling({
      read: { allow: ["/"], deny: ["/tmp"] },
      write: { allow: ["/"], deny: ["/tmp"] },
    });
    for (const access of [read, write]) {
      expect(allows(access(`${WORKSPACE}/x`), under)).toBe(true);
      expect(allows(access("/tmp/root/var/lib/aaos/workspace/R2/x"), under)).toBe(false);
      expect(allows(access(`${WORKSPACE}2/x`), under)).toBe(false);
    }
  });

  it("never grantable is never grantable, whatever the policy says", () => {
    const open = ceiling({ read: { allow: ["/"] }, write: { allow: ["/", "/etc", "/proc"] } });
    for (const path of [
      "/etc/aaos/policy.yaml",
      "/mnt/data/x",
      "/boot/grub/x",
      "/proc/1/environ",
      "/sys/x",
      "/run/agentd/agentd.sock",
      "/tmp/root/var/lib/aaos/aaos.db",
      "/tmp/root/etc/aaos/credentials/k",
      "/var/lib/aaos/aaos.db",
    ]) {
      expect(allows(read(path), open)).toBe(false);
      expect(allows(write(path), open)).toBe(false);
    }
    expect(allows(read("/etc/hostname"), open)).toBe(true);
    expect(allows(write("/etc/hostname"), open)).toBe(false);
    expect(allows(read("/usr/share/x"), open)).toBe(true);
    expect(allows(write("/usr/local/bin/x"), open)).toBe(false);
    expect(allows(write("/srv/x"), open)).toBe(true);
  });

  it("a program that works in a directory needs it writable and readable, and the program allowed", () => {
    const cargo: Access = { kind: "cargo_run", dir: "/data/p" };
    expect(allows(cargo)).toBe(true);
    expect(allows({ kind: "cargo_run", dir: "/src/p" })).toBe(false);
    expect(allows(cargo, ceiling({ exec: { allow: ["git"] } }))).toBe(false);
    expect(
      allows({ kind: "git_commit", dir: "/data/p" }, ceiling({ exec: { allow: ["git"] } })),
    ).toBe(true);
  });
});

describe("the ceiling on the network", () => {
  it("a star is the public internet; what is inside needs to be named", () => {
    expect(allows(connect("example.org"))).toBe(true);
    for (const host of [
      "127.0.0.1",
      "localhost",
      "10.0.0.7",
      "169.254.169.254",
      "::1",
      "metadata.google.internal",
    ]) {
      expect(allows(connect(host))).toBe(false);
      const named = host.includes(":") ? `[${host}]` : host;
      expect(allows(connect(host), ceiling({ network: { allow: [named] } }))).toBe(true);
    }
  });

  it("a name may carry a port, an address a range", () => {
    const under = ceiling({ network: { allow: ["127.0.0.1:8080", "10.0.0.0/8"] } });
    expect(allows(connect("127.0.0.1", 8080), under)).toBe(true);
    expect(allows(connect("127.0.0.1", 8081), under)).toBe(false);
    expect(allows(connect("10.9.8.7"), under)).toBe(true);
    expect(allows(connect("11.9.8.7"), under)).toBe(false);
    expect(allows(connect("example.org"), under)).toBe(false);
  });

  it("deny wins, and its star takes what is inside too", () => {
    const under = ceiling({
      network: { allow: ["*", "10.0.0.1"], deny: ["*.evil.org", "10.0.0.0/8"] },
    });
    expect(allows(connect("a.evil.org"), under)).toBe(false);
    expect(allows(connect("evil.org"), under)).toBe(true);
    expect(allows(connect("10.0.0.1"), under)).toBe(false);
    expect(
      allows(connect("127.0.0.1"), ceiling({ network: { allow: ["127.0.0.1"], deny: ["*"] } })),
    ).toBe(false);
  });
});

describe("what an agent gets at its start", () => {
  const kept = (source: CapabilitySource, under: Ceiling = ceiling()): boolean =>
    "grant" in withinCeiling(grant(source), under);

  it.each<readonly [CapabilitySource, boolean]>([
    ["file_read: /data/x", true],
    ["file_read: /*", true],
    ["file_read: /**/x.md", true],
    ["file_read: /home/*", false],
    ["file_read: /etc/aaos/*", false],
    [`file_write: ${WORKSPACE}/a`, true],
    ["file_write: /tmp/root/var/lib/aaos/*", true],
    ["file_write: /tmp/root/var/lib/aaos/aaos.db", false],
    ["file_write: /src/*", false],
    ["file_write: /etc/cron.d/x", false],
    ["exec: git", true],
    ["exec: bash", false],
    ["cargo_run: /data/p", true],
    ["cargo_run: /src/p", false],
    ["git_commit: /home/p", false],
    ["network: example.org", true],
    ["network: *", true],
    ["network: 127.0.0.1, example.org", true],
    ["network: 127.0.0.1", false],
    ["web_search", true],
    ["tool: echo", true],
    ["spawn_child: [*]", true],
  ])("%j: %s", (source, expected) => {
    expect(kept(source)).toBe(expected);
  });

  it("a grant wider than a denied place stays, one inside it does not", () => {
    const under = ceiling({ read: { allow: ["/data"], deny: ["/data/secret"] } });
    expect(kept("file_read: /data/*", under)).toBe(true);
    expect(kept("file_read: /data/secret/*", under)).toBe(false);
  });

  it("the reason names the grant and the section", () => {
    expect(withinCeiling(grant("file_read: /home/*"), ceiling())).toEqual({
      withheld: "'file_read: /home/*' lies outside read.allow of policy.yaml",
    });
  });

  it("no network at all withholds every host", () => {
    const none = ceiling({ network: { allow: [] } });
    expect(kept("network: *", none) || kept("web_search", none)).toBe(false);
    const denied = ceiling({ network: { deny: ["*"] } });
    expect(kept("network: example.org", denied) || kept("web_search", denied)).toBe(false);
    expect(kept("network: *.org", ceiling({ network: { allow: ["10.0.0.0/8"] } }))).toBe(false);
    expect(kept("network: *", ceiling({ network: { allow: ["a.org:443"] } }))).toBe(true);
  });

  it("nothing is withheld of which an access could pass", () => {
    const policies = fc.constantFrom<unknown>(
      {
        read: { allow: ["/a"], deny: ["/a/b"] },
        write: { allow: ["/b", "/a/c"] },
        network: { allow: ["*.org:443"] },
        exec: { allow: ["git"] },
      },
      {
        read: { allow: ["/"], deny: ["/*/a"] },
        write: { allow: ["/"] },
        network: { allow: ["*", "10.0.0.0/8"], deny: ["a.org"] },
        exec: { allow: ["rg", "cargo"] },
      },
      {
        read: { allow: ["/**/c"] },
        network: { allow: ["localhost", "127.0.0.1:80"], deny: ["*.org"] },
      },
    );
    fc.assert(
      fc.property(policies, arbitraryCapability, arbitraryAccess, (policy, capability, access) => {
        const under = ceiling(policy, "/b/c");
        const isMeant =
          coversCapability(capability, exactCapability(access)) &&
          !/[*\\]/.test("dir" in access ? access.dir : "");
        if (isMeant && allows(access, under)) {
          expect(withinCeiling({ capability, constraints: {} }, under)).toEqual({
            grant: { capability, constraints: {} },
          });
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

it("a malformed policy is an error that names the entry", () => {
  expect(() => ceiling({ network: { allow: ["a b"] } })).toThrowError(AgentdError);
  expect(() => ceiling({ read: { deny: ["/a/../b"] } })).toThrowError(/read\.deny.*'\.\.'/);
});
