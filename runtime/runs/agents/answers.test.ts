import { expect, it } from "vitest";
import { openAnswers } from "./answers.js";

const never = new AbortController().signal;
const report = {
  agent_id: "a",
  response: "yes",
  usage: { input_tokens: 1, output_tokens: 1 },
  iterations: 1,
  stop_reason: "complete" as const,
};

it("A22-15 nobody waits for ever for an answer, and nobody is remembered who no longer waits", async () => {
  const answers = openAnswers();
  expect(await answers.wait("t1", 5, never)).toEqual({ ok: false, why: "timeout" });
  const leaving = new AbortController();
  const left = answers.wait("t2", 60_000, leaving.signal);
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  await expect(answers.wait("t3", 60_000, leaving.signal)).rejects.toThrow("gone");
  const dropped = answers.wait("t4", 60_000, never);
  answers.drop(["t4"]);
  expect(await dropped).toEqual({ ok: false, why: "stopped" });
  const answered = answers.wait("t5", 60_000, never);
  answers.give("t5", report);
  expect(await answered).toEqual({ ok: true, report });
  expect(answers.waiting()).toBe(0);
  // An answer that nobody waits for any more does no harm.
  answers.give("t1", report);
});
