import { openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { ConfinementPlan } from "../protocol/confinement.js";
import { loadAddon } from "../sandbox/addon.js";
import { startSpawner } from "../sandbox/spawner.js";
import type { Attempt, Layer } from "./attempt.js";
import { afterwards, answerOf, limitMs } from "./collect-answer.js";
import { OMITTED_BY_LAUNCHER, withoutLayers } from "./without-layers.js";
import type { World } from "./world.js";

export interface ConfinedRunner {
  /** The answer under the plan; `launch STEP: ERRNO` where nothing ran. */
  readonly run: (plan: ConfinementPlan, attempt: Attempt, world: World) => Promise<string>;
  /** What was in force at the last launch, by layer. */
  readonly enforced: () => Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** A launcher of its own; with layers to leave out, the test build, which alone knows how. */
export function openConfinedRunner(nativeDir: string, leftOut: readonly Layer[]): ConfinedRunner {
  const addon = loadAddon(join(nativeDir, "aaos.node"));
  const omitted = leftOut.filter((layer) => OMITTED_BY_LAUNCHER.has(layer));
  const line = omitted.length > 0 ? `omit ${omitted.join(" ")}\n` : "";
  const spawner = startSpawner({
    binary: join(nativeDir, leftOut.length > 0 ? "aaos-spawn-ablation" : "aaos-spawn"),
    addon,
    amendPlanForTest: (plan) => plan + line,
  });
  let enforced: Readonly<Record<string, string>> = {};
  return {
    enforced: () => enforced,
    close: () => spawner.close(),
    run: async (plan, attempt, world) => {
      const [readEnd, writeEnd] = addon.pipe();
      const output = firstBytes(readEnd);
      const fds = [openSync("/dev/null", "r"), writeEnd, openSync("/dev/null", "w")];
      const late = AbortSignal.timeout(limitMs(attempt));
      const amended = withoutLayers(plan, leftOut);
      const launched = await spawner.spawn(amended, fds, late);
      if (!launched.ok)
        return `launch ${launched.step}: ${launched.errno} ${launched.detail}`.trim();
      enforced = launched.child.enforced;
      const exit = await launched.child.exited;
      for (const fd of launched.child.listeners) addon.closeFd(fd);
      if (late.aborted) return "timeout";
      const answer = answerOf(await output, exit.exit_code, exit.signal);
      return afterwards(attempt, world, answer);
    },
  };
}

function firstBytes(fd: number): Promise<string> {
  const socket = new Socket({ fd, readable: true, writable: false });
  let text = "";
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      if (text.length < 4_096) text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}
