import type { Denial } from "./access.js";
import type { Json } from "./json.js";

export const TOOL_ERROR_KINDS = [
  "invalid_input",
  "not_found",
  "denied",
  "timeout",
  "too_large",
  "unavailable",
  "failed",
] as const;
export type ToolErrorKind = (typeof TOOL_ERROR_KINDS)[number];

export interface ToolError {
  readonly kind: ToolErrorKind;
  readonly message: string;
  /** For `denied`: the capability that would have allowed the call. */
  readonly capability?: string;
  /** For `denied`: which layer refused. */
  readonly layer?: Denial["layer"];
  /** Set where it is the operator who has to act: no other call and no other plan would do better. */
  readonly code?: "disk_full";
}

/** What a tool call came to. A failed call answers the model with `{error}`; it is a value, never thrown. */
export type ToolResult =
  | { readonly ok: true; readonly output: Json; readonly denials: readonly Denial[] }
  | { readonly ok: false; readonly error: ToolError; readonly denials: readonly Denial[] };

export function toolOutput(output: Json, denials: readonly Denial[] = []): ToolResult {
  return { ok: true, output, denials };
}

export function toolFailure(kind: ToolErrorKind, message: string): ToolResult {
  return { ok: false, error: { kind, message }, denials: [] };
}

export function toolDenied(denial: Denial): ToolResult {
  const { layer, message, capability } = denial;
  const error: ToolError =
    capability === undefined
      ? { kind: "denied", message, layer }
      : { kind: "denied", message, layer, capability };
  return { ok: false, error, denials: [denial] };
}
