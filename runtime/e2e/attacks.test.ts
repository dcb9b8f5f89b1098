import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { isReplan, PLANNER, WRITER } from "./scripted-team.js";
import { KEY, makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;

let world: World;
let model: ScriptedModel | undefined;

beforeEach(async () => {
  world = await makeWorld();
  world.put("etc/aaos/agentd.yaml", "planner: {max_replans: 1}\n");
  world.put(
    "etc/aaos/roles/talker.yaml",
    "name: talker\nsystem_prompt: Talks.\nmessage_template: Talk.\n",
  );
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model?.close();
  model = undefined;
});

async function startWith(...rules: readonly ScriptedRule[]): Promise<void> {
  model = await startScriptedModel({ rules });
  useModel(world, "openai", model.openai_url);
  await world.start();
}

const TALK: ScriptedRule = { match: { system: /^Talks/ }, reply: "I have talked." };

function planFor(final_output: string, ...ids: readonly string[]): ScriptedRule {
  const steps = ids.map((id) => ({ id, role: "talker" }));
  return { match: { system: PLANNER }, reply: JSON.stringify({ steps, final_output }) };
}

describe("what the daemon itself reads and writes for a run", () => {
  it(
    "a declared output that no policy opens is no success, even if that file changes meanwhile; its text is never given out",
    async () => {
      const journal = join(world.root, "var/lib/aaos/aaos.db-wal");
      await startWith({ match: { system: WRITER }, reply: "It is written." });
      const input = world.put("out/in.md", "Something.\n");
      const ended = await world.cli([
        ...["submit", "Write it", "--role", "writer", "--param", "title=x"],
        ...["--param", `inputs=${input}`, "--param", `output=${journal}`],
      ]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/can never be written by an agent.*\(denied\)/);
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const result = await world.cli(["result", runs[0]?.run_id ?? ""]);
      expect(result.code).toBe(1);
      expect(result.stdout).toBe("");
    },
    TIMEOUT,
  );

  it(
    "a plan cannot name a secret as its document",
    async () => {
      const secret = join(world.root, "etc/aaos/credentials/scripted");
      await startWith(TALK, planFor(secret, "one", "two"));
      const ended = await world.cli(["submit", "Talk", "--json"]);
      expect(ended.code).toBe(1);
      expect(ended.stdout).toContain('"error_kind":"denied"');
      expect(ended.stdout).not.toContain(KEY);
      expect((await world.cli(["result", runIdOf(ended.stdout)])).stdout).not.toContain(KEY);
    },
    TIMEOUT,
  );

  it(
    "a document that lay there before the run and that no step wrote is not the run's",
    async () => {
      const old = world.put("out/old.md", "From last week.\n");
      await startWith(TALK, planFor(old, "one", "two"));
      const ended = await world.cli(["submit", "Talk"]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/output_missing/);
    },
    TIMEOUT,
  );

  it(
    "the reply of a lone agent is kept in the run's own directory and nowhere else",
    async () => {
      await startWith(TALK, planFor("{run}/../../evil.md", "one"));
      const ended = await world.cli(["submit", "Talk"]);
      expect(ended.code).toBe(1);
      expect(existsSync(join(world.root, "var/lib/aaos/evil.md"))).toBe(false);
      const kept = await world.cli(["submit", "Talk", "--role", "talker"]);
      expect(kept.code).toBe(0);
      expect(kept.stdout).toContain("I have talked.");
    },
    TIMEOUT,
  );

  it(
    "a link that an agent left in place of plan.json is replaced, not followed, when the run plans again",
    async () => {
      const precious = world.put("precious.txt", "precious\n");
      world.put(
        "etc/aaos/roles/linker.yaml",
        `name: linker
system_prompt: Links.
message_template: "Link {dir}"
parameters: {dir: {type: path, required: true}}
capabilities: ["exec: node", "file_read: {dir}/*", "file_write: {dir}/*"]
`,
      );
      const code = `fs.unlinkSync("plan.json"); fs.symlinkSync("${precious}", "plan.json")`;
      await startWith(
        TALK,
        { match: { system: /^Links/, tool_result: "exit_code" }, reply: "ERROR: linked" },
        {
          match: { system: /^Links/ },
          reply: {
            tool_calls: [{ name: "exec", input: { program: "node", args: ["-e", code] } }],
          },
        },
        {
          match: { system: PLANNER },
          reply: (request) =>
            JSON.stringify({
              steps: isReplan(request)
                ? [{ id: "talk", role: "talker" }]
                : [{ id: "link", role: "linker", params: { dir: "{run}" } }],
              final_output: "{run}/output.md",
            }),
        },
      );
      const ended = await world.cli(["submit", "Link", "--json"]);
      expect(ended.code).toBe(0);
      expect(ended.stdout).toContain('"exit_code\\":0');
      expect(readFileSync(precious, "utf8")).toBe("precious\n");
      const file = `var/lib/aaos/workspace/${runIdOf(ended.stdout)}/plan.json`;
      expect(JSON.parse(world.read(file))).toMatchObject({ steps: [{ id: "talk" }] });
    },
    TIMEOUT,
  );
});

function runIdOf(ndjson: string): string {
  return /"run_id":"(\w{26})"/.exec(ndjson)?.[1] ?? "";
}
