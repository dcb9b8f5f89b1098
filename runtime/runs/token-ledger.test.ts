import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ulid } from "../base/ulid.js";
import { parseGrant } from "../policy/grammar.js";
import type { CapabilitySource, Grant } from "../protocol/capability.js";
import { AgentId } from "../protocol/ids.js";
import { openTokenLedger } from "./token-ledger.js";

const clock = { now: 1_000_000 };
const entropy = { now: () => clock.now, randomBytes };
const newId = (): AgentId => AgentId.parse(ulid(entropy));

function grants(...sources: readonly CapabilitySource[]): readonly Grant[] {
  return sources.map((source) => {
    const parsed = parseGrant(source);
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.grant;
  });
}

function family(parentHas: readonly CapabilitySource[], childWants: readonly CapabilitySource[]) {
  const ledger = openTokenLedger(entropy);
  const parent = newId();
  const child = newId();
  const held = ledger.issue(parent, grants(...parentHas));
  return { ledger, parent, child, held, cut: ledger.cut(child, parent, grants(...childWants)) };
}

describe("tokens that are cut from a parent's", () => {
  it("inherit its limits, and take the tighter of both", () => {
    const { cut, held } = family(
      [{ file_read: "/data/*", max_invocations: 5, rate_limit: "10/min" }],
      [{ file_read: "/data/a.md", max_invocations: 9, expires_in: "1h" }],
    );
    expect(cut).toMatchObject({
      ok: true,
      tokens: [
        {
          parent_id: held[0]?.id,
          max_invocations: 5,
          rate_limit: { count: 10, per_ms: 60_000 },
          expires_at: clock.now + 3_600_000,
        },
      ],
    });
  });

  it("are none at all where one of them is wider than the parent's", () => {
    const { cut, ledger, child } = family(
      ["file_read: /data/*", "tool: web_fetch"],
      ["file_read: /data/a.md", "file_read: /etc/*", "network: *"],
    );
    expect(cut).toEqual({
      ok: false,
      problems: [
        "no token of the parent covers 'file_read: /etc/*'",
        "no token of the parent covers 'network: *'",
      ],
    });
    expect(ledger.heldBy(child)).toEqual([]);
  });

  it("A22-18 die with the parent's, and none can be cut from what was revoked", () => {
    const { ledger, held, child, parent } = family(["file_read: /data/*"], ["file_read: /data/*"]);
    const lost: string[] = [];
    ledger.watch(child, (revoked) => lost.push(...revoked.map(({ agent_id }) => agent_id)));
    ledger.revoke(held.map(({ id }) => id));
    expect(lost).toEqual([child]);
    expect(ledger.heldBy(child)[0]?.revoked).toBe(true);
    expect(ledger.cut(newId(), parent, grants("file_read: /data/*")).ok).toBe(false);
    expect(ledger.cut(newId(), child, grants("file_read: /data/*")).ok).toBe(false);
  });

  it("are counted against every token of their line, however many children share it", () => {
    const { ledger, parent, child, held, cut } = family(
      [{ file_read: "/data/*", max_invocations: 2 }],
      ["file_read: /data/*"],
    );
    const other = newId();
    const second = ledger.cut(other, parent, grants("file_read: /data/*"));
    if (!cut.ok || !second.ok) throw new Error("not cut");
    for (const token of [...cut.tokens, ...second.tokens]) ledger.charge([token.id]);
    expect(ledger.heldBy(parent)[0]?.uses).toHaveLength(2);
    const [ofChild] = ledger.heldBy(child);
    expect(ofChild?.uses).toHaveLength(1);
    expect(ofChild?.ancestors?.map(({ token, uses }) => [token.id, uses.length])).toEqual([
      [held[0]?.id, 2],
    ]);
  });

  it("a grandchild's are cut from the child's, and a child that ends leaves its parent's as they were", () => {
    const { ledger, child, held, parent } = family(
      ["file_read: /data/*"],
      ["file_read: /data/in/*"],
    );
    const grandchild = newId();
    expect(ledger.cut(grandchild, child, grants("file_read: /data/*")).ok).toBe(false);
    expect(ledger.cut(grandchild, child, grants("file_read: /data/in/a")).ok).toBe(true);
    expect(ledger.heldBy(grandchild)[0]?.ancestors?.at(-1)?.token.id).toBe(held[0]?.id);
    expect(ledger.release(child).map(({ agent_id }) => agent_id)).toEqual([child, grandchild]);
    expect(ledger.heldBy(parent)[0]?.revoked).toBe(false);
  });
});
