import { addSkill } from "./add-skill.js";
import { verifyOffLoop } from "./audit/verify-off-loop.js";
import { explainRole } from "./catalog/explain-role.js";
import type { ControlDeps } from "./control/deps.js";
import { openMetrics } from "./control/metrics.js";
import { diagnose } from "./doctor.js";
import { mcpChecks } from "./mcp-reports.js";
import { memoryCheck } from "./memory-check.js";
import { networkOf } from "./network-of.js";
import { neverGrantable } from "./protocol/places.js";
import type { Rooms } from "./rooms.js";
import type { Schedules } from "./runs/schedules.js";
import { selftests } from "./selftest.js";
import { BUILTIN_TOOLS, toolSpec } from "./tools/registry.js";
import { VERSION } from "./version.js";

/** What the socket's methods work on, from the rooms. */
export function controlDeps(rooms: Rooms, schedules: Schedules): ControlDeps {
  const { config, journal, reader, models, engineDeps, engine, servers, confinement, path } = rooms;
  const { places } = config;
  const startedAt = new Date().toISOString();
  const metrics = openMetrics(reader, VERSION, engine.traffic);
  journal.subscribe(metrics.count);
  return {
    metrics,
    engine,
    schedules,
    reader,
    subscribe: journal.subscribe,
    memory: rooms.memory,
    skills: () => config.catalog,
    addSkill: (upload) => {
      const added = addSkill(upload, places.addedSkillsDir);
      rooms.live.reload();
      return added;
    },
    roles: () => config.catalog,
    manifests: () => config.catalog.manifests,
    explainRole: ({ role }, params) =>
      explainRole(role, params, {
        policy: config.policy,
        never: neverGrantable(places),
        workspaceDir: places.workspaceDir,
      }),
    toolSpecs: () => [...BUILTIN_TOOLS, ...servers.tools()].map(toolSpec),
    status: () => ({
      version: VERSION,
      pid: process.pid,
      started_at: startedAt,
      default_provider: models.default_provider,
      runs_active: reader.runs({ all: false }).length,
      agents_active: reader.agents({ all: false }).length,
      budgets: [...engine.budgets()],
      models: [...engine.traffic().models],
      providers: [...engine.traffic().providers],
      confinement: [...confinement.layers()],
    }),
    doctor: async (signal) => [
      ...(await diagnose(
        { ...config, landlockAbi: confinement.landlockAbi, path, network: networkOf(config) },
        signal,
      )),
      memoryCheck(await rooms.memory.status()),
      ...mcpChecks(servers.status()),
      ...(await confinement.prove()),
    ],
    selftest: selftests({ ...rooms, places, engine: engineDeps }),
    record: async (event) => {
      const [appended] = await journal.append([event]);
      if (appended === undefined) throw new Error("an event was appended and is not there");
      return appended.seq;
    },
    verify: (heads, signal) => verifyOffLoop(places.databaseFile, heads, signal),
  };
}
