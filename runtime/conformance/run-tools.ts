import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { errorText } from "../base/error-text.js";
import type { AccessKind, AccessOf, Granted } from "../protocol/access.js";
import type { Json } from "../protocol/json.js";
import type { ToolResult } from "../protocol/tool-call.js";
import { openTestAgent, type TestAgent, testBase } from "../test/confined-agent.js";
import { NO_MEMORY, NO_SKILLS } from "../test/no-memory.js";
import { NO_OTHER_AGENTS } from "../test/no-other-agents.js";
import { BUILTIN_TOOLS } from "../tools/registry.js";
import { HOST_PATH } from "./collect-answer.js";
import type { ToolRow } from "./result.js";
import { TOOL_GRANTS, type ToolAttempt } from "./tool-attempt.js";
import { TOOL_ATTEMPTS } from "./tool-attempts.js";

/** Longer than any attempt may take. */
const LIMIT_MS = 20_000;

type Fill = (text: string) => string;

/** Makes every attempt through an agent of its own: with the check of its tokens, and with the kernel alone. */
export async function measureTools(
  nativeDir: string,
  only: readonly string[],
): Promise<readonly ToolRow[]> {
  const site = createServer((_, response) => response.end("<p>site</p>"));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const { port } = site.address() as AddressInfo;
  const rows: ToolRow[] = [];
  for (const attempt of TOOL_ATTEMPTS) {
    if (only.length > 0 && !only.some((start) => attempt.id.startsWith(start))) continue;
    const scene = { attempt, port, nativeDir };
    rows.push({
      id: attempt.id,
      bare: attempt.bare === null ? null : await bare(scene),
      ...(await attempted(scene)),
    });
  }
  site.closeAllConnections();
  site.close();
  return rows;
}

interface Scene {
  readonly attempt: ToolAttempt;
  readonly port: number;
  readonly nativeDir: string;
}

async function prepared({
  attempt,
  port,
  nativeDir,
}: Scene): Promise<{ base: string; fill: Fill }> {
  const base = await testBase();
  const fill: Fill = (text) =>
    text
      .replaceAll("{base}", base)
      .replaceAll("{port}", String(port))
      .replaceAll("{daemon}", String(process.pid));
  await mkdir(join(base, "box"));
  for (const file of ["in/file", "out/file", "box/file"])
    await writeFile(join(base, file), "content\n");
  await writeFile(join(base, "secret/s.txt"), "secret\n");
  git(base, "init", "-q", join(base, "out/repo"));
  await mkdir(join(base, "out/a/b/c/d/e/.git/hooks"), { recursive: true });
  for (const step of attempt.setup ?? []) await setUp(step, fill, nativeDir);
  return { base, fill };
}

function git(cwd: string, ...args: readonly string[]): void {
  spawnSync("git", args, { cwd, env: { PATH: HOST_PATH, HOME: cwd } });
}

async function setUp(
  step: NonNullable<ToolAttempt["setup"]>[number],
  fill: Fill,
  nativeDir: string,
): Promise<void> {
  const path = fill(step.path);
  await mkdir(dirname(path), { recursive: true });
  switch (step.make) {
    case "file":
      return writeFile(path, fill(step.content ?? ""));
    case "program":
      await writeFile(path, fill(step.content));
      return chmod(path, 0o755);
    case "dir":
      await mkdir(path, { recursive: true });
      return;
    case "symlink":
      return symlink(fill(step.target), path);
    case "probe":
      return copyFile(join(nativeDir, "probe"), path);
    case "addon":
      return copyFile(join(nativeDir, "aaos.node"), path);
    case "fifo":
      spawnSync("mkfifo", [path]);
      return;
    case "git-config":
      git(path, "config", step.name, fill(step.value));
  }
}

/** In a process beside us, which serves the site that some of them ask. */
async function bare(scene: Scene): Promise<string> {
  const { base, fill } = await prepared(scene);
  const env = { PATH: HOST_PATH, HOME: base, AAOS_CONFORMANCE_SECRET: "secret" };
  const script = fill(scene.attempt.bare ?? "");
  const child = spawn("bash", ["-c", script], { cwd: join(base, "out"), env, stdio: "ignore" });
  const [status] = (await once(child, "exit")) as [number | null];
  await rm(base, { recursive: true, force: true });
  return status === 0 ? "ok" : `exit ${status}`;
}

/** Both columns by one agent: what the check refuses has changed nothing for the kernel to meet. */
async function attempted(scene: Scene): Promise<Pick<ToolRow, "confined" | "unchecked">> {
  const { attempt } = scene;
  const { base, fill } = await prepared(scene);
  await using agent = await openTestAgent(base, {
    grants: (attempt.grants ?? TOOL_GRANTS).map(fill),
    programs: ["cp", "ln", "mv", "mkdir", "chmod", "touch", "sleep"],
    network: ["*", `localhost:${scene.port}`],
    nativeDir: scene.nativeDir,
  });
  const input = filled(attempt.input, fill);
  const checked = agent.call(attempt.tool, input);
  if (attempt.revoke !== undefined) {
    await sleep(500);
    agent.revoke(attempt.revoke);
  }
  const confined = await settled(attempt, fill, checked);
  if (attempt.unchecked === null) return { confined, unchecked: null };
  const unchecked = await settled(attempt, fill, withoutCheck(agent, attempt.tool, input));
  return { confined, unchecked };
}

/** The answer; and that what must not be there is there, where it is. */
async function settled(
  { absent }: ToolAttempt,
  fill: Fill,
  call: Promise<ToolResult>,
): Promise<string> {
  const answered = call.then(answerOf, (thrown: unknown) => `threw ${errorText(thrown)}`);
  const answer = await Promise.race([answered, sleep(LIMIT_MS, "hung", { ref: false })]);
  if (absent === undefined) return answer;
  await sleep(absent.after_ms);
  return existsSync(fill(absent.path)) ? `${answer}, and ${absent.path} is there` : answer;
}

/** The tool over the agent's own ports, where every question whether it may is answered with yes. */
function withoutCheck(agent: TestAgent, name: string, input: Json): Promise<ToolResult> {
  const tool = BUILTIN_TOOLS.find((one) => one.name === name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  const yes = <K extends AccessKind>(access: AccessOf<K>) =>
    Promise.resolve({ ok: true as const, granted: access as unknown as Granted<K> });
  return tool.run(tool.input.parse(input), {
    ports: agent.agent.ports.forCall().ports,
    agents: NO_OTHER_AGENTS,
    grant: yes,
    memory: NO_MEMORY,
    skills: NO_SKILLS,
    workspace: agent.workspace,
    web: { timeout_ms: 10_000, max_redirects: 5 },
    signal: new AbortController().signal,
  });
}

function filled(input: ToolAttempt["input"], fill: Fill): Json {
  const deep = (value: Json): Json => {
    if (typeof value === "string") return fill(value);
    if (Array.isArray(value)) return value.map(deep);
    return value;
  };
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, deep(value)]));
}

const Ended = z.object({
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  timed_out: z.boolean().optional(),
});

function answerOf(result: ToolResult): string {
  if (!result.ok) return [result.error.kind, result.error.layer ?? ""].join(" ").trim();
  const ended = Ended.safeParse(result.output);
  if (!ended.success) return "ok";
  const { exit_code, signal, timed_out } = ended.data;
  if (timed_out === true) return "timeout";
  return exit_code === 0 ? "ok" : (signal ?? `exit ${exit_code}`);
}
