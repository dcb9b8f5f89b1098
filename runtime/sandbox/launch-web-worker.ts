import type { ConfinementPlan } from "../protocol/confinement.js";
import { type ChildStdio, openStdio } from "./child-stdio.js";
import type { Machine } from "./confined-agent.js";
import type { LaunchFailure } from "./launcher-wire.js";
import type { Child } from "./spawner.js";

/** A web worker that runs and that nobody has spoken to yet: its pipes are closed, its listeners not served. */
export interface WebWorker {
  readonly child: Child;
  readonly stdio: ChildStdio;
  /** What it runs under; its listeners are in the order of `child.listeners`. */
  readonly plan: ConfinementPlan;
}

type Launched = { readonly ok: true; readonly worker: WebWorker } | LaunchFailure;

export async function launchWebWorker(
  { addon, spawner }: Machine,
  plan: ConfinementPlan,
  signal: AbortSignal,
): Promise<Launched> {
  const stdio = openStdio(addon);
  const launched = await spawner.spawn(plan, stdio.fds, signal);
  if (launched.ok) return { ok: true, worker: { child: launched.child, stdio, plan } };
  stdio.discard();
  return launched;
}
