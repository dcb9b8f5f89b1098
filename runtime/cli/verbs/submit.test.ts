import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Plan } from "../../protocol/plan.js";
import { cli, startCli } from "../../test/cli-process.js";
import { type RunScript, scriptedDaemon } from "../../test/scripted-daemon.js";

const PLAN = Plan.parse({
  steps: [
    { id: "fetch", role: "fetcher" },
    { id: "write", role: "writer", depends_on: ["fetch"] },
  ],
  final_output: "/output/a.md",
});

describe("agentd submit", () => {
  const dir = mkdtempSync(join(tmpdir(), "aaos-submit-"));
  const document = join(dir, "a.md");
  beforeAll(() => writeFileSync(document, "# Title\n\nBody \u001b]0;owned\u0007text\n"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const succeeding: RunScript = async (journal, run_id) => {
    const of = { run_id, actor: "planner" };
    journal.append(
      {
        ...of,
        kind: "plan_produced",
        plan: PLAN,
        subtask_count: 2,
        replans_used: 0,
        kept: [],
        document_before: "absent",
      },
      {
        ...of,
        kind: "subtask_started",
        subtask_id: "fetch",
        role: "fetcher",
        attempt: 1,
      },
      {
        ...of,
        kind: "tool_invoked",
        tool: "web_fetch",
        call_id: "c1",
        input_hash: "00",
        args_preview: '{"url":"http://x/\u001b[2J\u009b31m"}',
        read_only: true,
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    journal.append(
      {
        ...of,
        kind: "usage_reported",
        input_tokens: 1_500,
        output_tokens: 20,
        usd: 0.012,
        provider: "p",
        model: "m",
        latency_ms: 1,
      },
      {
        ...of,
        kind: "run_result",
        final_output: document,
        final_text: "done",
        documents: [document],
        usage: { input_tokens: 1_500, output_tokens: 20, usd: 0.012 },
      },
      { ...of, kind: "run_state_changed", move: "succeed", from: "running", to: "succeeded" },
    );
  };
  const failing: RunScript = async (journal, run_id) => {
    await Promise.resolve();
    journal.append({
      run_id,
      actor: "daemon",
      kind: "run_state_changed",
      move: "fail",
      from: "running",
      to: "failed",
      reason: "step write wrote no /output/a.md",
      error: "output_missing",
    });
  };

  it("piped prints plain lines, then the document's path and first lines, and exits 0", async () => {
    await using daemon = await scriptedDaemon({ script: succeeding });
    const { code, stdout, stderr } = await cli([
      "submit",
      "write",
      "a.md",
      "--socket",
      daemon.socketPath,
    ]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^\[\d\d:\d\d:\d\d\]\s+goal: write a.md$/m);
    expect(stdout).toMatch(/^\[..:..:..\] {14}plan: 2 steps for \/output\/a.md$/m);
    expect(stdout).toMatch(/^\[..:..:..\] fetch {8}started: fetcher$/m);
    expect(stdout).toMatch(/^✓ done in \S+, 1.5k in, 20 out, \$0.0120$/m);
    expect(stdout).toContain(`\n${document}\n  # Title\n  \n  Body text\n`);
    expect(code).toBe(0);
  });

  it("prints no escape sequence that a model or a page has put in", async () => {
    await using daemon = await scriptedDaemon({ script: succeeding });
    for (const flags of [[], ["-v"], ["--json"]]) {
      const { stdout } = await cli(["submit", "g", ...flags, "--socket", daemon.socketPath]);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(stdout).toContain("http://x/");
    }
  });

  it("--json prints the frames, one a line, end last", async () => {
    await using daemon = await scriptedDaemon({ script: succeeding });
    const { code, stdout } = await cli(["submit", "g", "--json", "--socket", daemon.socketPath]);
    const frames = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string });
    expect(frames.at(0)?.kind).toBe("event");
    expect(frames.at(-1)).toMatchObject({ kind: "end", exit_code: 0 });
    expect(code).toBe(0);
  });

  it("of a run that fails says what and what to do next, and exits 1", async () => {
    await using daemon = await scriptedDaemon({ script: failing });
    const { code, stdout, stderr } = await cli(["submit", "g", "--socket", daemon.socketPath]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ failed after /m);
    expect(stderr).toMatch(/^agentd: step write wrote no \/output\/a.md \(output_missing\)$/m);
    expect(stderr).toMatch(/agentd logs [0-9A-Z]{26}/);
  });

  it("--detach prints the run's id alone", async () => {
    await using daemon = await scriptedDaemon();
    const { code, stdout } = await cli(["submit", "g", "--detach", "--socket", daemon.socketPath]);
    expect(stdout).toMatch(/^[0-9A-Z]{26}\n$/);
    expect(code).toBe(0);
    expect(daemon.journal.reader.run(stdout.trim())?.goal).toBe("g");
  });

  it("sends role, parameters and ceilings; --role means direct", async () => {
    await using daemon = await scriptedDaemon();
    const argv = ["submit", "g", "--detach", "--socket", daemon.socketPath, "--role", "writer"];
    await cli([...argv, "--param", "output=/o/a=b.md", "--param", "in=1", "--param", "in=2"]);
    const [event] = daemon.journal.reader.events({ after_seq: 0, limit: 1, reverse: false });
    expect(event).toMatchObject({
      orchestration: "direct",
      params: { output: "/o/a=b.md", in: ["1", "2"] },
    });
  });

  it("A24-1 first Ctrl-C detaches, says how to come back and exits 0; nothing is cancelled", async () => {
    await using daemon = await scriptedDaemon();
    const run = startCli(["submit", "g", "--socket", daemon.socketPath]);
    await until(() => run.stdout().includes("goal: g"));
    const began = Date.now();
    run.interrupt();
    expect(await run.exit).toBe(0);
    expect(Date.now() - began).toBeGreaterThan(1_900);
    expect(run.stderr()).toMatch(/agentd logs [0-9A-Z]{26} -f/);
    expect(daemon.cancelled).toEqual([]);
  });

  it("a second Ctrl-C within two seconds aborts at once with 4; nothing is cancelled", async () => {
    await using daemon = await scriptedDaemon();
    const run = startCli(["submit", "g", "--socket", daemon.socketPath]);
    await until(() => run.stdout().includes("goal: g"));
    const began = Date.now();
    run.interrupt();
    run.interrupt();
    expect(await run.exit).toBe(4);
    expect(Date.now() - began).toBeLessThan(500);
    expect(daemon.cancelled).toEqual([]);
  });

  it("that loses its daemon exits 3 and says how to come back", async () => {
    const daemon = await scriptedDaemon();
    const run = startCli(["submit", "g", "--socket", daemon.socketPath]);
    await until(() => run.stdout().includes("goal: g"));
    await daemon[Symbol.asyncDispose]();
    expect(await run.exit).toBe(3);
    expect(run.stderr()).toMatch(/agentd logs [0-9A-Z]{26} -f/);
  });

  describe("refuses with exit code 2", () => {
    const files: readonly [string, string | Uint8Array | undefined, RegExp][] = [
      ["a missing file", undefined, /no such file/],
      ["an empty file", " \n ", /is empty/],
      ["a file that is too large", "x".repeat(200_001), /at most 65536 characters/],
      ["a file that is no UTF-8", Uint8Array.of(0xff, 0xfe, 0x41), /no UTF-8/],
    ];
    it.each(files)("%s", async (_what, content, message) => {
      const file = join(dir, "goal.txt");
      rmSync(file, { force: true });
      if (content !== undefined) writeFileSync(file, content);
      const { code, stderr } = await cli(["submit", "-f", file, "--socket", "/nowhere"]);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).toContain("goal.txt");
      expect(stderr.trim().split("\n")).toHaveLength(2);
    });

    const usages: readonly [string[], RegExp][] = [
      [["submit"], /the goal is empty/],
      [["submit", "g", "-f", "x"], /both/],
      [["submit", "g", "--max-tokens", "many"], /--max-tokens many/],
      [["submit", "g", "--max-usd", "-1"], /--max-usd -1/],
      [["submit", "g", "--timeout", "soon"], /--timeout soon/],
      [["submit", "g", "--role", "writer", "--param", "x"], /--param x/],
      [["submit", "g", "--param", "x=1"], /needs --role/],
      [["submit", "g", "--orchestration", "chaos"], /chaos/],
      [["submit", "g", "--detatch"], /unknown option '--detatch'.*--detach/],
      [["sumbit", "g"], /unknown command 'sumbit'.*submit/],
    ];
    it.each(usages)("%j", async (argv, message) => {
      const { code, stderr } = await cli([...argv, "--socket", "/nowhere"]);
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    });
  });

  it("takes a goal from a file or standard input", async () => {
    await using daemon = await scriptedDaemon();
    const file = join(dir, "goal.txt");
    writeFileSync(file, "Fetch A.\nWrite B.\n");
    const ids = [
      (await cli(["submit", "-f", file, "--detach", "--socket", daemon.socketPath])).stdout,
      (
        await cli(["submit", "-f", "-", "--detach", "--socket", daemon.socketPath], {
          stdin: "Fetch A.\nWrite B.",
        })
      ).stdout,
    ];
    for (const id of ids) {
      expect(daemon.journal.reader.run(id.trim())?.goal).toBe("Fetch A.\nWrite B.");
    }
  });

  it("without a daemon exits 3 and says how to start it; with --json as JSON", async () => {
    const plain = await cli(["submit", "g", "--socket", join(dir, "none.sock")]);
    expect(plain.code).toBe(3);
    expect(plain.stderr).toMatch(/no agentd runs here.*\n.*systemctl start agentd/);
    const json = await cli(["submit", "g", "--json", "--socket", join(dir, "none.sock")]);
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { kind: "daemon_unreachable" } });
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
