import {
  type AgentCard,
  type Message,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
} from "@a2a-js/sdk";
import {
  PushNotificationNotSupportedError,
  RequestMalformedError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from "@a2a-js/sdk/errors";
import type { A2ARequestHandler } from "@a2a-js/sdk/server";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { RunReport } from "../../protocol/control-results.js";
import { isRunEnded } from "../../protocol/run.js";
import type { Api } from "../api.js";
import type { CallContext } from "../handler.js";
import { statusUpdate, taskOfRun } from "./task-of-run.js";

const PAGE = 50;

/** A2A's methods for one caller, on top of the socket's: a message is a goal, a task is a run. */
export function a2aHandler(card: AgentCard, api: Api, context: CallContext): A2ARequestHandler {
  const run = (run_id: string) => found(() => api.call("run.get", { run_id }, context));
  const submit = async (request: SendMessageRequest): Promise<RunReport> => {
    const { run_id } = await api.call("run.submit", { goal: goalOf(request) }, context);
    return run(run_id);
  };
  const follow = async function* (
    first: RunReport,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    yield { payload: { $case: "task", value: taskOfRun(first) } };
    let shown = first.state;
    const asked = { run_id: first.run_id, after_seq: first.last_seq };
    for await (const frame of api.stream("run.attach", asked, context)) {
      if (frame.kind !== "event" && frame.kind !== "end") continue;
      if (frame.kind === "event" && frame.event.kind !== "run_state_changed") continue;
      const now = await run(first.run_id);
      if (now.state === shown && frame.kind !== "end") continue;
      shown = now.state;
      if (isRunEnded(now.state)) {
        const task = taskOfRun(now);
        for (const artifact of task.artifacts) {
          const update = {
            taskId: now.run_id,
            contextId: now.run_id,
            artifact,
            append: false,
            lastChunk: true,
            metadata: undefined,
          };
          yield { payload: { $case: "artifactUpdate", value: update } };
        }
        yield statusUpdate(now);
        return;
      }
      yield statusUpdate(now);
    }
  };
  const noPush = () => Promise.reject(new PushNotificationNotSupportedError());
  return {
    getAgentCard: () => Promise.resolve(card),
    getAuthenticatedExtendedAgentCard: () =>
      Promise.reject(new UnsupportedOperationError("there is no extended card")),
    sendMessage: async (request): Promise<Message | Task> => {
      const submitted = await submit(request);
      if (request.configuration?.returnImmediately !== false) return taskOfRun(submitted);
      for await (const _ of follow(submitted)) if (context.signal.aborted) break;
      return taskOfRun(await run(submitted.run_id));
    },
    sendMessageStream: async function* (request) {
      yield* follow(await submit(request));
    },
    getTask: async ({ id }) => taskOfRun(await run(id)),
    cancelTask: async ({ id }) => {
      await found(() => api.call("run.cancel", { run_id: id }, context));
      return taskOfRun(await run(id));
    },
    resubscribe: async function* ({ id }) {
      yield* follow(await run(id));
    },
    listTasks: async ({ pageSize = PAGE, status, pageToken }) => {
      const { runs } = await api.call("run.list", { all: true }, context);
      const reports = await Promise.all(runs.map(({ run_id }) => run(run_id)));
      const tasks = reports
        .map(taskOfRun)
        .filter(
          (task) => status === TaskState.TASK_STATE_UNSPECIFIED || task.status?.state === status,
        );
      const start =
        pageToken === ""
          ? 0
          : Math.max(
              0,
              tasks.findIndex(({ id }) => id === pageToken),
            );
      const page = tasks.slice(start, start + pageSize);
      return {
        tasks: page,
        nextPageToken: tasks[start + pageSize]?.id ?? "",
        pageSize: page.length,
        totalSize: tasks.length,
      };
    },
    createTaskPushNotificationConfig: noPush,
    getTaskPushNotificationConfig: noPush,
    listTaskPushNotificationConfigs: noPush,
    deleteTaskPushNotificationConfig: noPush,
  };
}

/** The text of a message. One that answers a task is refused: what a run asks, an operator of this machine answers. */
function goalOf({ message }: SendMessageRequest): string {
  if (message === undefined) throw new RequestMalformedError("there is no message");
  if (message.taskId !== "")
    throw new UnsupportedOperationError(
      "a run takes no further messages; approvals are given on this machine",
    );
  const texts = message.parts.map(({ content }) =>
    content?.$case === "text" ? content.value : undefined,
  );
  if (texts.includes(undefined)) throw new RequestMalformedError("only text parts are understood");
  const goal = texts.join("\n").trim();
  if (goal === "") throw new RequestMalformedError("the message holds no text");
  return goal;
}

async function found<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    if (thrown.code === "unknown_id" || thrown.code === "not_permitted")
      throw new TaskNotFoundError(thrown.message);
    throw new RequestMalformedError(thrown.message);
  }
}
