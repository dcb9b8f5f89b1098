import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AgentId, RunId } from "../../protocol/ids.js";
import { Plan } from "../../protocol/plan.js";
import { cli, startCli } from "../../test/cli-process.js";
import type { MemoryJournal } from "../../test/memory-journal.js";
import { type ScriptedDaemon, scriptedDaemon } from "../../test/scripted-daemon.js";

const SHARE = join(import.meta.dirname, "../../../packaging");

describe("with a daemon", () => {
  const dir = mkdtempSync(join(tmpdir(), "aaos-verbs-"));
  const document = join(dir, "out.md");
  let daemon: ScriptedDaemon;
  let ended: RunId;
  let running: RunId;
  let agent: AgentId;
  const run = (...argv: string[]) => cli([...argv, "--socket", daemon.socketPath]);

  beforeAll(async () => {
    writeFileSync(document, "# Doc\u001b[31m\n");
    daemon = await scriptedDaemon();
    ended = endedRun(daemon.journal, document);
    ({ running, agent } = runningRun(daemon.journal));
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  it("list shows what is running, --all what has ended, --json both as data", async () => {
    const now = await run("list");
    expect(now.stdout).toContain(running.slice(-8));
    expect(now.stdout).toContain(agent.slice(-8));
    expect(now.stdout).not.toContain(ended.slice(-8));
    expect((await run("list", "--all")).stdout).toContain(ended.slice(-8));
    const json = JSON.parse((await run("list", "--all", "--json")).stdout) as { runs: unknown[] };
    expect(json.runs).toHaveLength(2);
  });

  it("status of a run tells its steps, usage, confinement and result; of an agent its grants", async () => {
    const ofRun = await run("status", running.slice(-8));
    expect(ofRun.code).toBe(0);
    expect(ofRun.stdout).toMatch(/confinement +none: nothing confines its tools/);
    expect(ofRun.stdout).toMatch(/write +writer +waiting +fetch/);
    const ofAgent = await run("status", agent);
    expect(ofAgent.stdout).toContain("file_read: /data/*");
    expect((await run("status", ended, "--json")).stdout).toContain(`"final_output":"${document}"`);
  });

  it("an unknown id exits 2, an ambiguous one too and names the candidates", async () => {
    for (const verb of ["status", "stop", "logs", "result"]) {
      const unknown = await run(verb, "ZZZZZZZZ");
      expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/ZZZZZZZZ/)]);
      const ambiguous = await run(verb, running.slice(0, 4));
      expect(ambiguous.code).toBe(2);
      expect(ambiguous.stderr).toContain(running);
      expect(ambiguous.stderr).toContain(ended);
      expect((await run(verb, "Z")).code).toBe(2);
    }
  });

  it("stop ends the run or the agent and prints which", async () => {
    const { code, stdout } = await run("stop", running.slice(-6).toLowerCase());
    expect([code, stdout]).toEqual([0, `stopped ${running}\n`]);
    expect((await run("stop", agent)).stdout).toBe(`stopped ${agent}\n`);
    expect(daemon.cancelled).toEqual([running, agent]);
  });

  it("logs replays and leaves; -f of an ended run gives its end and exit code", async () => {
    const replay = await run("logs", running);
    expect(replay.stdout).toContain("goal: still going");
    expect(replay.code).toBe(0);
    const followed = await run("logs", ended, "-f");
    expect(followed.stdout).toContain("✓ done");
    expect(followed.code).toBe(0);
    expect((await run("logs", agent)).code).toBe(0);
  });

  it("result prints the document, plain on a terminal, as it is to a pipe or a file", async () => {
    expect((await run("result", ended)).stdout).toBe("# Doc\u001b[31m\n");
    const terminal = startCli(["result", ended, "--socket", daemon.socketPath], {
      terminal: { columns: 80, rows: 24 },
      noColor: true,
    });
    await terminal.exit;
    expect(terminal.stdout()).toBe("# Doc\n");
    const file = join(dir, "copy.md");
    await run("result", ended, "-o", file);
    expect(readFileSync(file, "utf8")).toBe("# Doc\u001b[31m\n");
    const none = await run("result", running);
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/no result.*running/)]);
  });

  it("the daemon reads no document through a link that an agent may have made", async () => {
    writeFileSync(join(dir, "secret"), "KEY");
    const link = join(dir, "link.md");
    symlinkSync(join(dir, "secret"), link);
    mkdirSync(join(dir, "real"));
    writeFileSync(join(dir, "real/x.md"), "KEY");
    symlinkSync(join(dir, "real"), join(dir, "alias"));
    for (const path of [link, join(dir, "alias/x.md"), "/dev/zero", dir]) {
      const id = endedRun(daemon.journal, path);
      const { stdout } = await run("result", id, "--json");
      expect(stdout).not.toContain("KEY");
      expect(JSON.parse(stdout)).toMatchObject({ documents: [{ text: null }] });
    }
  });

  it("tools list names the tools", async () => {
    expect((await run("tools", "list")).stdout).toMatch(/echo .*Says it again/);
  });

  it("audit query and export give events, export all of them", async () => {
    const two = await run("audit", "query", "--run", running, "--limit", "2", "--json");
    expect(two.stdout.trim().split("\n")).toHaveLength(2);
    const kinds = await run("audit", "query", "--kind", "agent_spawned");
    expect(kinds.stdout.trim().split("\n")).toHaveLength(1);
    const file = join(dir, "audit.ndjson");
    await run("audit", "export", "-o", file);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(
      lines.map((_, i) => i + 1),
    );
    expect((await run("audit", "query", "--since", "yesterday-ish")).code).toBe(2);
    expect((await run("audit", "query", "--limit", "0")).code).toBe(2);
  });

  it("audit tail goes on with what happens, until Ctrl-C", async () => {
    const tail = startCli(["audit", "tail", "--socket", daemon.socketPath]);
    await until(() => tail.stdout().includes("agent_spawned"));
    daemon.journal.append({ actor: "daemon", kind: "daemon_stopped", reason: "just now" });
    await until(() => tail.stdout().includes("just now"));
    tail.interrupt();
    expect(await tail.exit).toBe(0);
  });

  it("audit verify exits 1 where the journal was damaged", async () => {
    const { code, stderr } = await run("audit", "verify");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/row 3 was changed/)]);
  });

  it("doctor tells that the daemon answers", async () => {
    const { stdout } = await run("doctor");
    expect(stdout).toMatch(/daemon +agentd .* answers/);
    expect(stdout).toMatch(/✓ database +fine/);
  });
});

