import { z } from "zod";
import { toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

/** Writes to an agent that lives on, and waits for its answer, but not for ever. */
export const sendAndWait = defineTool({
  name: "send_and_wait",
  description:
    "Sends a message to another agent, named by its id or its unique name, and waits for its answer, at most timeout_s seconds. " +
    "After a timeout the message is still in its hands: do not send it again.",
  input: z.strictObject({
    agent: z.string().min(1).max(64),
    message: z.string().min(1).max(65_536),
    timeout_s: z.number().positive().max(3_600).default(60),
  }),
  read_only: false,
  implied_by: ["message_send"],
  run: async ({ agent, message, timeout_s }, { agents, grant, signal }) => {
    const to = agents.find(agent);
    if (!to.ok) return fromPort(to);
    const asked = await grant({ kind: "message_send", agent: to.value.name });
    if (!asked.ok) return toolDenied(asked.denial);
    const timeoutMs = timeout_s * 1_000;
    const answer = await agents.sendAndWait(asked.granted, to.value, message, timeoutMs, signal);
    if (!answer.ok) return fromPort(answer);
    const { usage, message: why, ...rest } = answer.value;
    return toolOutput({
      ...rest,
      usage: { ...usage },
      ...(why === undefined ? {} : { message: why }),
    });
  },
});
