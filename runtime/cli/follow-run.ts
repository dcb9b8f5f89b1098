import { AgentdError } from "../protocol/agentd-error.js";
import type { ExitCode } from "../protocol/error-code.js";
import { askInPlace, canAsk } from "./ask-approval.js";
import type { Client } from "./client.js";
import type { Command } from "./command.js";
import { jsonView, lineView } from "./line-view.js";
import { printEnd } from "./print-end.js";
import type { EndFrame, RunView } from "./run-view.js";

/** A second Ctrl-C within this time aborts; after it, the first has long detached. */
const ABORT_MS = 2_000;

interface Followed {
  readonly runId: string;
  /** A picture painted in place (where there is a terminal), lines, or every event. */
  readonly as: "picture" | "lines" | "events";
}

/**
 * Shows one run until it has ended and gives its exit code. The first Ctrl-C detaches: it says how to come back and leaves after
 * two seconds with 0; a second one in that time leaves at once with 4. The run goes on in both cases.
 */
export async function followRun(
  command: Command,
  client: Client,
  { runId, as }: Followed,
): Promise<ExitCode> {
  const view = await chooseView(command, as);
  const leave = new AbortController();
  const signal = AbortSignal.any([leave.signal, command.signal]);
  using interrupts = onInterrupts(command, runId, view, leave);
  try {
    let end: EndFrame | undefined;
    for await (const frame of client.stream(
      "run.attach",
      { run_id: runId, after_seq: 0, attended: canAsk(command) },
      signal,
    )) {
      if (interrupts.code() !== undefined) continue;
      view.show(frame);
      if (frame.kind === "end") end = frame;
      if (canAsk(command)) await askInPlace(command, client, view, frame);
    }
    view.close();
    if (end === undefined) return interrupts.code() ?? 0;
    if (!command.json) await printEnd(command, client, end);
    return exitCodeOf(end);
  } catch (thrown) {
    view.close();
    throw withRunId(thrown, runId);
  }
}

async function chooseView(command: Command, shown: Followed["as"]): Promise<RunView> {
  if (command.json) return jsonView(command);
  if (shown !== "picture" || command.io.stdout.isTTY !== true) {
    return lineView(command, shown === "events");
  }
  const { liveView } = await import("./live-view.js");
  return liveView(command);
}

function onInterrupts(
  { io, style }: Command,
  runId: string,
  view: RunView,
  leave: AbortController,
): Disposable & { readonly code: () => ExitCode | undefined } {
  let code: ExitCode | undefined;
  let later: NodeJS.Timeout | undefined;
  const onInterrupt = () => {
    if (code !== undefined) {
      code = 4;
      leave.abort();
      return;
    }
    code = 0;
    view.close();
    io.stderr.write(
      `\n${style.bold("Detached; the run goes on.")}\n` +
        `  follow it again: agentd logs ${runId} -f\n` +
        `  end it:          agentd stop ${runId}\n`,
    );
    later = setTimeout(() => leave.abort(), ABORT_MS);
  };
  io.signals.on("SIGINT", onInterrupt);
  return {
    code: () => code,
    [Symbol.dispose]: () => {
      clearTimeout(later);
      io.signals.off("SIGINT", onInterrupt);
    },
  };
}

function exitCodeOf({ exit_code }: EndFrame): ExitCode {
  return exit_code === 0 || exit_code === 2 || exit_code === 3 || exit_code === 4 ? exit_code : 1;
}

/** The same error with the run's own id in its hint. */
function withRunId(thrown: unknown, runId: string): unknown {
  if (!(thrown instanceof AgentdError)) return thrown;
  const hint = thrown.hint.replaceAll(/\bID\b/g, runId);
  return new AgentdError(thrown.code, thrown.op, thrown.message, { hint, cause: thrown.cause });
}
