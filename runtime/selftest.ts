import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bad, good } from "./appliance/doctor/check.js";
import { type Answers, attemptingModel } from "./appliance/selftest/attempting-model.js";
import type { Targets } from "./appliance/selftest/denials.js";
import { judgeDenials } from "./appliance/selftest/judge-denials.js";
import { type SelftestPages, servePages } from "./appliance/selftest/pages.js";
import { ATTEMPTER, attempterRole, selftestPolicy } from "./appliance/selftest/selftest-policy.js";
import type { Journal } from "./audit/journal.js";
import { type LoadedRole, loadRoles } from "./catalog/roles.js";
import { AgentdError } from "./protocol/agentd-error.js";
import type { DoctorCheck, SelftestReport } from "./protocol/control-results.js";
import type { RunId } from "./protocol/ids.js";
import type { Places } from "./protocol/places.js";
import { ProvidersFile } from "./protocol/providers-file.js";
import { isRunEnded, RunRequest } from "./protocol/run.js";
import { openModels } from "./providers/directory.js";
import type { ModelDirectory } from "./providers/models.js";
import type { EngineDeps } from "./runs/deps.js";
import { openEngine } from "./runs/open-engine.js";
import type { Peer } from "./runs/peer.js";
import type { StoreReader } from "./store/reader.js";

interface SelftestDeps {
  /** As of the daemon's own engine; policy, models and roles are replaced. */
  readonly engine: EngineDeps;
  readonly journal: Pick<Journal, "subscribe">;
  readonly reader: StoreReader;
  readonly places: Places;
}

/** Seconds on any machine of today; an emulated one that starts takes its time, and is no ill one for that. No role's clock counts beside it. */
const LIMIT_MS = 480_000;
const PAGE_S = 240;
const LAYERS = ["namespaces", "root", "landlock", "seccomp"];

/** One selftest at a time; who asks meanwhile is told. */
export function selftests(
  deps: SelftestDeps,
): (peer: Peer, signal: AbortSignal) => Promise<SelftestReport> {
  let isRunning = false;
  return async (peer, signal) => {
    if (isRunning)
      throw new AgentdError("unavailable", "selftest", "another selftest is under way", {
        hint: "Try again in some seconds.",
      });
    isRunning = true;
    try {
      return await runSelftest(deps, peer, signal);
    } finally {
      isRunning = false;
    }
  };
}

/**
 * Carries a real goal out over two pages on loopback, with the builtin provider, and has ten attempts refused. An engine of its own,
 * beside the daemon's, so that its policy holds for its own runs alone; the launcher, the proxy and the journal are the daemon's.
 */
async function runSelftest(
  deps: SelftestDeps,
  peer: Peer,
  signal: AbortSignal,
): Promise<SelftestReport> {
  const began = performance.now();
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  await using pages = await servePages();
  const goal = await goalChecks(deps, pages, peer, within);
  const denials = await denialChecks(deps, pages, peer, within);
  const checks = [...goal, ...denials];
  return {
    ok: checks.every(({ verdict }) => verdict === "ok"),
    elapsed_ms: Math.round(performance.now() - began),
    checks,
  };
}

async function goalChecks(
  deps: SelftestDeps,
  pages: SelftestPages,
  peer: Peer,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const { vendorRolesDir } = deps.places;
  const { roles } = loadRoles([{ dir: vendorRolesDir, origin: "vendor" }]);
  const goal = `Fetch http://${pages.open}/one and http://${pages.open}/two and compare them`;
  const request = RunRequest.parse({ goal, orchestration: "plan" });
  const models = builtinModels();
  const runId = await carriedOut(
    deps,
    { pages, models, roles: () => withoutClocks(roles) },
    request,
    peer,
    signal,
  );
  const run = deps.reader.run(runId);
  const calls = deps.reader
    .events({ run_id: runId, kind: ["tool_result"], after_seq: 0, limit: 1_000, reverse: false })
    .flatMap((event) => ("erased" in event || event.kind !== "tool_result" ? [] : [event]));
  const open = calls.filter(
    ({ execution_surface, confinement }) =>
      execution_surface !== "worker" ||
      !LAYERS.every((layer) => confinement.some((each) => each.startsWith(layer))),
  );
  const passed = deps.reader
    .events({ run_id: runId, kind: ["egress_decided"], after_seq: 0, limit: 100, reverse: false })
    .filter((event) => "verdict" in event && event.verdict === "allowed").length;
  const steps = run?.steps.length ?? 0;
  const succeeded = run?.state === "succeeded";
  const seen = `agentd logs ${runId} shows what happened.`;
  return [
    succeeded && steps >= 3
      ? good("goal", `planned into ${steps} steps and carried out`)
      : bad(
          "goal",
          run?.error?.message ?? `ended as ${run?.state ?? "nothing"} with ${steps} steps`,
          seen,
        ),
    succeeded && (run.final_text ?? "") !== "" && run.documents.length > 0
      ? good("output", run.documents.join(", "))
      : bad("output", "there is no document", seen),
    passed > 0
      ? good("egress proxy", `${passed} connections judged and let through`)
      : bad("egress proxy", "no connection was judged", seen),
    calls.length > 0 && open.length === 0
      ? good(
          "confined workers",
          `${calls.length} tool calls: ${(calls[0]?.confinement ?? []).join(", ")}`,
        )
      : bad(
          "confined workers",
          `${open.length} of ${calls.length} tool calls were not confined`,
          "Run `agentd doctor`.",
        ),
  ];
}

