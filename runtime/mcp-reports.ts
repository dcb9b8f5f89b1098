import type { Logger } from "pino";
import type { Journal } from "./audit/journal.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import type { NewEvent } from "./protocol/event.js";
import type { McpServerStatus, ToolsChange } from "./tools/mcp/server-link.js";

/** The state of MCP servers, in the log and in the journal: a server that nobody hears of is not there. */
export function tellOfServers(journal: Journal, log: Logger) {
  const record = (event: NewEvent) => {
    journal.append([event]).catch((err: unknown) => log.error({ err }, "cannot record an event"));
  };
  return {
    onStatus: ({ name: server, state, protocol, problem, tools }: McpServerStatus) => {
      log.info({ mcp_server: server, state, protocol, problem, tools: tools.length }, "MCP server");
      if (state === "starting") return;
      record({ kind: "mcp_server_changed", actor: "daemon", server, state, protocol, problem });
    },
    onTools: (server: string, { added, removed, changed }: ToolsChange) => {
      const names = { added: [...added], removed: [...removed], changed: [...changed] };
      record({ kind: "mcp_tools_changed", actor: "daemon", server, ...names });
    },
  };
}

/** A line of `agentd doctor` for each MCP server: ready, or why not. */
export function mcpChecks(all: readonly McpServerStatus[]): readonly DoctorCheck[] {
  return all.map(({ name, state, tools, problem }): DoctorCheck => {
    const ready = state === "ready";
    const told = [ready ? `${tools.length} tools` : state, problem].filter((part) => part !== null);
    const fine = ready && problem === null;
    return {
      name: `MCP server ${name}`,
      verdict: fine ? "ok" : ready ? "warn" : "fail",
      detail: told.join("; "),
      remedy: fine
        ? null
        : "Correct its entry in mcp-servers.yaml, or remove it, and restart agentd.",
    };
  });
}
