import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { RunReport } from "../../protocol/control-results.js";
import { JsonObject } from "../../protocol/json.js";
import { isRunEnded, type RunState } from "../../protocol/run.js";
import type { Api } from "../api.js";
import { describeIssues } from "../frames.js";
import type { CallContext } from "../handler.js";

/** What an MCP client can call: text on top of the socket's methods. Throws AgentdError. */
export interface McpTool {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType;
  readonly readOnly: boolean;
  readonly run: (input: unknown, api: Api, context: CallContext) => Promise<JsonObject>;
}

interface Definition<Input> extends Omit<McpTool, "input" | "run"> {
  readonly input: z.ZodType<Input>;
  readonly run: (input: Input, api: Api, context: CallContext) => Promise<JsonObject>;
}

/** A tool that takes unknown input: what does not fit its schema is `invalid_params`, with the fields. */
function define<Input>(tool: Definition<Input>): McpTool {
  return {
    ...tool,
    run: async (input, api, context) => {
      const parsed = tool.input.safeParse(input);
      if (!parsed.success)
        throw new AgentdError("invalid_params", tool.name, describeIssues(parsed.error));
      return tool.run(parsed.data, api, context);
    },
  };
}

const RunInput = z.strictObject({ run_id: z.string().min(4).max(26) });

const SubmitInput = z.strictObject({
  goal: z.string().trim().min(1).max(65_536),
  role: z.string().min(1).optional(),
  params: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  max_tokens: z.int().positive().optional(),
  max_usd: z.number().positive().optional(),
});

const submitGoal = define({
  name: "submit_goal",
  description:
    "Gives this machine a goal in words. It is planned and carried out by confined agents; the run goes on whoever watches it. Answers with " +
    "its run_id at once: ask get_agent_status, then get_result.",
  input: SubmitInput,
  readOnly: false,
  run: async (input, api, context) => {
    const { run_id } = await api.call("run.submit", input, context);
    return { run_id };
  },
});

const getStatus = define({
  name: "get_agent_status",
  description:
    'How a run is: `status` is "running", {"completed": {result}}, {"failed": {error}} or "notfound"; `state` is the run\'s own word.',
  input: RunInput,
  readOnly: true,
  run: async ({ run_id }, api, context) => {
    const run = await runOrNothing(run_id, api, context);
    if (run === undefined) return { run_id, status: "notfound" };
    return { run_id: run.run_id, state: run.state, status: statusOf(run), steps: stepsOf(run) };
  },
});

const cancelAgent = define({
  name: "cancel_agent",
  description:
    "Ends a run and all that belongs to it. `cancelled` is false where it had ended before.",
  input: RunInput,
  readOnly: false,
  run: async ({ run_id }, api, context) => {
    const before = await runOrNothing(run_id, api, context);
    if (before === undefined || isRunEnded(before.state as RunState)) return { cancelled: false };
    await api.call("run.cancel", { run_id }, context);
    return { cancelled: true };
  },
});

const listRuns = define({
  name: "list_runs",
  description: "The runs that you may see, newest first; ended ones too with `all`.",
  input: z.strictObject({ all: z.boolean().default(false) }),
  readOnly: true,
  run: async (input, api, context) => JsonObject.parse(await api.call("run.list", input, context)),
});

const getResult = define({
  name: "get_result",
  description:
    "The documents of a run with their text (at most 256 KiB each), and its final words.",
  input: RunInput,
  readOnly: true,
  run: async ({ run_id }, api, context) =>
    JsonObject.parse(await api.call("run.result", { run_id, max_bytes: 262_144 }, context)),
});

const listApprovals = define({
  name: "list_approvals",
  description:
    "What your runs wait for an operator to approve: the call or the capability, and why.",
  input: z.strictObject({}),
  readOnly: true,
  run: async (_input, api, context) =>
    JsonObject.parse(await api.call("approval.list", {}, context)),
});

const respondApproval = define({
  name: "respond_approval",
  description:
    "Answers an approval that one of your runs waits for, as the person you act for has decided. `scope` is once or run.",
  input: z.strictObject({
    id: z.string().min(4).max(26),
    decision: z.enum(["approve", "deny"]),
    scope: z.enum(["once", "run"]).optional(),
    reason: z.string().min(1).max(1_000).optional(),
  }),
  readOnly: false,
  run: async (input, api, context) =>
    JsonObject.parse(await api.call("approval.respond", input, context)),
});

/** Always in this order. */
export const MCP_TOOLS: readonly McpTool[] = [
  submitGoal,
  getStatus,
  cancelAgent,
  listRuns,
  getResult,
  listApprovals,
  respondApproval,
];

async function runOrNothing(run_id: string, api: Api, context: CallContext) {
  try {
    return await api.call("run.get", { run_id }, context);
  } catch (thrown) {
    if (thrown instanceof AgentdError && thrown.code === "unknown_id") return undefined;
    throw thrown;
  }
}

function statusOf(run: RunReport) {
  const { state, final_output, final_text, error } = run;
  if (!isRunEnded(state)) return "running";
  if (state === "succeeded") return { completed: { result: { final_output, final_text } } };
  return { failed: { error: error?.message ?? state } };
}

function stepsOf({ steps }: RunReport) {
  return steps.map(({ step_id, role, state }) => ({ step_id, role, state }));
}
