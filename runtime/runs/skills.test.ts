import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadSkills } from "../catalog/skills.js";
import { openTestAgent, testBase } from "../test/confined-agent.js";
import { agentSkills } from "./agent-skills.js";
import { skillCatalog } from "./skill-catalog.js";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-skills-"));
  put("reading", "allowed-tools: file_read grep\n", "Read the file.");
  put("writing", "", "Write the file.");
  mkdirSync(join(dir, "reading/references"));
  writeFileSync(join(dir, "reading/references/MORE.md"), "more");
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function put(name: string, more: string, body: string): void {
  mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(
    join(dir, name, "SKILL.md"),
    `---\nname: ${name}\ndescription: For ${name}.\n${more}---\n${body}\n`,
  );
}

const skills = () => loadSkills([{ dir, origin: "vendor" }]).skills;

describe("skill_read", () => {
  it("A16 gives instructions and files, needs no token, and leads nowhere else", async () => {
    await using agent = await openTestAgent(await testBase(), { grants: [], skills: skills() });
    expect(await agent.call("skill_read", { skill_name: "reading" })).toMatchObject({
      ok: true,
      output: {
        skill: "reading",
        instructions: '<skill name="reading">\nRead the file.\n</skill>',
        reference_files: ["references/MORE.md"],
      },
    });
    const file = (name: string) => agent.call("skill_read", { skill_name: "reading", file: name });
    expect(await file("references/MORE.md")).toMatchObject({
      ok: true,
      output: { content: "more" },
    });
    for (const name of [
      "../writing/SKILL.md",
      "/etc/passwd",
      "references/../../writing/SKILL.md",
      "SKILL.md",
    ]) {
      expect(await file(name), name).toMatchObject({ error: { kind: "not_found" } });
    }
    expect(await agent.call("skill_read", { skill_name: "readin" })).toMatchObject({
      error: {
        kind: "not_found",
        message: expect.stringContaining("did you mean reading?") as unknown,
      },
    });
    // A link in the place of a file that was there when the catalog was read.
    unlinkSync(join(dir, "reading/references/MORE.md"));
    symlinkSync("/etc/passwd", join(dir, "reading/references/MORE.md"));
    expect(await file("references/MORE.md")).toMatchObject({ ok: false });
  });

  it("A16 allowed-tools narrow what an agent may call while it follows the skill, and never widen it", async () => {
    const grants = ["file_read: {base}/in/*", "file_write: {base}/out/*"];
    await using agent = await openTestAgent(await testBase(), { grants, skills: skills() });
    const path = join(agent.base, "out/a.txt");
    const write = () => agent.call("file_write", { path, content: "x" });
    expect(await write()).toMatchObject({ ok: true });
    await agent.call("skill_read", { skill_name: "reading" });
    expect(await write()).toMatchObject({
      error: {
        kind: "denied",
        layer: "policy",
        message: expect.stringContaining("the skill reading") as unknown,
      },
    });
    // It allows grep, for which this agent has a token, and file_read of what its tokens name alone.
    expect(await agent.call("file_read", { path: "/etc/hostname" })).toMatchObject({
      error: { kind: "denied", layer: "token" },
    });
    await agent.call("skill_read", { skill_name: "writing" });
    expect(await write()).toMatchObject({ ok: true });
    const denied = agent.events().filter(({ kind }) => kind === "capability_denied");
    expect(denied[0]).toMatchObject({ layer: "policy", tool: "file_write" });
  });

  it("a conversation that goes on follows the skill it followed", () => {
    const own = agentSkills(skills(), [], 1_000);
    const result = (text: object) => ({
      ...{ role: "tool" as const, call_id: "1", tool: "skill_read" },
      ...{ text: JSON.stringify(text), is_error: false },
    });
    own.restore([
      result({ skill: "reading", instructions: "x" }),
      result({ skill: "reading", file: "y" }),
    ]);
    expect(own.refuses("file_write", {})).toMatchObject({ layer: "policy" });
    own.restore([]);
    expect(own.refuses("file_write", {})).toBeUndefined();
  });
});

describe("the catalog in the prompt", () => {
  it("A24-29 U18 names every skill of the agent with its description, or those that its role names", () => {
    expect(agentSkills(skills(), [], 1_000).catalog).toMatch(
      /- reading: For reading\.\n- writing: For writing\./,
    );
    const narrowed = agentSkills(skills(), ["writing"], 1_000);
    expect(narrowed.catalog).not.toContain("- reading");
    expect(agentSkills(new Map(), [], 1_000).catalog).toBe("");
  });

  it.each([10_000, 600, 300, 150, 60, 0])("keeps within %i tokens", (maxTokens) => {
    const many = Array.from({ length: 40 }, (_, i) => ({
      name: `skill-${i}`,
      description: `Does the ${i}th kind of work, ${"carefully ".repeat(20)}`,
    }));
    const text = skillCatalog(many, maxTokens);
    expect(Math.ceil(Buffer.byteLength(text) / 4)).toBeLessThanOrEqual(maxTokens);
    if (maxTokens >= 300) for (const { name } of many) expect(text).toContain(`- ${name}`);
    if (maxTokens === 150) expect(text).toMatch(/… and \d+ more/);
  });
});
