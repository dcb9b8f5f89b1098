import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { outputOf, PLANNER, scriptedTeam, WRITER } from "./scripted-team.js";
import { makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;
const NO_REPLAN = "planner: {max_replans: 0}\n";

let world: World;
let pages: PageServer;
let model: ScriptedModel | undefined;

beforeEach(async () => {
  world = await makeWorld();
  pages = await startPages({ "/a": { body: article("Alpha", ["Alpha was measured in 1901."]) } });
  world.put("etc/aaos/agentd.yaml", NO_REPLAN);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model?.close();
  model = undefined;
});

async function withRules(...rules: readonly ScriptedRule[]): Promise<ScriptedModel> {
  model = await startScriptedModel({ rules: [...rules, ...scriptedTeam()] });
  useModel(world, "openai", model.openai_url);
  await world.start();
  return model;
}

const submit = (output: string) =>
  world.cli(["submit", `Fetch ${pages.url("/a")}, write ${output}`]);

const fetchTo = (output: string) =>
  world.cli([
    ...["submit", "Fetch it", "--role", "fetcher"],
    ...["--param", `url=${pages.url("/a")}`, "--param", `output=${output}`],
  ]);

describe("an output that policy.yaml does not open", () => {
  it(
    "A24-13 A24-14 is denied before anything is made: no file, no folder; its twin inside is written",
    async () => {
      await world.start();
      const outside = join(world.root, "elsewhere/deep/x.md");
      const denied = await fetchTo(outside);
      expect(denied.code).toBe(1);
      expect(denied.stderr + denied.stdout).toContain(`file_write: ${outside}`);
      expect(existsSync(join(world.root, "elsewhere"))).toBe(false);
      const inside = join(world.out, "deep/x.md");
      expect((await fetchTo(inside)).code).toBe(0);
      expect(readFileSync(inside, "utf8")).toContain("1901");
    },
    TIMEOUT,
  );

  it(
    "A24-13 leaves a file that is there as it was: not truncated, not touched",
    async () => {
      await world.start();
      const precious = world.put("precious.txt", "precious\n");
      const denied = await fetchTo(precious);
      expect(denied.code).toBe(1);
      expect(readFileSync(precious, "utf8")).toBe("precious\n");
      const { stdout } = await world.cli([
        "audit",
        "query",
        "--kind",
        "capability_denied",
        "--json",
      ]);
      const [event] = stdout.split("\n");
      expect(JSON.parse(event ?? "{}")).toMatchObject({ layer: "token", tool: "file_write" });
    },
    TIMEOUT,
  );

  it(
    "A24-14 the daemon's own places are never opened, whatever the policy says",
    async () => {
      world.put(
        "etc/aaos/policy.yaml",
        'write: {allow: [/]}\nread: {allow: [/]}\nnetwork: {allow: ["*", "127.0.0.1"]}\n',
      );
      await world.start();
      for (const path of ["etc/aaos/roles/evil.yaml", "var/lib/aaos/x.md", "run/agentd/x"]) {
        expect((await fetchTo(join(world.root, path))).code, path).toBe(1);
        expect(existsSync(join(world.root, path)), path).toBe(false);
      }
      for (const path of ["/etc/aaos-e2e.txt", "/usr/aaos-e2e.txt", "/proc/aaos-e2e"]) {
        expect((await fetchTo(path)).code, path).toBe(1);
        expect(existsSync(path), path).toBe(false);
      }
    },
    TIMEOUT,
  );

  it(
    "A22-32 a symbolic link inside the grant does not lead out of it",
    async () => {
      await world.start();
      mkdirSync(join(world.root, "secret"));
      execFileSync("ln", ["-s", join(world.root, "secret"), join(world.out, "link")]);
      expect((await fetchTo(join(world.out, "link/x.md"))).code).toBe(1);
      expect(existsSync(join(world.root, "secret/x.md"))).toBe(false);
    },
    TIMEOUT,
  );
});

describe("an output that cannot be written", () => {
  it(
    "because its place is a folder: exit code 1 and its path; the daemon lives on",
    async () => {
      await withRules();
      mkdirSync(join(world.out, "taken"));
      const ended = await submit(join(world.out, "taken"));
      expect(ended.code).toBe(1);
      expect(ended.stderr).toContain(join(world.out, "taken"));
      expect(await submit(join(world.out, "free.md"))).toMatchObject({ code: 0 });
    },
    TIMEOUT,
  );

  it(
    "because a file stands where a folder is needed",
    async () => {
      await withRules();
      writeFileSync(join(world.out, "file"), "");
      const ended = await submit(join(world.out, "file/x.md"));
      expect(ended.code).toBe(1);
      expect(ended.stderr).toContain("file/x.md");
    },
    TIMEOUT,
  );
});

describe("a step has succeeded only when its declared output is there", () => {
  it(
    "A24-3 an agent that says done and writes nothing fails",
    async () => {
      await withRules({ match: { system: WRITER }, reply: (request) => outputOf(request) });
      const output = join(world.out, "claimed.md");
      const ended = await submit(output);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/output_missing/);
      expect(ended.stderr).toContain(output);
      expect(ended.stdout).toMatch(/wrote no .*claimed\.md/);
    },
    TIMEOUT,
  );

  it(
    "A24-3 not even where an old file of that name exists",
    async () => {
      await withRules({ match: { system: WRITER }, reply: (request) => outputOf(request) });
      const output = join(world.out, "old.md");
      writeFileSync(output, "of another day\n");
      const ended = await submit(output);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/output_missing/);
      expect(readFileSync(output, "utf8")).toBe("of another day\n");
    },
    TIMEOUT,
  );

  it(
    "the same file written anew counts",
    async () => {
      await withRules();
      const output = join(world.out, "old.md");
      writeFileSync(output, "of another day\n");
      expect(await submit(output)).toMatchObject({ code: 0 });
      expect(readFileSync(output, "utf8")).toContain("1901");
    },
    TIMEOUT,
  );

  it(
    "A24-3 an agent that never comes to an end fails",
    async () => {
      world.put(
        "etc/aaos/roles/writer.yaml",
        `name: writer
system_prompt: Reads given files and writes one finished document.
message_template: "Inputs: {inputs}\\nWrite it to: {output}"
parameters:
  inputs: {type: string_list}
  title: {}
  output: {type: path, required: true}
capabilities: ["file_read: {inputs.*}", "file_write: {output}"]
orchestration: {max_iterations: 3}
`,
      );
      await withRules({
        match: { system: WRITER },
        reply: (request) => ({
          tool_calls: [
            {
              name: "file_write",
              input: { path: outputOf(request), content: `try ${request.tool_results.length}` },
            },
          ],
        }),
      });
      const ended = await submit(join(world.out, "endless.md"));
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/max_iterations/);
    },
    TIMEOUT,
  );

  it(
    "A24-10 a plan whose final output nobody writes is no success",
    async () => {
      const output = join(world.out, "nobody.md");
      world.put(
        "etc/aaos/roles/talker.yaml",
        "name: talker\nsystem_prompt: Talks.\nmessage_template: Talk.\n",
      );
      await withRules(
        { match: { system: /^Talks/ }, reply: "I have talked." },
        {
          match: { system: PLANNER },
          reply: JSON.stringify({
            steps: [
              { id: "one", role: "talker" },
              { id: "two", role: "talker", depends_on: ["one"] },
            ],
            final_output: output,
          }),
        },
      );
      const ended = await submit(output);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/output_missing/);
      expect(ended.stderr).toContain(output);
      expect(existsSync(output)).toBe(false);
    },
    TIMEOUT,
  );

  it(
    "A24-10 the final text is the reply of the step that made the final output",
    async () => {
      const output = join(world.out, "main.md");
      await withRules({
        match: { system: PLANNER },
        reply: JSON.stringify({
          steps: [
            { id: "main", role: "fetcher", params: { url: pages.url("/a"), output } },
            {
              id: "aside",
              role: "fetcher",
              params: { url: pages.url("/a"), output: "{run}/aside.md" },
              depends_on: ["main"],
            },
          ],
          final_output: output,
        }),
      });
      const ended = await world.cli(["submit", "Fetch it", "--json"]);
      expect(ended.code).toBe(0);
      expect(ended.stdout).toContain(`{"kind":"final_text","text":"${output}"}`);
    },
    TIMEOUT,
  );
});

