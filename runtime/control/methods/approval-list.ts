import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** What waits for an operator, oldest first. */
export function approvalList({ reader }: ControlDeps): CallHandler<"approval.list"> {
  return () => ({
    pending: reader
      .approvals({})
      .map(({ call_id: _call, requested_seq: _seq, ...approval }) => approval),
  });
}
