import type { EventBodyOf } from "../protocol/event.js";

export type NudgeReason = EventBodyOf<"agent_nudged">["reason"];

/** What the loop says to a model whose turn leads nowhere. The texts also mark such turns in a transcript that is resumed. */
export const NUDGES: Readonly<Record<NudgeReason, string>> = {
  uncommitted:
    "You ended your turn, but the output you were asked for has not been written. Write it now with a tool call, then end " +
    "your turn. If it cannot be written, reply with one line that begins with `ERROR:` and says why.",
  blank:
    "Your last reply held neither text nor a tool call. Go on with the task: make a tool call, or give your final answer.",
  truncated:
    "Your last reply was cut off at the output limit and nothing of it was carried out. Go on from there in smaller pieces: " +
    "write long content with several calls (append), or shorten your answer.",
  thought_only:
    "Your last reply held only thoughts. Act on them now: make a tool call, or give your final answer.",
};
