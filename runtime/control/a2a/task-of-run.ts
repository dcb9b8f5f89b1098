import { Role, type StreamResponse, type Task, TaskState, type TaskStatus } from "@a2a-js/sdk";
import type { RunReport } from "../../protocol/control-results.js";
import type { RunState } from "../../protocol/run.js";

/** Our states and A2A's, one to one as far as A2A has words: a run that waits for an approval asks for input. */
const STATES: Readonly<Record<RunState, TaskState>> = {
  queued: TaskState.TASK_STATE_SUBMITTED,
  planning: TaskState.TASK_STATE_WORKING,
  running: TaskState.TASK_STATE_WORKING,
  paused: TaskState.TASK_STATE_WORKING,
  waiting_approval: TaskState.TASK_STATE_INPUT_REQUIRED,
  succeeded: TaskState.TASK_STATE_COMPLETED,
  failed: TaskState.TASK_STATE_FAILED,
  cancelled: TaskState.TASK_STATE_CANCELED,
};

/** A run as the task it is; each run is a context of its own. */
export function taskOfRun(run: RunReport): Task {
  const { run_id, final_text, final_output } = run;
  const artifact = (text: string) => ({
    artifactId: "result",
    name: final_output ?? "result",
    description: "",
    parts: [textPart(text)],
    metadata: undefined,
    extensions: [],
  });
  return {
    id: run_id,
    contextId: run_id,
    status: statusOf(run),
    artifacts: final_text === null ? [] : [artifact(final_text)],
    history: [],
    metadata: { aaos_state: run.state },
  };
}

export function statusUpdate(run: RunReport): StreamResponse {
  const { run_id } = run;
  const value = { taskId: run_id, contextId: run_id, status: statusOf(run), metadata: undefined };
  return { payload: { $case: "statusUpdate", value } };
}

function statusOf({ run_id, state, error, ended_at, submitted_at }: RunReport): TaskStatus {
  const text = error?.message ?? (state === "waiting_approval" ? "an operator must approve" : "");
  return {
    state: STATES[state],
    timestamp: ended_at ?? submitted_at,
    message:
      text === ""
        ? undefined
        : {
            messageId: `${run_id}-${state}`,
            contextId: run_id,
            taskId: run_id,
            role: Role.ROLE_AGENT,
            parts: [textPart(text)],
            metadata: undefined,
            extensions: [],
            referenceTaskIds: [],
          },
  };
}

function textPart(value: string) {
  const content = { $case: "text" as const, value };
  return { content, metadata: undefined, filename: "", mediaType: "text/plain" };
}
