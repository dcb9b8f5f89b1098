import { z } from "zod";
import { oneLine } from "../base/text.js";
import type { JsonObject } from "../protocol/json.js";
import { acceptSeedWords, Plan } from "../protocol/plan.js";
import type { ResolvedModel } from "../providers/models.js";
import { askJson } from "../providers/structured.js";
import { checkPlan, linkDataFlow, type Roles } from "./check-plan.js";
import { type Failure, providerFailure } from "./failure.js";
import { placePlan } from "./placeholders.js";
import { type FailedAttempt, planSystemPrompt, planUserPrompt } from "./plan-prompt.js";
import type { Recorder } from "./record.js";

export interface PlanQuestion {
  readonly goal: string;
  readonly roles: Roles;
  /** The run's directory, which `{run}` stands for. */
  readonly runDir: string;
  /** The planner's model; its stream is metered. */
  readonly model: ResolvedModel;
  readonly maxOutputTokens: number;
  readonly failed?: FailedAttempt;
}

export type PlanAnswer =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly failure: Failure };

/**
 * Ask the model for a plan: structured, checked against the roles, sent back with its faults at most twice. The plan that comes
 * back has `{run}` expanded and the dependencies that its data flow implies.
 */
export async function makePlan(
  question: PlanQuestion,
  record: Recorder,
  signal: AbortSignal,
): Promise<PlanAnswer> {
  const { goal, roles, runDir, model, failed } = question;
  const rejected: (readonly string[])[] = [];
  const answer = await askJson({
    model,
    request: {
      messages: [
        { role: "system", text: planSystemPrompt(roles) },
        { role: "user", text: planUserPrompt(goal, failed) },
      ],
      max_output_tokens: question.maxOutputTokens,
      task: {
        kind: "plan",
        goal,
        roles: [...roles.keys()],
        ...(failed && { failure: failureText(failed) }),
      },
    },
    name: "plan",
    schema: planSchema(roles, runDir, rejected),
    jsonSchema: z.toJSONSchema(Plan, { io: "input" }) as JsonObject,
    signal,
  });
  for (const [index, problems] of rejected.entries()) {
    await record({ kind: "plan_rejected", problems: [...problems], attempt: index + 1 });
  }
  if (answer.ok) return { ok: true, plan: answer.value };
  if (answer.failure !== undefined) {
    return { ok: false, failure: providerFailure(answer.failure.kind, answer.failure.message) };
  }
  const message = `the planner's reply is no usable plan: ${oneLine(answer.problems.join("; "), 500)}`;
  return { ok: false, failure: { code: "invalid_plan", message, class: "fatal" } };
}

/** Shape first, then the rules; what is wrong with a well-shaped plan is noted in `rejected`. */
function planSchema(
  roles: Roles,
  runDir: string,
  rejected: (readonly string[])[],
): z.ZodType<Plan> {
  return z
    .preprocess(acceptSeedWords, Plan)
    .transform((plan) => linkDataFlow(placePlan(plan, runDir), roles))
    .superRefine((plan, context) => {
      const problems = checkPlan(plan, roles, runDir);
      if (problems.length > 0) rejected.push(problems);
      for (const message of problems) context.addIssue({ code: "custom", message });
    });
}

function failureText(failed: FailedAttempt): string {
  return failed.failures.map(({ step, failure }) => `${step}: ${failure.message}`).join("\n");
}
