import type { Database } from "../../store/open.js";
import { type Handlers, illegal, needed, unknownId } from "./handler.js";

/** The table `mailbox`: received, and gone once the agent works on it. An agent that has stopped receives nothing. */
export function mailboxHandlers(
  db: Database,
): Handlers<"agent_message_received" | "message_delivered"> {
  const agent = db.prepare<[string], { state: string }>(
    "SELECT state FROM agents WHERE agent_id = ?",
  );
  const insert = db.prepare(
    "INSERT INTO mailbox (received_seq, agent_id, trace_id, method, sender, text) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const remove = db.prepare("DELETE FROM mailbox WHERE agent_id = ? AND trace_id = ?");
  return {
    agent_message_received: ({ seq, agent_id, trace_id, method, from, text, kind }) => {
      const id = needed(agent_id, "agent_id", kind);
      const state = agent.get(id)?.state;
      if (state === undefined) throw unknownId("agent", id);
      if (state === "stopped") throw illegal(`agent ${id} has stopped and receives nothing`);
      insert.run(seq, id, trace_id, method, from, text);
    },
    message_delivered: ({ agent_id, trace_id, kind }) => {
      const id = needed(agent_id, "agent_id", kind);
      if (remove.run(id, trace_id).changes === 0)
        throw illegal(`no message ${trace_id} waits for agent ${id}`);
    },
  };
}
