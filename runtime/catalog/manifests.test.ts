import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatCapability } from "../policy/grammar.js";
import { SEED } from "../test/seed-manifest.js";
import { formatProblem } from "./file-problem.js";
import { type AgentManifest, loadManifests, parseManifest, readSystemPrompt } from "./manifests.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-manifests-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function parse(text: string): AgentManifest {
  const parsed = parseManifest(text, join(dir, "m.yaml"));
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join("\n"));
  return parsed.value;
}

it("A5 the seed's manifest loads unchanged", () => {
  const { manifest, grants } = parse(SEED);
  expect(grants.map((grant) => formatCapability(grant.capability))).toEqual([
    "web_search",
    "file_read: /data/project/*",
    "file_write: /data/output/*",
    "tool: web_fetch",
    "tool: memory_store",
    "tool: memory_query",
  ]);
  expect(manifest).toMatchObject({
    lifecycle: "persistent",
    approval_required: ["file_write"],
    memory: { context_window: "128k", max_history_messages: 200, episodic_enabled: true },
    budget_config: { max_tokens: 1_000_000, reset_period_seconds: 86_400 },
  });
});

it("A24-20 a capability with a typing error is refused with its line, not kept inert", () => {
  const parsed = parseManifest(SEED.replace("file_write: /data", "file_wirte: /data"), "m.yaml");
  expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).toEqual([
    "m.yaml:8: capabilities[2]: unknown capability 'file_wirte'; did you mean file_write?",
  ]);
});

describe("a system prompt beside the manifest", () => {
  it("is read; one outside, absent or empty is refused", () => {
    writeFileSync(join(dir, "prompt.md"), "Be brief.");
    writeFileSync(join(dir, "empty.md"), " \n");
    const prompt = (file: string): string =>
      readSystemPrompt(
        parse(`name: a\nmodel: fast\nsystem_prompt: {file: "${file}"}`),
        join(dir, "m.yaml"),
      );
    expect(prompt("prompt.md")).toBe("Be brief.");
    for (const file of ["../prompt.md", "/etc/hostname", "absent.md", "empty.md", "a/../../x"]) {
      expect(() => prompt(file)).toThrowError(/system_prompt\.file/);
    }
  });
});

it("manifests load by name, a broken one disables itself alone", () => {
  writeFileSync(join(dir, "a.yaml"), SEED);
  writeFileSync(join(dir, "b.yaml"), "name: b\n");
  const { manifests, problems } = loadManifests([{ dir, origin: "operator" }]);
  expect([...manifests.keys()]).toEqual(["research-agent"]);
  expect(problems.map((problem) => problem.field)).toEqual(["model", "system_prompt"]);
});

it("a tool that does not exist is refused with its line, in a capability and under approval_required", () => {
  const text = SEED.replace("tool: memory_query", "tool: memory_qurey").replace(
    "- file_write\nmemory",
    "- file_wirte\n- mcp.files.read\nmemory",
  );
  const parsed = parseManifest(text, "m.yaml");
  expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).toEqual([
    "m.yaml:11: capabilities[5]: there is no tool 'memory_qurey' (did you mean memory_query?)",
    "m.yaml:13: approval_required[0]: there is no tool 'file_wirte' (did you mean file_write?)",
  ]);
});

it("the vendor manifests load", () => {
  const vendor = fileURLToPath(new URL("../../packaging/manifests", import.meta.url));
  const { manifests, problems } = loadManifests([{ dir: vendor, origin: "vendor" }]);
  expect(problems).toEqual([]);
  expect([...manifests.keys()]).toEqual(["coordinator", "reader", "research-agent"]);
});
