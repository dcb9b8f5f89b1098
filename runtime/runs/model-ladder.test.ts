import { describe, expect, it } from "vitest";
import type { EventBody } from "../protocol/event.js";
import { type RunId, StepId } from "../protocol/ids.js";
import { Role } from "../protocol/role.js";
import { memoryJournal } from "../test/memory-journal.js";
import { escalate, type ModelTiers, modelOfStep, readTiers } from "./model-ladder.js";

const WRITE = StepId.parse("write");
const OTHER = StepId.parse("other");

function roleWith(escalate_on?: readonly string[]) {
  return Role.parse({
    name: "writer",
    system_prompt: "Write.",
    message_template: "x",
    model: "fast",
    model_ladder: ["fast", "strong", "huge"],
    ...(escalate_on === undefined ? {} : { escalate_on }),
  });
}

function world() {
  const journal = memoryJournal();
  const run = journal.newRunId();
  const append = (of: RunId, step: StepId, ...bodies: readonly EventBody[]): void => {
    journal.append(
      ...bodies.map((body) => ({ run_id: of, step_id: step, actor: "daemon", ...body })),
    );
  };
  const tiers: ModelTiers = new Map();
  const escalated = (role: Role) => escalate(journal.reader, run, WRITE, role, tiers);
  return { journal, run, append, tiers, escalated };
}

const started: EventBody = {
  kind: "subtask_started",
  subtask_id: "write",
  role: "writer",
  attempt: 1,
};
const truncated: EventBody = {
  kind: "agent_execution_completed",
  stop_reason: "truncated",
  total_iterations: 3,
};
const repeated: EventBody = {
  kind: "tool_repeat_guard_fired",
  tool: "file_read",
  attempt_count: 3,
};

describe("a step that failed and is tried again", () => {
  it("A24-12 goes up its role's ladder rung by rung, and no further than its end", () => {
    const w = world();
    expect(modelOfStep(roleWith(), WRITE, w.tiers)).toBe("fast");
    expect(w.escalated(roleWith())).toEqual({
      kind: "subtask_model_escalated",
      ...{ subtask_id: "write", from_tier: 0, to_tier: 1, from_model: "fast", to_model: "strong" },
      reason: "replan_retry",
    });
    expect(modelOfStep(roleWith(), WRITE, w.tiers)).toBe("strong");
    expect(w.escalated(roleWith())).toMatchObject({ to_model: "huge" });
    expect(w.escalated(roleWith())).toBeUndefined();
    expect(modelOfStep(roleWith(), OTHER, w.tiers)).toBe("fast");
  });

  it("A24-12 sees replies that were cut off, and calls made again and again", () => {
    const cut = world();
    cut.append(cut.run, WRITE, started, truncated);
    expect(cut.escalated(roleWith(["max_tokens"]))).toMatchObject({ reason: "max_tokens" });
    const stuck = world();
    stuck.append(stuck.run, WRITE, started, repeated);
    expect(stuck.escalated(roleWith(["max_tokens"]))).toBeUndefined();
    expect(stuck.escalated(roleWith(["tool_repeat_guard"]))).toMatchObject({
      reason: "tool_repeat_guard",
    });
  });

  it("A24-7 is judged by this run's own events of this step's newest attempt, and by no others", () => {
    const w = world();
    const other = w.journal.newRunId();
    w.append(other, WRITE, started, truncated, repeated);
    w.append(w.run, OTHER, started, truncated, repeated);
    w.append(w.run, WRITE, started, truncated, started);
    expect(w.escalated(roleWith(["max_tokens", "tool_repeat_guard"]))).toBeUndefined();
  });

  it("keeps its rung over a restart", () => {
    const w = world();
    const event = w.escalated(roleWith());
    if (event === undefined) throw new Error("no escalation");
    w.append(w.run, WRITE, event);
    expect(readTiers(w.journal.reader, w.run)).toEqual(new Map([[WRITE, 1]]));
  });
});
