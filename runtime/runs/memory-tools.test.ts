import { describe, expect, it } from "vitest";
import { Manifest } from "../protocol/manifest.js";
import { openTestAgent, testBase } from "../test/confined-agent.js";
import { memoryRules } from "./memory-rules.js";

const GRANTS = ["tool: memory_store", "tool: memory_query", "tool: memory_delete"];

describe("the memory tools", () => {
  it("A22-7 run in the daemon, where the memory is, with the arguments and results of the contract", async () => {
    await using agent = await openTestAgent(await testBase(), { grants: GRANTS });
    const content = "The bastion listens on port 2222.";
    const stored = await agent.call("memory_store", { content, category: "fact" });
    expect(stored).toMatchObject({ ok: true, output: { status: "stored" } });
    const id = stored.ok ? String(Reflect.get(stored.output as object, "memory_id")) : "";
    const newer = { content: "The bastion listens on port 2223.", category: "fact", replaces: id };
    const replaced = await agent.call("memory_store", newer);
    expect(replaced.ok).toBe(true);
    const found = await agent.call("memory_query", { query: "bastion port", limit: 3 });
    expect(found).toMatchObject({
      ok: true,
      output: {
        count: 1,
        results: [{ category: "fact", content: newer.content }],
        note: "searched by words alone: no model in this test",
      },
    });
    expect(await agent.call("memory_delete", { memory_id: id })).toMatchObject({
      ok: false,
      error: { kind: "not_found" },
    });
    const last = replaced.ok ? (Reflect.get(replaced.output as object, "memory_id") as string) : "";
    expect(await agent.call("memory_delete", { memory_id: last })).toMatchObject({
      ok: true,
      output: { memory_id: last, status: "deleted" },
    });
    const results = agent.events().filter(({ kind }) => kind === "tool_result");
    expect(results).toHaveLength(5);
    for (const result of results) {
      expect(result).toMatchObject({ execution_surface: "daemon", confinement: [] });
    }
    const invoked = agent
      .events()
      .filter(({ kind }) => kind === "tool_invoked")
      .map(({ seq }) => seq);
    for (const kind of ["memory_stored", "memory_queried", "memory_deleted"]) {
      const event = agent.events().find((one) => one.kind === kind);
      expect(invoked).toContain(event?.parent);
    }
  });

  it.each([
    ["memory_store", { content: " " }],
    ["memory_store", { content: "x", category: "gossip" }],
    ["memory_query", { query: "x", limit: 21 }],
    ["memory_delete", { memory_id: "12" }],
  ])("%s refuses %j, and nothing is stored", async (tool, input) => {
    await using agent = await openTestAgent(await testBase(), { grants: GRANTS });
    expect(await agent.call(tool, input)).toMatchObject({ error: { kind: "invalid_input" } });
    expect(agent.events().some(({ kind }) => kind.startsWith("memory_"))).toBe(false);
  });

  it("need their tokens", async () => {
    await using agent = await openTestAgent(await testBase(), { grants: ["tool: memory_query"] });
    expect(await agent.call("memory_store", { content: "x" })).toMatchObject({
      error: { kind: "denied", capability: "tool: memory_store" },
    });
  });
});

describe("whose memory, and how much of it", () => {
  const manifest = (memory: object) =>
    Manifest.parse({ name: "clerk", model: "fast", system_prompt: "Work.", memory }).memory;

  it("a manifest has one only where it says episodic_enabled, within its caps", () => {
    expect(memoryRules("clerk", { manifest: manifest({}) }).refused).toContain("episodic_enabled");
    const settings = {
      episodic_enabled: true,
      episodic_max_records: 7,
      episodic_max_content_bytes: 99,
    };
    expect(memoryRules("clerk", { manifest: manifest(settings) })).toMatchObject({
      owner: "clerk",
      refused: null,
      max_records: 7,
      max_content_bytes: 99,
    });
  });

  it("a child may look, and may not store", () => {
    const rules = memoryRules("clerk", { isChild: true });
    expect(rules.refused).toBeNull();
    expect(rules.store_refused).toContain("child agent");
  });
});
