import { z } from "zod";
import { toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

/** Writes to an agent that lives on, and does not wait. */
export const sendMessage = defineTool({
  name: "send_message",
  description:
    "Puts a message into the mailbox of another agent, named by its id or its unique name, and returns at once. A full mailbox " +
    "is told as `unavailable`: send less, or later.",
  input: z.strictObject({
    agent: z.string().min(1).max(64),
    message: z.string().min(1).max(65_536),
  }),
  read_only: false,
  implied_by: ["message_send"],
  run: async ({ agent, message }, { agents, grant }) => {
    const to = agents.find(agent);
    if (!to.ok) return fromPort(to);
    const asked = await grant({ kind: "message_send", agent: to.value.name });
    if (!asked.ok) return toolDenied(asked.denial);
    const sent = await agents.send(asked.granted, to.value, message);
    if (!sent.ok) return fromPort(sent);
    return toolOutput({ ...to.value, ...sent.value, status: "delivered" });
  },
});
