import { z } from "zod";
import type { Json } from "../../protocol/json.js";
import { type ToolResult, toolFailure, toolOutput } from "../../protocol/tool-call.js";
import { defineTool } from "../define-tool.js";
import { type Allowed, allow, Child, carryOut } from "./spawn-agent.js";

/** Gives parts of the work to several children at once. */
export const spawnAgents = defineTool({
  name: "spawn_agents",
  description:
    "As spawn_agent, for several children that work side by side; returns when all have ended. One that fails is an entry with " +
    "`error` and hinders no other. A few at a time only: more are refused with the number that is allowed.",
  input: z.strictObject({ children: z.array(Child).min(1).max(100) }),
  read_only: false,
  implied_by: ["spawn_child"],
  run: async ({ children }, context) => {
    const { max_children } = context.agents;
    if (children.length > max_children) {
      return toolFailure(
        "too_large",
        `${children.length} children were asked for, ${max_children} may be started by one call; ask for the others afterwards`,
      );
    }
    const all: { child: (typeof children)[number]; allowed: Allowed }[] = [];
    for (const child of children) all.push({ child, allowed: await allow(child, context) });
    const ended = await Promise.all(
      all.map(({ child, allowed }) =>
        allowed.ok ? carryOut(child, allowed, context) : Promise.resolve(allowed.result),
      ),
    );
    const denials = ended.flatMap((one) => one.denials);
    return toolOutput({ count: ended.length, children: ended.map(entryOf) }, denials);
  },
});

function entryOf(result: ToolResult): Json {
  return result.ok ? result.output : { error: { ...result.error } };
}
