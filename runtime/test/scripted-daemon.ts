import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGate } from "../control/access.js";
import type { ControlDeps } from "../control/deps.js";
import { makeHandlers } from "../control/handlers.js";
import { type ServerOptions, startServer } from "../control/server.js";
import { visibleTo } from "../control/visible.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RoleReport } from "../protocol/control-results.js";
import type { NewEvent } from "../protocol/event.js";
import type { AgentId, RunId } from "../protocol/ids.js";
import { Role } from "../protocol/role.js";
import type { RunRequest } from "../protocol/run.js";
import { type MemoryJournal, memoryJournal } from "./memory-journal.js";

/** Carries a run out by appending its events; the signal aborts when the run is cancelled. */
export type RunScript = (
  journal: MemoryJournal,
  runId: RunId,
  request: RunRequest,
  signal: AbortSignal,
) => Promise<void>;

export interface ScriptedDaemon extends AsyncDisposable {
  readonly socketPath: string;
  readonly dir: string;
  readonly journal: MemoryJournal;
  readonly logged: string[];
  readonly cancelled: (RunId | AgentId)[];
  readonly deps: ControlDeps;
}

interface DaemonOptions {
  readonly script?: RunScript;
  readonly server?: Partial<ServerOptions>;
  readonly deps?: Partial<ControlDeps>;
  readonly socketPath?: string;
  /** Where the trail of calls goes; default nowhere. */
  readonly record?: (event: NewEvent) => Promise<unknown>;
}

/** The real control server over a scripted engine and a journal in memory, on a socket of its own. */
export async function scriptedDaemon(options: DaemonOptions = {}): Promise<ScriptedDaemon> {
  const dir = mkdtempSync(join(tmpdir(), "aaos-control-"));
  const socketPath = options.socketPath ?? join(dir, "run/agentd/agentd.sock");
  const journal = memoryJournal();
  const cancelled: (RunId | AgentId)[] = [];
  const logged: string[] = [];
  const deps: ControlDeps = {
    ...scriptedDeps(journal, cancelled, options.script),
    ...options.deps,
  };
  const log = (fields: object, message: string) => {
    logged.push(
      `${message}: ${JSON.stringify({ ...fields, err: String(Reflect.get(fields, "err")) })}`,
    );
  };
  const server = await startServer({
    socketPath,
    handlersFor: (caller) => makeHandlers(visibleTo(caller, deps)),
    gate: openGate(options.record ?? (() => Promise.resolve())),
    peerOf: () => ({ uid: 1000, groups: [1000], admin: true }),
    log: { warn: log, error: log },
    ...options.server,
  });
  return {
    socketPath,
    dir,
    journal,
    logged,
    cancelled,
    deps,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function scriptedDeps(
  journal: MemoryJournal,
  cancelled: (RunId | AgentId)[],
  script: RunScript = async () => {},
): ControlDeps {
  const running = new Map<RunId, AbortController>();
  return {
    reader: journal.reader,
    subscribe: journal.subscribe,
    engine: {
      submit: async (request, peer) => {
        const runId = journal.newRunId();
        const { goal, orchestration, params } = request;
        const context = { run_id: runId, actor: `uid:${String(peer.uid)}`, owner_uid: peer.uid };
        journal.append({ ...context, kind: "run_submitted", goal, orchestration, params });
        const abort = new AbortController();
        running.set(runId, abort);
        setImmediate(() => void script(journal, runId, request, abort.signal).catch(() => {}));
        return runId;
      },
      cancel: async (runId) => {
        cancelled.push(runId);
        running.get(runId)?.abort();
        await Promise.resolve();
      },
      ...NO_APPROVALS,
      recover: async () => {},
      hold: async () => {},
      isHeld: () => false,
      goOn: async () => {},
      pause: async (runId) => void journal.append(moved(journal, runId, "pause", "paused")),
      resume: async (runId) => void journal.append(moved(journal, runId, "resume", "queued")),
      stopAgent: (agentId) => Promise.resolve(void cancelled.push(agentId)),
      launchServer: () => Promise.resolve({ ok: false, problem: "none here" }),
      ...{ check: () => {}, agents: NO_AGENTS },
    },
    schedules: {
      add: () => Promise.reject(new AgentdError("unavailable", "add schedule", "no clock here")),
      remove: async () => {},
    },
    ...NO_KNOWLEDGE,
    roles: () => ({ roles: new Map([["writer", WRITER]]), problems: [] }),
    manifests: () => new Map(),
    explainRole: ({ role }, params) => ({
      role: role.name,
      params: { ...params },
      granted: ["file_write: /output/*"],
      withheld: [],
    }),
    record: (event) => Promise.resolve(journal.append(event).length),
    metrics: { count: () => {}, text: () => Promise.resolve("aaos_info 1\n") },
    toolSpecs: () => [
      { name: "echo", description: "Says it again.", input_schema: { type: "object" } },
    ],
    status: () => ({
      version: "0.0.0",
      pid: process.pid,
      started_at: new Date(0).toISOString(),
      default_provider: "builtin",
      runs_active: running.size,
      ...{ agents_active: 0, budgets: [], models: [], providers: [] },
      confinement: [],
    }),
    selftest: () => Promise.resolve({ ok: true, elapsed_ms: 1, checks: [] }),
    doctor: () =>
      Promise.resolve([{ name: "database", verdict: "ok", detail: "fine", remedy: null }]),
    verify: async () => {
      await Promise.resolve();
      throw new AgentdError("audit_broken", "verify", "row 3 was changed");
    },
  };
}

function moved(
  journal: MemoryJournal,
  run_id: RunId,
  move: "pause" | "resume",
  to: "paused" | "queued",
) {
  const from = journal.reader.run(run_id)?.state ?? "queued";
  return { kind: "run_state_changed" as const, actor: "uid:1000", run_id, move, from, to };
}

const NO_KNOWLEDGE: Pick<ControlDeps, "memory" | "skills" | "addSkill"> = {
  memory: {
    list: () => [],
    match: () => [],
    query: () => Promise.resolve({ results: [], text_only: null }),
    forget: () => Promise.resolve({ memories: 0, erased: 0, kept: 0 }),
  },
  skills: () => ({ skills: new Map(), problems: [] }),
  addSkill: () => {
    throw new AgentdError("invalid_file", "add skill", "SKILL.md:1: does not exist");
  },
};

const NO_APPROVALS = {
  budgets: () => [],
  traffic: () => ({ models: [], providers: [] }),
  close: async () => {},
  respond: () => Promise.resolve(),
  attend: () => ({ [Symbol.dispose]: () => undefined }),
};

const WRITER: RoleReport = {
  role: Role.parse({ name: "writer", system_prompt: "Write.", message_template: "{output}" }),
  file: "/usr/share/aaos/roles/writer.yaml",
  origin: "vendor",
};

const refuse = () =>
  Promise.reject(new AgentdError("unavailable", "run agent", "no agents live here"));
const NO_AGENTS: ControlDeps["engine"]["agents"] = {
  ...{ spawn: refuse, run: refuse, spawnAndRun: refuse, pause: refuse, resume: refuse },
  ...{ clear: refuse, invoke: refuse, deliver: refuse },
  checkAddressee: () => undefined,
  isLiving: () => false,
  budgets: () => [],
};
