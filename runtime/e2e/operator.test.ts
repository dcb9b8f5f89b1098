import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawClient } from "../test/raw-client.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { article, type PageServer, startPages } from "./page-server.js";
import { GENERALIST, scriptedTeam } from "./scripted-team.js";
import { waitFor } from "./wait.js";
import { lines, makeWorld, useModel, type World } from "./world.js";

const ANSI = String.fromCharCode(27);
const TIMEOUT = 120_000;

let world: World;
let pages: PageServer;
let model: ScriptedModel;
let count = 0;

beforeAll(async () => {
  world = await makeWorld();
  pages = await startPages({
    "/a": { body: article("Alpha", ["Alpha was first measured in 1901 at Kew."]) },
    "/b": { body: article("Beta", ["Beta was first measured in 1902 at Delft."]) },
    "/slow": { body: article("Slow", ["Slow pages take a while."]), delayMs: 3_000 },
    "/hang": { body: "", hang: true },
  });
  model = await startScriptedModel({
    rules: [
      ...scriptedTeam(),
      {
        match: { system: GENERALIST, any: "loop for ever" },
        reply: (request) => ({
          tool_calls: [{ name: "echo", input: { message: `${request.tool_results.length}` } }],
          usage: { input: 400, output: 100 },
        }),
      },
      {
        match: { system: GENERALIST },
        reply: (request) => {
          const path = /(\/\S+\.md) exists/.exec(request.all)?.[1];
          if (path === undefined || request.tool_results.length > 0)
            return { text: path ?? "The answer is forty-two." };
          return { tool_calls: [{ name: "file_write", input: { path, content: "# Done\n" } }] };
        },
      },
    ],
  });
  useModel(world, "openai", model.openai_url);
  await world.start();
}, TIMEOUT);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model.close();
});

function goal(...paths: readonly string[]): { readonly text: string; readonly output: string } {
  const output = join(world.out, `result-${++count}.md`);
  const urls = paths.map((path) => pages.url(path)).join(" and ");
  return { text: `Fetch ${urls}, compare them, write ${output}`, output };
}

async function detach(text: string, ...more: readonly string[]): Promise<string> {
  const ended = await world.cli(["submit", text, "--detach", ...more]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^[0-9A-Z]{26}\n$/);
  return ended.stdout.trim();
}

async function stateOf(id: string): Promise<string> {
  return (await world.json<{ run: { state: string } }>(["status", id])).run.state;
}

async function endOf(id: string): Promise<string> {
  return waitFor(`the end of ${id}`, async () => {
    const state = await stateOf(id);
    return ["succeeded", "failed", "cancelled"].includes(state) ? state : undefined;
  });
}