const canMount = tmpfs("/tmp/aaos-e2e-mount-probe", () => true) ?? false;

/** Runs `use` with a tmpfs of 1 MB on `dir`; undefined where this host does not allow one. */
function tmpfs<T>(dir: string, use: () => T): T | undefined {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir], { stdio: "ignore" });
  } catch {
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  }
  try {
    return use();
  } finally {
    execFileSync("umount", ["-l", dir]);
    rmSync(dir, { recursive: true, force: true });
  }
}

describe("a full disk", () => {
  it.skipIf(!canMount)(
    "under the workspace: disk_full with its remedy, exit code 1; after room is made the next run works",
    async () => {
      const dir = join(world.root, "var/lib/aaos/workspace");
      mkdirSync(dir, { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0770", "tmpfs", dir]);
      try {
        await withRules();
        const ballast = join(dir, "ballast");
        writeFileSync(ballast, Buffer.alloc(1_048_576 - 3 * 4_096));
        const long = Array.from(
          { length: 900 },
          (_, i) => `Fact ${i} was measured in ${1_000 + i}.`,
        );
        pages.set("/a", { body: article("Alpha", long) });
        const ended = await submit(join(world.out, "full.md"));
        expect(ended.code).toBe(1);
        expect(ended.stderr).toMatch(/disk_full/);
        expect(ended.stderr).toMatch(/[Ff]ree space/);
        expect(existsSync(join(world.out, "full.md"))).toBe(false);
        writeFileSync(join(dir, "rest"), Buffer.alloc(0));
        let room = true;
        for (let i = 0; room; i++) {
          try {
            mkdirSync(join(dir, `d${i}`));
            writeFileSync(join(dir, `d${i}/f`), Buffer.alloc(4_096));
          } catch {
            room = false;
          }
        }
        const fuller = await submit(join(world.out, "full.md"));
        expect(fuller.code).toBe(1);
        expect(fuller.stderr).toMatch(/disk_full/);
        rmSync(ballast);
        expect(await submit(join(world.out, "room.md"))).toMatchObject({ code: 0, stderr: "" });
        expect((await world.cli(["audit", "verify"])).code).toBe(0);
      } finally {
        await world.stop();
        execFileSync("umount", ["-l", dir]);
      }
    },
    TIMEOUT,
  );
});

describe("a grant that is counted", () => {
  it(
    "A22-10 A22-26 allows exactly its number of calls, also where a model makes more at the same time",
    async () => {
      world.put(
        "etc/aaos/roles/counter.yaml",
        `name: counter
system_prompt: Counts its writes.
message_template: "Write below {dir}"
parameters: {dir: {type: path, required: true}}
capabilities: [{file_write: "{dir}/*", max_invocations: 3}]
`,
      );
      await withRules({
        match: { system: /^Counts/ },
        reply: ({ tool_results }) =>
          tool_results.length > 0
            ? "Counted."
            : {
                tool_calls: [1, 2, 3, 4, 5].map((n) => ({
                  name: "file_write",
                  input: { path: `${world.out}/n${n}.md`, content: `${n}\n` },
                })),
              },
      });
      const args = ["--role", "counter", "--param", `dir=${world.out}`];
      expect((await world.cli(["submit", "count", ...args])).code).toBe(0);
      const written = [1, 2, 3, 4, 5].filter((n) => existsSync(join(world.out, `n${n}.md`)));
      expect(written).toEqual([1, 2, 3]);
      const { stdout } = await world.cli([
        "audit",
        "query",
        "--kind",
        "capability_denied",
        "--json",
      ]);
      expect(stdout.trim().split("\n")).toHaveLength(2);
    },
    TIMEOUT,
  );
});
