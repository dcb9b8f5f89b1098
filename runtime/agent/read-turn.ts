import type { AssistantMessage } from "../protocol/message.js";
import type { Reply } from "./agent-input.js";

/** What a reply of the model means for the loop. */
export type Turn =
  | { readonly kind: "calls"; readonly message: AssistantMessage }
  | { readonly kind: "answer"; readonly message: AssistantMessage }
  /** Cut at the output limit. Its calls are dropped: they may be half of what was meant. */
  | { readonly kind: "cut_off"; readonly message: AssistantMessage }
  /** Neither an answer nor a call: nothing, thoughts alone, or a call announced and not made. */
  | {
      readonly kind: "blank";
      readonly reason: "blank" | "thought_only";
      readonly message: AssistantMessage;
    }
  | { readonly kind: "refused"; readonly message: AssistantMessage };

/** Sorts a reply. What it holds counts for more than what its end is called: servers differ in that. */
export function readTurn({ message, end }: Pick<Reply, "message" | "end">): Turn {
  if (end === "max_tokens") return { kind: "cut_off", message: { ...message, tool_calls: [] } };
  if (message.tool_calls.length > 0) return { kind: "calls", message };
  if (end === "refused") return { kind: "refused", message };
  if (message.text.trim() === "") {
    const thought = message.reasoning !== undefined && message.reasoning.trim() !== "";
    return { kind: "blank", reason: thought ? "thought_only" : "blank", message };
  }
  return end === "end_turn"
    ? { kind: "answer", message }
    : { kind: "blank", reason: "blank", message };
}
