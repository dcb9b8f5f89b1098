import { mkdir, mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Skill } from "../catalog/skills.js";
import { type Confinement, openConfinement, startLauncher } from "../confinement.js";
import type { Memory } from "../memory/memory.js";
import { type MemoryOptions, openMemory } from "../memory/open-memory.js";
import { expandGrants } from "../policy/expand.js";
import type { AuditEvent } from "../protocol/event.js";
import { StepId } from "../protocol/ids.js";
import type { Json } from "../protocol/json.js";
import { neverGrantable, places } from "../protocol/places.js";
import { PolicyFile } from "../protocol/policy-file.js";
import type { Ports } from "../protocol/ports.js";
import { Settings } from "../protocol/settings.js";
import type { ToolResult } from "../protocol/tool-call.js";
import { callTool } from "../runs/call-tool.js";
import type { AgentHome } from "../runs/run-context.js";
import { type SpawnedAgent, spawnAgent } from "../runs/spawn-agent.js";
import { openTokenLedger } from "../runs/token-ledger.js";
import type { StoreReader } from "../store/reader.js";
import { BUILTIN_TOOLS } from "../tools/registry.js";
import { NATIVE_BUILD } from "./confined.js";
import { entropy, journalFixture, newRunId, submitted } from "./journal-fixture.js";
import { NO_OTHER_AGENTS } from "./no-other-agents.js";

/** A whole agent with real tokens, a real journal and real confinement; only the model is missing. */
export interface TestAgent extends AsyncDisposable {
  /** Free of links; `base/work` is the run's own workspace. */
  readonly base: string;
  readonly workspace: string;
  readonly agent: SpawnedAgent;
  readonly confinement: Confinement;
  readonly call: (tool: string, input: Json, signal?: AbortSignal) => Promise<ToolResult>;
  /** The same ports without the check before them: what the kernel says to a check that was fooled. */
  readonly unchecked: () => Ports;
  /** Revokes every token that has this text in its capability. */
  readonly revoke: (start: string) => void;
  readonly events: () => readonly AuditEvent[];
}

export interface TestAgentOptions {
  /** In the written form; `{base}` stands for the test's directory. */
  readonly grants: readonly string[];
  readonly network?: readonly string[];
  readonly programs?: readonly string[];
  readonly nativeDir?: string;
  readonly skills?: ReadonlyMap<string, Skill>;
  /** The operator's own proxy. */
  readonly proxy?: string;
}

const PROGRAM_DIR = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const PROGRAMS =
  "git rg cargo npm node python3 make curl sh cat ls head sleep setsid env dd ln mv true chmod".split(
    " ",
  );

/** Processes, however they are confined, that have this word on their command line. */
export async function processesWith(word: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const line = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (line.split("\0").includes(word)) found.push(Number(name));
  }
  return found;
}

/** A directory for `openTestAgent`, so that a test can put files there first. */
export async function testBase(): Promise<string> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "aaos-agent-")));
  for (const dir of ["work", "in", "out", "secret"]) await mkdir(join(base, dir));
  return base;
}

const TOOL_DEPS = {
  tools: () => BUILTIN_TOOLS,
  now: entropy.now,
  web: { timeout_ms: 10_000, max_redirects: 5 },
  rest: new AbortController().signal,
  agentsFor: () => NO_OTHER_AGENTS,
  underWay: new Set<Promise<unknown>>(),
};

function policyOf(base: string, { network = [], programs = [] }: TestAgentOptions): PolicyFile {
  return PolicyFile.parse({
    read: { allow: [base] },
    write: { allow: [base] },
    network: { allow: [...network] },
    exec: { allow: [...PROGRAMS, ...programs] },
  });
}

/** A memory without a model: it is searched by its words. */
function wordsAlone(of: Pick<MemoryOptions, "journal" | "reader" | "database">): Memory {
  return openMemory({
    ...of,
    ...{ entropy, log: () => undefined, retentionDays: 0 },
    index: `${of.database}-memory-index`,
    embedder: { ok: false, reason: "no model in this test" },
  });
}

export async function openTestAgent(base: string, options: TestAgentOptions): Promise<TestAgent> {
  const launcher = startLauncher(options.nativeDir ?? NATIVE_BUILD);
  const { journal, reader, ...fixture } = await journalFixture();
  const at = places({ root: join(base, "root") });
  await mkdir(at.stateDir, { recursive: true });
  const policy = policyOf(base, options);
  const settings = Settings.parse(options.proxy === undefined ? {} : { proxy: options.proxy });
  const confinement = await openConfinement({
    ...{ launcher, settings, policy, places: at, programDir: PROGRAM_DIR },
    nativeDir: options.nativeDir ?? NATIVE_BUILD,
    path: "/usr/local/bin:/usr/bin:/bin",
  });
  const ledger = openTokenLedger(entropy);
  const memory = wordsAlone({ journal, reader, database: fixture.path });
  const id = newRunId();
  await journal.append([submitted(id)]);
  const workspace = join(base, "work");
  const { openPorts, compile } = confinement;
  const { skills = new Map<string, Skill>() } = options;
  const catalog = { skills: () => skills, roles: () => new Map(), log: () => undefined };
  const deps = { ...catalog, journal, policy, settings, entropy, openPorts, compile };
  const home = {
    ...{ dir: workspace, shared: { ledger }, of: { run_id: id, step_id: StepId.parse("only") } },
    deps: { ...deps, neverGrantable: neverGrantable(at) },
  } as unknown as AgentHome;
  const { grants, problems } = expandGrants([...options.grants], { base, workspace });
  if (problems.length > 0) throw new Error(problems.join("; "));
  const agent = await spawnAgent(home, { name: "test", model: "none", grants });
  let calls = 0;
  const toolDeps = { ...TOOL_DEPS, ledger, memory };
  return {
    base,
    workspace,
    agent,
    confinement,
    call: async (name, input, signal = new AbortController().signal) => {
      calls += 1;
      const request = { id: `call-${calls}`, name, input };
      const { result, tell } = await callTool(agent, request, toolDeps, signal);
      await tell();
      return result;
    },
    unchecked: () => agent.ports.forCall().ports,
    revoke: (start) => {
      const held = ledger.heldBy(agent.id).map(({ token }) => token);
      const written = (token: (typeof held)[number]) => JSON.stringify(token.capability);
      ledger.revoke(
        held.filter((token) => written(token).includes(start)).map((token) => token.id),
      );
    },
    events: () => eventsOf(reader),
    [Symbol.asyncDispose]: async () => {
      await journal.append(await agent.end("completed"));
      await memory.close();
      await confinement.close();
      reader.close();
      await journal.close();
      await rm(fixture.dir, { recursive: true, force: true });
      await rm(base, { recursive: true, force: true });
    },
  };
}

function eventsOf(reader: StoreReader): readonly AuditEvent[] {
  const all = reader.events({ after_seq: 0, limit: 10_000, reverse: false });
  return all.filter((event) => !("erased" in event)) as AuditEvent[];
}
