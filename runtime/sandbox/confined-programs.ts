import { assertNever } from "../base/assert-never.js";
import type { Denial } from "../protocol/access.js";
import type { Compiled, ProgramRequest } from "../protocol/compile.js";
import type { PortResult, ProgramCall, ProgramOutcome, ProgramsPort } from "../protocol/ports.js";
import { checkProgramProof, type ProgramProof } from "./check-proof.js";
import { type ChildStdio, openStdio } from "./child-stdio.js";
import {
  type ConfinedAgent,
  type Enforced,
  type Machine,
  notCompiled,
  notLaunched,
  type RevokedToken,
} from "./confined-agent.js";
import type { Egress } from "./egress/types.js";
import { HeadTail } from "./head-tail.js";
import type { ChildExit } from "./launcher-wire.js";
import { asPortResult, portFailure } from "./port-failure.js";
import { serveChildEgress } from "./serve-child-egress.js";
import type { Child } from "./spawner.js";

/** How long output may still arrive after the sandbox is gone: nobody is left who could write, so this is never waited for. */
const DRAIN_MS = 1_000;

type Call = ProgramCall & { readonly program: string };
type Planned = Extract<Compiled, { ok: true }>;

export interface ConfinedPrograms {
  readonly port: ProgramsPort;
  /** Tokens were taken away: kills what runs under them, and resets connections to hosts that are no longer granted. */
  readonly revoke: (revoked: readonly RevokedToken[]) => void;
  /** What confined the newest call; null before the first. */
  readonly enforced: () => Enforced | null;
  /** Kills all; resolves when nothing is left. */
  readonly close: () => Promise<void>;
}

export interface ProgramsOptions {
  readonly machine: Machine;
  readonly agent: ConfinedAgent;
  /** HOME of the agent's programs: made when first asked for. */
  readonly home: () => Promise<string>;
}

/** Why a program that was running is to end. */
type StopReason =
  | { readonly why: "timeout" | "closed" }
  | { readonly why: "abort" }
  | { readonly why: "revoked"; readonly token: RevokedToken };

/** One call that is under way. */
interface Running {
  readonly stop: (reason: StopReason) => void;
  readonly cut: () => void;
  readonly ended: Promise<unknown>;
}

/** What has been asked of a call before it ended; the first reason counts. */
interface Stopping {
  readonly control: AbortController;
  reason: StopReason | null;
}

/** The token kinds that a running program's sandbox was built from; what is granted of the network is asked at each connection. */
const BUILT_IN: ReadonlySet<RevokedToken["kind"]> = new Set([
  "file_read",
  "file_write",
  "exec",
  "cargo_run",
  "git_commit",
]);

/**
 * The port `programs`: a sandbox a call. It holds what the plan names and nothing else, gets no descriptor but its three pipes,
 * and ends as a whole with its program, at a timeout, at an abort, and when a token it was built from is revoked.
 */
export function confinedPrograms(options: ProgramsOptions): ConfinedPrograms {
  const running = new Set<Running>();
  const state: { enforced: Enforced | null; calls: number; closed: boolean } = {
    enforced: null,
    calls: 0,
    closed: false,
  };
  const run = async (
    granted: ProgramProof,
    call: Call,
    signal: AbortSignal,
  ): Promise<PortResult<ProgramOutcome>> => {
    checkProgramProof(granted, call.program);
    if (state.closed) return portFailure("unavailable", "the agent has ended");
    state.calls += 1;
    const stopping: Stopping = { control: new AbortController(), reason: null };
    const stop = (reason: StopReason) => {
      stopping.reason ??= reason;
      stopping.control.abort();
    };
    const onAbort = () => stop({ why: "abort" });
    signal.addEventListener("abort", onAbort, { once: true });
    let egress: Egress | null = null;
    const onLaunch = (child: Child, served: Egress | null) => {
      state.enforced = child.enforced;
      egress = served;
    };
    // From here on the call can be stopped: a token that is revoked while it is being launched counts.
    const work = carryOut({ granted, call, number: state.calls, stopping }, options, onLaunch);
    const entry: Running = { stop, cut: () => egress?.cut(), ended: work.catch(() => undefined) };
    running.add(entry);
    if (signal.aborted) onAbort();
    try {
      return await work;
    } finally {
      running.delete(entry);
      signal.removeEventListener("abort", onAbort);
      await (egress as Egress | null)?.close();
    }
  };
  return {
    port: {
      run: (granted, call, signal) =>
        asPortResult(call.program, signal, () => run(granted, call, signal)),
    },
    enforced: () => state.enforced,
    revoke: (revoked) => {
      const token = revoked.find(({ kind }) => BUILT_IN.has(kind));
      for (const call of running) {
        if (token !== undefined) call.stop({ why: "revoked", token });
        else call.cut();
      }
    },
    close: async () => {
      state.closed = true;
      for (const call of running) call.stop({ why: "closed" });
      await Promise.all([...running].map(({ ended }) => ended));
    },
  };
}

/** One call, and what is asked of it while it is under way. */
interface Job {
  readonly granted: ProgramProof;
  readonly call: Call;
  /** Of the agent's calls, from 1. */
  readonly number: number;
  readonly stopping: Stopping;
}

