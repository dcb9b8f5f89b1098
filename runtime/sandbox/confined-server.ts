import type { Readable, Writable } from "node:stream";
import type { CompileRequest } from "../protocol/compile.js";
import { openStdio } from "./child-stdio.js";
import {
  type ConfinedAgent,
  type Enforced,
  type Machine,
  notCompiled,
  notLaunched,
} from "./confined-agent.js";
import { serveChildEgress } from "./serve-child-egress.js";

/** A confined process that lives on and is spoken to over its pipes. */
export interface ConfinedServer {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly enforced: Enforced;
  /** Resolves when nothing of it is left; never rejects. */
  readonly exited: Promise<unknown>;
  readonly kill: () => void;
}

export interface ServerLaunch {
  readonly machine: Machine;
  /** Whose tokens it holds, asked at the launch and at every connection. */
  readonly agent: ConfinedAgent;
  readonly request: CompileRequest;
  /** What it is called in an error. */
  readonly name: string;
}

/**
 * Launches a program that answers requests until it is killed. It holds what its agent's tokens name, as any program does; what it
 * says on stderr is nobody's. An abort kills it, during the launch and after.
 */
export async function launchServer(
  { machine, agent, request, name }: ServerLaunch,
  signal: AbortSignal,
): Promise<
  | { readonly ok: true; readonly server: ConfinedServer }
  | { readonly ok: false; readonly problem: string }
> {
  const compiled = await agent.compile(request);
  if (!compiled.ok) return { ok: false, problem: notCompiled(compiled).message };
  const stdio = openStdio(machine.addon);
  const launched = await machine.spawner.spawn(compiled.plan, stdio.fds, signal);
  if (!launched.ok) {
    stdio.discard();
    return { ok: false, problem: notLaunched(name, launched).message };
  }
  const { child } = launched;
  const { egress } = serveChildEgress({
    machine,
    agent,
    planned: compiled.plan.listeners,
    fds: child.listeners,
    judge: agent.judge,
  });
  const { stdin, stdout, stderr } = stdio.open();
  stderr.on("error", () => undefined).resume();
  stdin.on("error", () => undefined);
  const exited = child.exited.then(async () => {
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    await egress?.close();
  });
  return {
    ok: true,
    server: { stdin, stdout, enforced: child.enforced, exited, kill: () => child.kill() },
  };
}
