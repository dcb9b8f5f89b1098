import { execFileSync } from "node:child_process";
import { release } from "node:os";
import { join } from "node:path";
import { errorText } from "../base/error-text.js";
import { loadAddon } from "../sandbox/addon.js";
import { ALL_ATTEMPTS } from "./all-attempts.js";
import { type Attempt, LAYERS, type Layer } from "./attempt.js";
import { runOnHost } from "./collect-answer.js";
import { planCompiler } from "./compiled-plans.js";
import type { Measured, Row } from "./result.js";
import { bubblewrapTight, bubblewrapTypical } from "./run-bubblewrap.js";
import { openConfinedRunner } from "./run-confined.js";
import { openSandboxRuntime } from "./run-sandbox-runtime.js";
import { measureTools } from "./run-tools.js";
import { stagePrograms } from "./staged-programs.js";
import { openWorld, type World } from "./world.js";

export interface MeasureOptions {
  readonly nativeDir: string;
  /** `confined` is what must hold; `all` also tells what each layer and what the other sandboxes do. */
  readonly columns: "confined" | "all";
  readonly tools: boolean;
  /** Where `@anthropic-ai/sandbox-runtime` was installed for the comparison; null leaves it out. */
  readonly sandboxRuntime: string | null;
  /** Only attempts whose id begins with one of these; empty for all. */
  readonly only: readonly string[];
}

type MutableRow = { -readonly [K in keyof Row]: Row[K] };

/** Runs every attempt in every column. The process must be of an ordinary uid. */
export async function measure(options: MeasureOptions): Promise<Measured> {
  const { only } = options;
  await using programs = await stagePrograms(options.nativeDir);
  const nativeDir = programs.dir;
  const world = await openWorld(join(nativeDir, "probe"));
  try {
    const attempts = ALL_ATTEMPTS.filter(
      ({ id }) => only.length === 0 || only.some((start) => id.startsWith(start)),
    );
    const rows = new Map(attempts.map(({ id }) => [id, emptyRow(id)]));
    const landlockAbi = loadAddon(join(nativeDir, "aaos.node")).landlockAbi();
    const planOf = planCompiler({ world, landlockAbi, programs: nativeDir });
    const scene: Scene = { attempts, rows, world, planOf, nativeDir };
    const enforced = await confinedColumn(scene);
    const others: Record<string, string> = {};
    await bareColumn(scene);
    if (options.columns === "all") {
      await ablationColumns(scene, landlockAbi);
      Object.assign(others, await otherColumns(scene, options.sandboxRuntime));
    }
    return {
      date: new Date().toISOString().slice(0, 10),
      kernel: release(),
      arch: process.arch,
      uid: process.getuid?.() ?? -1,
      landlock_abi: landlockAbi,
      enforced,
      others,
      rows: [...rows.values()],
      tools: options.tools ? [...(await measureTools(nativeDir, only))] : [],
    };
  } finally {
    await world.close();
  }
}

interface Scene {
  readonly attempts: readonly Attempt[];
  readonly rows: ReadonlyMap<string, MutableRow>;
  readonly world: World;
  readonly planOf: ReturnType<typeof planCompiler>;
  readonly nativeDir: string;
}

function emptyRow(id: string): MutableRow {
  return { id, bare: null, confined: "", without: {}, others: {} };
}

async function each(
  { attempts, rows }: Scene,
  body: (attempt: Attempt, row: MutableRow) => Promise<void>,
): Promise<void> {
  for (const attempt of attempts) {
    const row = rows.get(attempt.id);
    if (row !== undefined) await body(attempt, row);
  }
}

async function confinedColumn(scene: Scene): Promise<Readonly<Record<string, string>>> {
  const runner = openConfinedRunner(scene.nativeDir, []);
  await each(scene, async (attempt, row) => {
    const argv = await scene.world.prepare(attempt);
    row.confined = await runner.run(await scene.planOf(attempt, argv), attempt, scene.world);
  });
  await runner.close();
  return runner.enforced();
}

async function bareColumn(scene: Scene): Promise<void> {
  await each(scene, async (attempt, row) => {
    if (attempt.bare === null) return;
    const argv = await scene.world.prepare(attempt);
    row.bare = await runOnHost([scene.world.fill("{probe}"), ...argv], attempt, scene.world);
  });
}

/** Worlds in which the columns of the layers are made at the same time. */
const AT_ONCE = 3;

/** An attempt that must be ended from outside tells nothing here, and would take its time once a layer. */
async function ablationColumns(scene: Scene, landlockAbi: number): Promise<void> {
  const columns = [...LAYERS];
  const work = async () => {
    const world = await openWorld(join(scene.nativeDir, "probe"));
    const planOf = planCompiler({ world, landlockAbi, programs: scene.nativeDir });
    for (let column = columns.pop(); column !== undefined; column = columns.pop())
      await ablationColumn({ ...scene, world, planOf }, column);
    await world.close();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function ablationColumn(scene: Scene, layer: Layer): Promise<void> {
  const runner = openConfinedRunner(scene.nativeDir, [layer]);
  await each(scene, async (attempt, row) => {
    if (!isAblated(attempt)) return;
    const argv = await scene.world.prepare(attempt);
    const plan = await scene.planOf(attempt, argv);
    const answer = await runner.run(plan, attempt, scene.world);
    row.without[layer] = answer;
  });
  await runner.close();
}

function isAblated(attempt: Attempt): boolean {
  return attempt.expect !== "timeout" && attempt.control !== true;
}

/** What every sandbox must let run. */
const NOTHING: Attempt = {
  id: "none",
  title: "a program that does nothing",
  tokens: "work",
  attempt: ["none"],
  expect: "ok",
  layers: [],
};

async function otherColumns(scene: Scene, folder: string | null): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  const column = async (
    name: string,
    commandOf: (attempt: Attempt, argv: readonly string[]) => Promise<readonly string[]>,
  ) => {
    // A sandbox that does not even start would seem to refuse everything.
    const nothing = await scene.world.prepare(NOTHING);
    const started = await runOnHost(await commandOf(NOTHING, nothing), NOTHING, scene.world);
    if (started !== "ok") throw new Error(`${name} does not run a program: ${started}`);
    await each(scene, async (attempt, row) => {
      if (!isAblated(attempt)) return;
      const argv = await scene.world.prepare(attempt);
      row.others[name] = await runOnHost(await commandOf(attempt, argv), attempt, scene.world);
    });
  };
  try {
    const version = execFileSync("bwrap", ["--version"], { encoding: "utf8" }).trim();
    const { world } = scene;
    await column("bwrap", async (attempt, argv) => bubblewrapTypical(attempt, world, argv));
    await column("bwrap-tight", async (attempt, argv) => bubblewrapTight(attempt, world, argv));
    versions["bwrap"] = version;
    versions["bwrap-tight"] = version;
  } catch (thrown) {
    versions["bwrap"] = `not run: ${errorText(thrown)}`;
  }
  if (folder === null) return versions;
  try {
    const runtime = await openSandboxRuntime(folder, scene.world);
    await column("srt", runtime.command);
    versions["srt"] = runtime.version;
    await runtime.close();
  } catch (thrown) {
    versions["srt"] = `not run: ${errorText(thrown)}`;
  }
  return versions;
}