describe("a run belongs to the daemon", () => {
  it(
    "A24-1 A22-13 a client killed in the middle of a run does not harm it",
    async () => {
      const { text, output } = goal("/slow", "/b");
      const client = world.begin(["submit", text]);
      await client.until(/web_fetch/);
      client.kill("SIGKILL");
      await client.ended;
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list"]);
      expect(runs).toHaveLength(1);
      expect(await endOf(runs[0]?.run_id ?? "")).toBe("succeeded");
      expect(readFileSync(output, "utf8")).toContain("Slow pages take a while");
    },
    TIMEOUT,
  );

  it(
    "--detach prints the id alone and leaves; logs -f follows to the end with its exit code",
    async () => {
      const { text } = goal("/slow");
      const id = await detach(text);
      const followed = await world.cli(["logs", id, "-f"]);
      expect(followed.code).toBe(0);
      expect(followed.stdout).toMatch(/done in/);
      expect(followed.stdout).not.toContain(ANSI);
    },
    TIMEOUT,
  );

  it(
    "A24-2 two runs at once: each stream has the events of its own run alone",
    async () => {
      const [first, second] = await Promise.all([
        world.cli(["submit", goal("/slow").text, "--json"]),
        world.cli(["submit", goal("/slow", "/b").text, "--json"]),
      ]);
      const ids = [first, second].map(({ code, stdout }) => {
        expect(code).toBe(0);
        const frames = lines(stdout);
        const end = frames.at(-1);
        expect(end?.kind).toBe("end");
        const ofEvents = frames
          .filter(({ kind }) => kind === "event")
          .map((frame) => (frame["event"] as { run_id?: string }).run_id);
        expect(new Set(ofEvents)).toEqual(new Set([end?.run_id]));
        expect(frames.some(({ kind }) => kind === "plan")).toBe(true);
        expect(frames.some(({ kind }) => kind === "final_text")).toBe(true);
        return end?.run_id;
      });
      expect(ids[0]).not.toBe(ids[1]);
    },
    TIMEOUT,
  );

  it(
    "Ctrl-C detaches with exit code 0, says how to come back, and the run goes on",
    async () => {
      const { text } = goal("/slow");
      const client = world.begin(["submit", text]);
      await client.until(/web_fetch/);
      client.kill("SIGINT");
      const ended = await client.ended;
      expect(ended.code).toBe(0);
      const id = /agentd logs ([0-9A-Z]{26}) -f/.exec(ended.stderr)?.[1] ?? "";
      expect(ended.stderr).toContain("Detached; the run goes on.");
      expect(ended.stderr).toContain(`agentd stop ${id}`);
      expect(await endOf(id)).toBe("succeeded");
    },
    TIMEOUT,
  );

  it(
    "a second Ctrl-C within two seconds leaves at once with exit code 4",
    async () => {
      const id = await detach(goal("/hang").text);
      const client = world.begin(["logs", id, "-f"]);
      await client.until(/web_fetch/);
      client.kill("SIGINT");
      await client.until(/Detached/);
      client.kill("SIGINT");
      expect((await client.ended).code).toBe(4);
      expect(await stateOf(id)).toBe("running");
      expect((await world.cli(["stop", id])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "stop ends the whole tree and returns when nothing of it is left",
    async () => {
      const id = await detach(goal("/hang", "/b").text);
      const watcher = world.begin(["logs", id, "-f"]);
      await watcher.until(/web_fetch/);
      const stopped = await world.cli(["stop", id.slice(0, 18)]);
      expect(stopped).toMatchObject({ code: 0, stdout: `stopped ${id}\n` });
      expect(await stateOf(id)).toBe("cancelled");
      const { agents } = await world.json<{ agents: unknown[] }>(["list"]);
      expect(agents).toEqual([]);
      expect((await watcher.ended).code).toBe(1);
      const after = (await world.events(id)).at(-1);
      expect(after).toMatchObject({ kind: "run_state_changed", to: "cancelled" });
      expect((await world.cli(["stop", id])).code).toBe(0);
    },
    TIMEOUT,
  );
});

describe("ways to submit", () => {
  it(
    "-f FILE and -f - read the goal from a file and from standard input",
    async () => {
      const one = goal("/a");
      const file = world.put("goal.txt", `${one.text}\n`);
      expect((await world.cli(["submit", "-f", file])).code).toBe(0);
      expect(readFileSync(one.output, "utf8")).toContain("1901");
      const two = goal("/b");
      expect((await world.cli(["submit", "-f", "-"], { stdin: two.text })).code).toBe(0);
      expect(readFileSync(two.output, "utf8")).toContain("1902");
    },
    TIMEOUT,
  );

  it(
    "--role runs one agent of that role without a planner",
    async () => {
      const output = join(world.out, "page.md");
      const before = model.requests.length;
      const ended = await world.cli([
        "submit",
        "Fetch the page",
        "--role",
        "fetcher",
        "--param",
        `url=${pages.url("/a")}`,
        "--param",
        `output=${output}`,
      ]);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(readFileSync(output, "utf8")).toContain(`Source: ${pages.url("/a")}`);
      expect(ended.stdout).toContain(output);
      expect(model.requests.length).toBe(before);
    },
    TIMEOUT,
  );

  it(
    "--role splits a list parameter at commas",
    async () => {
      const one = world.put("out/one.md", "One says 1.\n");
      const two = world.put("out/two.md", "Two says 2.\n");
      const output = join(world.out, "both.md");
      const ended = await world.cli([
        "submit",
        `Read them and write ${output}`,
        "--role",
        "writer",
        "--param",
        `inputs=${one},${two}`,
        "--param",
        `output=${output}`,
        "--param",
        "title=Both",
      ]);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(readFileSync(output, "utf8")).toMatch(/One says 1[\s\S]*Two says 2/);
    },
    TIMEOUT,
  );

  it(
    "--role with a wrong parameter is refused with the parameter's name and exit code 2 or 1",
    async () => {
      const ended = await world.cli([
        "submit",
        "x",
        "--role",
        "fetcher",
        "--param",
        "ulr=http://a",
      ]);
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).toMatch(/ulr/);
      expect(ended.stderr).toMatch(/did you mean url|output/);
      const unknown = await world.cli(["submit", "x", "--role", "fetchr"]);
      expect(unknown.stderr).toMatch(/did you mean "?fetcher/);
      expect(unknown.code).not.toBe(0);
    },
    TIMEOUT,
  );

  it(
    "A22-17 direct keeps the output path that the operator named",
    async () => {
      const output = join(world.out, "direct.md");
      const ended = await world.cli([
        "submit",
        `Think about it and write ${output}`,
        "--orchestration",
        "direct",
      ]);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(readFileSync(output, "utf8")).toBe("# Done\n");
      expect(ended.stdout).toContain(output);
    },
    TIMEOUT,
  );

  it(
    "direct without a named path keeps the reply as the run's document",
    async () => {
      const ended = await world.cli(["submit", "What is it?", "--orchestration", "direct"]);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout).toContain("The answer is forty-two.");
      expect(ended.stdout).toContain("/output.md");
    },
    TIMEOUT,
  );

  it(
    "A24-8 --timeout ends a run that takes longer, with exit code 1 and the way to raise it",
    async () => {
      const ended = await world.cli(["submit", goal("/hang").text, "--timeout", "2s"]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/longer than 2(\.0)? ?s/);
      expect(ended.stderr).toMatch(/--timeout/);
    },
    TIMEOUT,
  );

  it(
    "--max-tokens ends a run that spends more",
    async () => {
      const ended = await world.cli([
        "submit",
        "loop for ever",
        "--orchestration",
        "direct",
        "--max-tokens",
        "1500",
      ]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/of its 1500 tokens/);
      expect(ended.stderr).toMatch(/--max-tokens/);
    },
    TIMEOUT,
  );

  it.each([
    [["submit"], /goal/],
    [["submit", "  "], /empty/],
    [["submit", "x", "--timeout", "soon"], /--timeout soon/],
    [["submit", "x", "--max-tokens", "-3"], /--max-tokens/],
    [["submit", "x", "--orchestration", "maybe"], /maybe/],
    [["submit", "x", "--param", "a=b"], /--role/],
    [["sumbit", "x"], /sumbit/],
    [["list", "--al"], /--al/],
  ])(
    "%j is a usage error: exit code 2 and a sentence",
    async (args, says) => {
      const ended = await world.cli(args);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(says);
      expect(ended.stdout).toBe("");
    },
    TIMEOUT,
  );
});

describe("the other verbs", () => {
  it(
    "tools list names every tool with its input",
    async () => {
      const { tools } = await world.json<{ tools: { name: string; input_schema: unknown }[] }>([
        "tools",
        "list",
      ]);
      expect(tools.map(({ name }) => name).sort()).toEqual(
        [
          ...["cargo_run", "echo", "exec", "file_edit", "file_list", "file_read", "file_read_many"],
          ...["file_write", "git_commit", "grep", "web_fetch", "skill_read"],
          ...["memory_delete", "memory_query", "memory_store"],
          ...["send_and_wait", "send_message", "spawn_agent", "spawn_agents"],
        ].sort(),
      );
      expect((await world.cli(["tools", "list"])).stdout).toMatch(/web_fetch/);
    },
    TIMEOUT,
  );

  it(
    "roles list, show and validate",
    async () => {
      const { roles } = await world.json<{ roles: { role: { name: string } }[] }>([
        "roles",
        "list",
      ]);
      expect(roles.map(({ role }) => role.name).sort()).toEqual([
        "analyzer",
        "builder",
        "fetcher",
        "generalist",
        "writer",
      ]);
      const shown = await world.cli(["roles", "show", "writer"]);
      expect(shown.stdout).toMatch(/file_write: \{output\}/);
      const good = world.put(
        "good.yaml",
        "name: good\nsystem_prompt: Hello.\nmessage_template: Go.\n",
      );
      expect((await world.cli(["roles", "validate", good])).code).toBe(0);
      const bad = world.put("bad.yaml", "name: bad\nsystem_prompt: Hello.\nmessage_tmplate: Go.\n");
      const refused = await world.cli(["roles", "validate", bad]);
      expect(refused.code).not.toBe(0);
      expect(refused.stdout + refused.stderr).toMatch(/bad\.yaml:3/);
      expect(refused.stdout + refused.stderr).toMatch(/message_template/);
      const missing = await world.cli(["roles", "show", "wrtier"]);
      expect(missing.code).toBe(2);
      expect(missing.stderr).toMatch(/writer/);
    },
    TIMEOUT,
  );

  it(
    "roles explain says what a role would be granted and what policy.yaml keeps back",
    async () => {
      const args = ["roles", "explain", "fetcher", "--param", "url=https://example.org/x"];
      const open = await world.json<{ granted: string[]; withheld: { capability: string }[] }>([
        ...args,
        "--param",
        `output=${world.out}/x.md`,
      ]);
      expect(open.granted).toContain(`file_write: ${world.out}/x.md`);
      expect(open.granted.join("\n")).toMatch(/network: example\.org/);
      const closed = await world.json<{ granted: string[]; withheld: { capability: string }[] }>([
        ...args,
        "--param",
        "output=/etc/passwd",
      ]);
      expect(closed.withheld.map(({ capability }) => capability)).toContain(
        "file_write: /etc/passwd",
      );
      expect((await world.cli([...args, "--param", "output=/etc/passwd"])).stdout).toMatch(
        /\/etc\/passwd/,
      );
    },
    TIMEOUT,
  );

  it(
    "doctor proves each layer by a launch, each trouble with its remedy",
    async () => {
      const ended = await world.cli(["doctor", "--json"]);
      const { checks } = JSON.parse(ended.stdout) as {
        checks: { name: string; verdict: string; detail: string; remedy: string | null }[];
      };
      const proven = checks.filter(
        ({ name, verdict }) => /^confinement: /.test(name) && verdict === "ok",
      );
      expect(proven.map(({ name }) => name.slice("confinement: ".length))).toEqual(
        expect.arrayContaining(["namespaces", "root", "landlock", "seccomp", "capabilities"]),
      );
      for (const check of checks) expect(check.verdict === "ok").toBe(check.remedy === null);
      expect(world.daemon().stdout()).toMatch(/agents are confined/);
    },
    TIMEOUT,
  );

  it.each([["--help"], ["submit", "--help"], ["audit", "--help"], ["--version"]])(
    "%s is an answer, not an error",
    async (...args) => {
      const ended = await world.cli(args);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout.length).toBeGreaterThan(3);
    },
    TIMEOUT,
  );

  it(
    "submit --detach, stop and logs of an agent answer with --json, too",
    async () => {
      const detached = await world.cli(["submit", goal("/hang").text, "--detach", "--json"]);
      const { run_id } = JSON.parse(detached.stdout) as { run_id: string };
      const agent = await waitFor("an agent", async () => {
        const { agents } = await world.json<{ agents: { agent_id: string }[] }>(["list"]);
        return agents[0]?.agent_id;
      });
      const frames = lines((await world.cli(["logs", agent, "--json"])).stdout);
      expect(frames.some((frame) => frame.kind === "event")).toBe(true);
      expect(await world.json(["stop", run_id])).toEqual({ stopped: run_id });
    },
    TIMEOUT,
  );
});

describe("the socket itself", () => {
  it(
    "A24-1 a client that hangs up after submit_streaming leaves the run alone",
    async () => {
      const { text } = goal("/slow");
      const client = await rawClient(world.socket);
      client.request("agent.submit_streaming", { goal: text });
      const first = await client.next();
      const runId = (first?.["event"] as { run_id: string } | undefined)?.run_id ?? "";
      client.socket.destroy();
      expect(await endOf(runId)).toBe("succeeded");
    },
    TIMEOUT,
  );
});

describe("what a model does wrong", () => {
  it(
    "A24-3 an ERROR: reply fails the step, and its reason is told",
    async () => {
      const output = join(world.out, "never.md");
      const ended = await world.cli([
        "submit",
        "Write it",
        "--role",
        "writer",
        "--param",
        `inputs=${world.out}/absent.md`,
        "--param",
        `output=${output}`,
        "--param",
        "title=T",
      ]);
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(/absent\.md/);
    },
    TIMEOUT,
  );
});