async function programRequest(
  { granted, call, number }: Job,
  { agent, home }: ProgramsOptions,
): Promise<ProgramRequest> {
  const common = {
    kind: "program",
    program: call.program,
    args: call.args,
    cwd: call.cwd,
    env: call.env ?? {},
    cgroup_name: `${agent.id}/p${number}`,
  } as const;
  switch (granted.kind) {
    case "exec":
      return { ...common, purpose: { kind: "exec" }, network: true, home: await home() };
    case "cargo_run": {
      const purpose = { kind: "cargo_run", dir: granted.dir } as const;
      return { ...common, purpose, network: true, home: await home() };
    }
    case "git_commit": {
      const purpose = { kind: "git_commit", dir: granted.dir } as const;
      return { ...common, purpose, network: false, home: null };
    }
    case "file_read":
      return { ...common, purpose: { kind: "file_read" }, network: false, home: null };
    default:
      return assertNever(granted);
  }
}

/** Compile, launch, feed, collect, end. Whatever comes of it, nothing of the process is left. */
async function carryOut(
  job: Job,
  options: ProgramsOptions,
  onLaunch: (child: Child, egress: Egress | null) => void,
): Promise<PortResult<ProgramOutcome>> {
  const { machine, agent } = options;
  const { call, stopping } = job;
  const compiled = await agent.compile(await programRequest(job, options));
  if (!compiled.ok) return notCompiled(compiled);
  const early = stopping.reason;
  if (early !== null) return stopped(early);
  const started = performance.now();
  const stdio = openStdio(machine.addon);
  const launched = await machine.spawner.spawn(compiled.plan, stdio.fds, stopping.control.signal);
  if (!launched.ok) {
    stdio.discard();
    const reason = stopping.reason;
    return reason === null ? notLaunched(call.program, launched) : stopped(reason);
  }
  const { child } = launched;
  const { egress, hosts } = serveChildEgress({
    machine,
    agent,
    planned: compiled.plan.listeners,
    fds: child.listeners,
    judge: agent.judge,
  });
  onLaunch(child, egress);
  const collected = await collect(child, stdio, call, stopping);
  const reason = stopping.reason;
  if (reason !== null && reason.why !== "timeout") return stopped(reason);
  return {
    ok: true,
    value: {
      ...collected.output,
      exit_code: collected.exit.exit_code,
      signal: collected.exit.signal,
      timed_out: reason !== null,
      duration_ms: Math.round(performance.now() - started),
      denials: [...hosts.all(), ...kernelDenials(call.program, compiled, collected.exit)],
      resources: {
        cpu_ms: Math.round((collected.exit.user_us + collected.exit.system_us) / 1_000),
        max_memory_bytes: Math.max(collected.exit.max_rss_bytes, collected.exit.memory_peak_bytes),
      },
    },
  };
}

/** Feeds the program, keeps head and tail of what it says, and waits for its end, which the time limit brings about. */
async function collect(child: Child, stdio: ChildStdio, call: Call, stopping: Stopping) {
  const { stdin, stdout, stderr } = stdio.open();
  const out = new HeadTail(call.max_output_bytes);
  const err = new HeadTail(call.max_output_bytes);
  const closed = Promise.all([pump(stdout, out), pump(stderr, err)]);
  // A program that does not read its input closes it early; that is its own affair.
  stdin.on("error", () => undefined);
  stdin.end(call.stdin ?? "");
  const timer = setTimeout(() => {
    stopping.reason ??= { why: "timeout" };
    child.kill();
  }, call.timeout_ms);
  const exit = await child.exited;
  clearTimeout(timer);
  const late = setTimeout(() => {
    stdout.destroy();
    stderr.destroy();
  }, DRAIN_MS);
  await closed;
  clearTimeout(late);
  stdin.destroy();
  const truncated = out.truncated || err.truncated;
  return { exit, output: { stdout: out.text(), stderr: err.text(), truncated } };
}

function pump(from: NodeJS.ReadableStream, into: HeadTail): Promise<void> {
  return new Promise((resolve) => {
    from.on("data", (chunk: Buffer) => into.push(chunk));
    from.on("error", () => undefined);
    from.once("close", resolve);
  });
}

function stopped(reason: StopReason): PortResult<never> {
  switch (reason.why) {
    case "revoked": {
      const { capability } = reason.token;
      const message = `'${capability}' was revoked while the program ran: it was killed`;
      const denial: Denial = { layer: "token", message, capability };
      return { ok: false, kind: "denied", message, denial };
    }
    case "closed":
      return portFailure("unavailable", "the agent ended while the program ran");
    case "abort":
      return portFailure("failed", "stopped while the program was running");
    case "timeout":
      return portFailure("timeout", "the program was not launched in time");
    default:
      return assertNever(reason);
  }
}

/** What the kernel counted or told of refusals; single opens inside a program it does not tell. */
function kernelDenials(program: string, { plan }: Planned, exit: ChildExit): readonly Denial[] {
  const denials: Denial[] = [];
  if (exit.execs_refused > 0) {
    const times = plan.exec_limit === 1 ? "once" : `${plan.exec_limit} times`;
    const message = `${program} tried to start ${exit.execs_refused} more programs; it may execute ${times}`;
    denials.push({ layer: "kernel", message });
  }
  if (exit.signal === "SIGSYS") {
    const message = `${program} was killed at a system call that no program may make here`;
    denials.push({ layer: "kernel", message });
  }
  if (exit.oom_kills > 0)
    denials.push({ layer: "kernel", message: `${program} used more memory than it may` });
  return denials;
}