/** A role's wall clock is an operator's limit of what a goal may cost; a slot that is slow is not one to leave. */
function withoutClocks(roles: ReadonlyMap<string, LoadedRole>): ReadonlyMap<string, LoadedRole> {
  return new Map(
    [...roles].map(([name, entry]) => {
      const { max_wall_clock_s: _, ...budget } = entry.role.budget;
      return [name, { ...entry, role: { ...entry.role, budget } }];
    }),
  );
}

async function denialChecks(
  deps: SelftestDeps,
  pages: SelftestPages,
  peer: Peer,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const { stateDir, socketPath } = deps.places;
  const dir = join(stateDir, "selftest", randomBytes(6).toString("hex"));
  const secret = join(dir, "secret");
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  // Readable by everybody: it is the confinement that must refuse, not the file's mode.
  writeFileSync(secret, randomBytes(16).toString("hex"), { mode: 0o644 });
  try {
    let answers: Answers = new Map();
    const prepare = (workspace: string): Targets => {
      const link = join(workspace, "link");
      symlinkSync(secret, link);
      return {
        workspace,
        secret,
        link,
        open: pages.open,
        closed: pages.closed,
        socket: socketPath,
      };
    };
    const stream = attemptingModel(prepare, (all) => {
      answers = all;
    });
    const role = attempterRole(pages.open);
    const roles = new Map([
      [ATTEMPTER, { role, file: "the selftest itself", origin: "vendor" as const }],
    ]);
    const models = {
      ...builtinModels(),
      resolve: () => ({ ...builtinModels().resolve("fast"), stream }),
    };
    const request = RunRequest.parse({
      goal: "Try what must be refused",
      role: ATTEMPTER,
      params: { workspace: "{run}" },
    });
    await carriedOut(deps, { pages, models, roles: () => roles }, request, peer, signal);
    return judgeDenials(answers, pages.closedHits());
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One run from its submission to its end, by an engine that lives as long. Throws where it does not end in time. */
async function carriedOut(
  { engine: daemon, journal, reader }: SelftestDeps,
  own: { readonly pages: SelftestPages; readonly models: ModelDirectory } & Pick<
    EngineDeps,
    "roles"
  >,
  request: RunRequest,
  peer: Peer,
  signal: AbortSignal,
): Promise<RunId> {
  const policy = selftestPolicy(own.pages.open);
  // Its pages lie on this machine: what they take is the worker's own start, which is slow where everything starts at once.
  const settings = { ...daemon.settings, web: { ...daemon.settings.web, timeout_s: PAGE_S } };
  const engine = openEngine({ ...daemon, settings, policy, models: own.models, roles: own.roles });
  try {
    const id = await engine.submit(request, peer);
    const isOver = (): boolean => {
      const state = reader.run(id)?.state;
      return state !== undefined && isRunEnded(state);
    };
    await becomesTrue(isOver, journal, signal);
    return id;
  } finally {
    await engine.close(AbortSignal.timeout(5_000));
  }
}

/** Asks again after every batch of events. Rejects where `signal` aborts first. */
async function becomesTrue(
  isSo: () => boolean,
  journal: SelftestDeps["journal"],
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const end = (how: () => void): void => {
      unsubscribe();
      signal.removeEventListener("abort", abort);
      how();
    };
    const look = (): void => {
      if (isSo()) end(resolve);
    };
    const abort = (): void => end(() => reject(tooLong(signal)));
    const unsubscribe = journal.subscribe(look);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    else look();
  });
}

function tooLong(signal: AbortSignal): AgentdError {
  return new AgentdError("run_failed", "selftest", "the selftest did not come to its end", {
    hint: "See `agentd list`, then `agentd doctor`; a busy machine may need a second try.",
    cause: signal.reason,
  });
}

function builtinModels(): ModelDirectory {
  return openModels({
    file: ProvidersFile.parse({}),
    defaultSlots: 4,
    credential: () => undefined,
    sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
    random: Math.random,
    now: Date.now,
  });
}
