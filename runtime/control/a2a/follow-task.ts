import type { StreamResponse } from "@a2a-js/sdk";
import type { Frame } from "../../protocol/control.js";
import type { RunReport } from "../../protocol/control-results.js";
import { isRunEnded } from "../../protocol/run.js";
import type { Api } from "../api.js";
import type { CallContext } from "../handler.js";
import { statusUpdate, taskOfRun } from "./task-of-run.js";

/** A run as A2A streams it: the task, each change of its state, and at its end the result before the last state. */
export async function* followTask(
  first: RunReport,
  api: Api,
  context: CallContext,
): AsyncGenerator<StreamResponse, void, undefined> {
  const { run_id } = first;
  yield { payload: { $case: "task", value: taskOfRun(first) } };
  let shown = first.state;
  const asked = { run_id, after_seq: first.last_seq };
  for await (const frame of api.stream("run.attach", asked, context)) {
    if (!mayChangeState(frame)) continue;
    const now = await api.call("run.get", { run_id }, context);
    if (now.state === shown && frame.kind !== "end") continue;
    shown = now.state;
    if (isRunEnded(now.state)) return yield* lastWords(now);
    yield statusUpdate(now);
  }
}

function mayChangeState(frame: Frame): boolean {
  return (
    frame.kind === "end" || (frame.kind === "event" && frame.event.kind === "run_state_changed")
  );
}

function* lastWords(run: RunReport): Generator<StreamResponse, void, undefined> {
  for (const artifact of taskOfRun(run).artifacts) {
    const ids = { taskId: run.run_id, contextId: run.run_id };
    const value = { ...ids, artifact, append: false, lastChunk: true, metadata: undefined };
    yield { payload: { $case: "artifactUpdate", value } };
  }
  yield statusUpdate(run);
}
