import {
  type AgentCard,
  type ListTasksRequest,
  type ListTasksResponse,
  type Message,
  type SendMessageRequest,
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
import type { Api } from "../api.js";
import type { CallContext } from "../handler.js";
import { followTask } from "./follow-task.js";
import { taskOfRun } from "./task-of-run.js";

const PAGE = 50;

/** A2A's methods for one caller, on top of the socket's: a message is a goal, a task is a run. */
export function a2aHandler(card: AgentCard, api: Api, context: CallContext): A2ARequestHandler {
  const run = (run_id: string) => found(() => api.call("run.get", { run_id }, context));
  const submit = async (request: SendMessageRequest): Promise<RunReport> => {
    const { run_id } = await api.call("run.submit", { goal: goalOf(request) }, context);
    return run(run_id);
  };
  const follow = (first: RunReport) => followTask(first, api, context);
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
    listTasks: async (asked) => {
      const { runs } = await api.call("run.list", { all: true }, context);
      return pageOf(
        await Promise.all(runs.map(async ({ run_id }) => taskOfRun(await run(run_id)))),
        asked,
      );
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

/** One page of the tasks in the state that is asked for, or in any; a page's token is the id it begins with. */
function pageOf(all: readonly Task[], asked: ListTasksRequest): ListTasksResponse {
  const { status, pageToken, pageSize = PAGE } = asked;
  const isAsked = (task: Task) =>
    status === TaskState.TASK_STATE_UNSPECIFIED || task.status?.state === status;
  const tasks = all.filter(isAsked);
  const start = Math.max(
    0,
    tasks.findIndex(({ id }) => id === pageToken),
  );
  const page = tasks.slice(start, start + pageSize);
  const nextPageToken = tasks[start + pageSize]?.id ?? "";
  return { tasks: page, nextPageToken, pageSize: page.length, totalSize: tasks.length };
}
