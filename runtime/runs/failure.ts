import { assertNever } from "../base/assert-never.js";
import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ErrorCode } from "../protocol/error-code.js";
import type { ProviderFailureKind } from "../protocol/model.js";
import type { FailureClass } from "../protocol/step.js";

/** Why a step or a run did not succeed; a value, so that a plan can go on around it. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly class: FailureClass;
  readonly hint?: string;
}

/** The operator or the daemon ended the run. The reason of an aborted run's signal. */
export class RunEnded extends Error {
  override readonly name = "RunEnded";
  readonly code: "cancelled" | "budget_exceeded" | "unavailable";

  constructor(code: RunEnded["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** One step's time is over. The reason of its aborted signal; its agent ends as one that ran out of time or budget. */
export class StepEnded extends Error {
  override readonly name = "TimeoutError";
  readonly code: ErrorCode;
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    this.failure = failure;
  }
}

/** What was thrown while a step or a run was carried out, as a failure; an unknown throw is a defect and fatal. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof StepEnded) return thrown.failure;
  if (thrown instanceof RunEnded)
    return { code: thrown.code, message: thrown.message, class: "fatal" };
  if (thrown instanceof AgentdError) {
    return { code: thrown.code, message: thrown.message, class: "fatal", hint: thrown.hint };
  }
  const code = isDiskFull(thrown) ? "disk_full" : "internal";
  return { code, message: errorText(thrown), class: "fatal" };
}

function isDiskFull(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === "ENOSPC" || errno === "EDQUOT";
}

/** What the file system refused the daemon itself: `disk_full` where that is the reason, else `unavailable`. */
export function diskError(op: string, what: string, thrown: unknown): AgentdError {
  const message = `${what}: ${errorText(thrown)}`;
  const code = isDiskFull(thrown) ? "disk_full" : "unavailable";
  return new AgentdError(code, op, message, { cause: thrown });
}

/** Whether another plan could help when a model call failed for this reason, and the error that the operator sees. */
export function providerFailure(kind: ProviderFailureKind, message: string): Failure {
  switch (kind) {
    case "auth":
    case "unknown_model":
    case "bad_request":
    case "unsupported":
      return { code: "provider_refused", message, class: "fatal" };
    case "rate_limited":
    case "overloaded":
    case "network":
    case "timeout":
    case "garbage":
      return { code: "provider_unavailable", message, class: "fatal" };
    case "context_length":
      return { code: "step_failed", message, class: "replan" };
    case "not_understood":
      return { code: "goal_not_understood", message, class: "fatal" };
    case "over_budget":
      return { code: "budget_exceeded", message, class: "fatal" };
    case "cancelled":
      return { code: "cancelled", message, class: "fatal" };
    default:
      return assertNever(kind);
  }
}
