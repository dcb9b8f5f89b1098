import type { PortFailure } from "../protocol/ports.js";
import { type ToolResult, toolDenied, toolFailure } from "../protocol/tool-call.js";

/** What a port could not do, as the tool's answer. */
export function fromPort(failure: PortFailure): ToolResult {
  if (failure.denial) return toolDenied(failure.denial);
  const failed = toolFailure(failure.kind, failure.message);
  if (failed.ok || failure.code === undefined) return failed;
  return { ...failed, error: { ...failed.error, code: failure.code } };
}
