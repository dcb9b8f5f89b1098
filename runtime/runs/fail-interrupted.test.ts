import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  allEvents,
  type JournalFixture,
  journalFixture,
  newAgentId,
  newRunId,
  newTokenId,
  planned,
  runMoved,
  spawned,
  stepMoved,
  submitted,
  wholeRun,
} from "../test/journal-fixture.js";
import { failInterrupted } from "./fail-interrupted.js";

let fixture: JournalFixture;

beforeEach(async () => {
  fixture = await journalFixture();
});

afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

describe("what a daemon that is gone left under way", () => {
  it("is ended in the journal: run, steps, agent and every token it held", async () => {
    const { journal, reader } = fixture;
    const [run, agent, token] = [newRunId(), newAgentId(), newTokenId()];
    await journal.append([
      submitted(run),
      runMoved(run, { move: "plan", from: "queued", to: "planning" }),
      planned(run, { read: [], write: ["read"] }),
      runMoved(run, { move: "execute", from: "planning", to: "running" }),
      stepMoved(run, "read", { move: "start", from: "waiting", to: "running" }),
      spawned(run, agent, "read"),
      {
        kind: "capability_granted",
        actor: "daemon",
        run_id: run,
        agent_id: agent,
        capability: "file_read: /data/a.md",
        token: {
          id: token,
          agent_id: agent,
          parent_id: null,
          capability: { kind: "file_read", glob: "/data/a.md" },
          max_invocations: null,
          rate_limit: null,
          issued_at: 1,
          expires_at: null,
        },
      },
    ]);
    await failInterrupted(journal, reader);
    expect(reader.run(run)).toMatchObject({
      state: "failed",
      error: { kind: "run_failed" },
      steps: [
        { step_id: "read", state: "failed" },
        { step_id: "write", state: "cancelled" },
      ],
    });
    expect(reader.agent(agent)?.state).toBe("stopped");
    expect(reader.agent(agent)?.tokens[0]?.revoked_at).not.toBeNull();
    expect(allEvents(reader, ["agent_stopped"])).toMatchObject([{ run_id: run, step_id: "read" }]);
  });

  it("leaves what has ended as it is", async () => {
    const { journal, reader } = fixture;
    const run = newRunId();
    await journal.append(wholeRun(run, newAgentId()));
    const before = allEvents(reader).length;
    await failInterrupted(journal, reader);
    expect(allEvents(reader)).toHaveLength(before);
    expect(reader.run(run)?.state).toBe("succeeded");
  });
});