describe("without a daemon", () => {
  const dir = mkdtempSync(join(tmpdir(), "aaos-offline-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const run = (...argv: string[]) => cli(argv, { root: dir, share: SHARE, cwd: dir });

  it("every verb that needs one exits 3 with how to start it", async () => {
    for (const argv of [
      ["list"],
      ["status", "AAAA"],
      ["stop", "AAAA"],
      ["logs", "AAAA"],
      ["result", "AAAA"],
      ["tools", "list"],
      ["audit", "tail"],
      ["audit", "verify"],
    ]) {
      const { code, stderr } = await run(...argv);
      expect([argv, code]).toEqual([argv, 3]);
      expect(stderr).toMatch(
        /no agentd runs here: there is no socket .*\n.*systemctl start agentd/,
      );
    }
  });

  it("what answers but is no agentd is connection_lost, exit 3", async () => {
    for (const answer of [
      "hello\n",
      '{"jsonrpc":"2.0","id":1,"result":{"runs":7}}\n',
      "[]\n",
      "",
    ]) {
      const path = join(dir, "fake.sock");
      const server = createServer((socket) => {
        socket.once("data", () => socket.end(answer));
        socket.on("error", () => {});
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      const { code, stderr } = await cli(["list", "--socket", path]);
      expect(code).toBe(3);
      expect(stderr).toMatch(/^agentd: .*\n/);
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("roles list, show and explain work from the files", async () => {
    const listed = await run("roles", "list");
    for (const name of ["fetcher", "analyzer", "writer", "generalist", "builder"]) {
      expect(listed.stdout).toContain(name);
    }
    expect((await run("roles", "show", "writer")).stdout).toContain("name: writer");
    const wrong = await run("roles", "show", "writter");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/did you mean writer/)]);
  });

  it("A24-14 roles explain tells what policy.yaml keeps back, and what it does not", async () => {
    const params = ["--param", "inputs=/data/a.md,/etc/shadow", "--param", "title=T"];
    const explained = await run(
      "roles",
      "explain",
      "writer",
      ...params,
      "--param",
      "output=/output/x.md",
    );
    expect(explained.code).toBe(0);
    expect(explained.stdout).toMatch(/✓ file_read: \/data\/a.md/);
    expect(explained.stdout).toMatch(/✓ file_write: \/output\/x.md/);
    expect(explained.stdout).toMatch(/✗ file_read: \/etc\/shadow/);
    const missing = await run("roles", "explain", "writer");
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/'output' is missing/),
    ]);
  });

  it("roles validate names file, line and field, and exits 2; a good file exits 0", async () => {
    const file = join(dir, "bad.yaml");
    writeFileSync(file, 'name: bad\nsystem_prompt: x\nmessage_template: "{nope}"\nbudgt: {}\n');
    const bad = await run("roles", "validate", "bad.yaml");
    expect(bad.code).toBe(2);
    expect(bad.stderr).toMatch(/bad.yaml:4: budgt.*budget/);
    const good = await run("roles", "validate", join(SHARE, "roles"));
    expect([good.code, good.stdout]).toEqual([0, expect.stringMatching(/valid.*5 files/)]);
    expect((await run("roles", "validate", "gone.yaml")).code).toBe(2);
  });

  it("a role that disabled itself is told by list, show and doctor", async () => {
    mkdirSync(join(dir, "etc/aaos/roles"), { recursive: true });
    writeFileSync(join(dir, "etc/aaos/roles/mine.yaml"), "name: mine\n");
    expect((await run("roles", "list")).stderr).toMatch(/disabled .*mine.yaml:1/);
    expect((await run("roles", "show", "mine")).code).toBe(2);
    const { code, stdout } = await run("doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ role file +.*mine.yaml:1/);
    expect(stdout).toMatch(/✗ daemon +no agentd runs here/);
  });

  it("a broken policy.yaml is named with its line by doctor and explain", async () => {
    mkdirSync(join(dir, "etc/aaos"), { recursive: true });
    writeFileSync(join(dir, "etc/aaos/policy.yaml"), "read:\n  alow: [/data]\n");
    expect((await run("doctor")).stdout).toMatch(/✗ policy.yaml +.*policy.yaml:2/);
    const explain = await run(
      "roles",
      "explain",
      "fetcher",
      "--param",
      "url=http://a/",
      "--param",
      "output=/output/a",
    );
    expect([explain.code, explain.stderr]).toEqual([
      2,
      expect.stringMatching(/policy.yaml:2.*allow/),
    ]);
    rmSync(join(dir, "etc/aaos/policy.yaml"));
  });

  it("doctor --bundle writes a report that no other user reads", async () => {
    await run("doctor", "--bundle", "bundle.json");
    expect(JSON.parse(readFileSync(join(dir, "bundle.json"), "utf8"))).toMatchObject({
      node: process.version,
    });
  });

  it("help and version exit 0, a missing command 2", async () => {
    expect((await run("--help")).code).toBe(0);
    expect((await run("audit", "tail", "--help")).stdout).toContain("--socket");
    expect((await run("--version")).code).toBe(0);
    const missing = await run("audit");
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/command is missing/),
    ]);
  });

  it("colours only on a terminal, and never with NO_COLOR", async () => {
    const onTerminal = async (noColor: boolean) => {
      const view = startCli(["doctor"], {
        root: dir,
        share: SHARE,
        noColor,
        terminal: { columns: 80, rows: 24 },
      });
      await view.exit;
      return view.stdout();
    };
    expect(await onTerminal(false)).toContain("\u001b[");
    expect(await onTerminal(true)).not.toContain("\u001b");
    expect((await run("doctor")).stdout).not.toContain("\u001b");
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function submitted(journal: MemoryJournal, goal: string): RunId {
  const run_id = journal.newRunId();
  const of = { run_id, actor: "uid:1000", owner_uid: 1000, params: {} };
  journal.append({ ...of, kind: "run_submitted", goal, orchestration: "auto" });
  return run_id;
}

function endedRun(journal: MemoryJournal, path: string): RunId {
  const run_id = submitted(journal, "over and done");
  const usage = { input_tokens: 1, output_tokens: 1, usd: 0 };
  const result = { final_output: path, final_text: "", documents: [path], usage };
  const of = { run_id, actor: "daemon" };
  journal.append(
    { ...of, kind: "run_result", ...result },
    { ...of, kind: "run_state_changed", move: "succeed", from: "running", to: "succeeded" },
  );
  return run_id;
}

function runningRun(journal: MemoryJournal): { readonly running: RunId; readonly agent: AgentId } {
  const running = submitted(journal, "still going");
  const agent_id = journal.newAgentId();
  const of = { run_id: running, actor: "daemon" };
  const plan = Plan.parse({
    steps: [
      { id: "fetch", role: "fetcher" },
      { id: "write", role: "writer", depends_on: ["fetch"] },
    ],
    final_output: "/output/x.md",
  });
  journal.append(
    {
      ...of,
      kind: "plan_produced",
      plan,
      subtask_count: 2,
      replans_used: 0,
      kept: [],
      document_before: "absent",
    },
    { ...of, kind: "run_state_changed", move: "execute", from: "queued", to: "running" },
    { ...of, agent_id, kind: "agent_spawned", manifest_name: "fetcher", model: "m" },
    {
      ...of,
      agent_id,
      kind: "capability_granted",
      capability: "file_read: /data/*",
      token: {
        id: journal.newTokenId(),
        agent_id,
        parent_id: null,
        capability: { kind: "file_read", glob: "/data/*" },
        max_invocations: null,
        rate_limit: null,
        issued_at: 0,
        expires_at: null,
      },
    },
    {
      ...of,
      agent_id,
      kind: "tool_result",
      tool: "file_read",
      call_id: "1",
      success: true,
      result_preview: "",
      denials: [],
      duration_ms: 1,
      execution_surface: "daemon",
      confinement: [],
    },
  );
  return { running, agent: agent_id };
}
