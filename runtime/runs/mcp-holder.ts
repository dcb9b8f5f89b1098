import { ulid } from "../base/ulid.js";
import { makeCeiling } from "../policy/ceiling.js";
import { parseGrant } from "../policy/grammar.js";
import type { CapabilitySource, Grant } from "../protocol/capability.js";
import type { CompileRequest } from "../protocol/compile.js";
import { AgentId } from "../protocol/ids.js";
import type { McpServerEntry, McpValue } from "../protocol/mcp-file.js";
import { webAddress } from "../protocol/web-address.js";
import { layersOf } from "../sandbox/agent-ports.js";
import type { RelayTarget } from "../tools/mcp/http-relay.js";
import type { LaunchServer } from "../tools/mcp/server-link.js";
import { confinedAgent } from "./confined-agent.js";
import type { McpLaunch } from "./mcp-launch.js";
import { recorder } from "./record.js";
import type { RunContext } from "./run-context.js";
import { grantedEvents, revokedEvents, underCeiling } from "./token-events.js";

type Holder = Pick<RunContext, "deps" | "shared">;

/**
 * Launches an MCP server as what it is: a holder of tokens, like an agent. It is born under the name `mcp.SERVER` with the
 * capabilities of its entry, cut by the operator's ceiling, all of it in the journal; its tokens end with its process.
 */
export function launchMcpServer(holder: Holder): LaunchServer {
  const { deps, shared } = holder;
  return async (entry, signal) => {
    const secrets = valuesOf(entry, deps.servers.credential);
    if (!secrets.ok) return secrets;
    const wanted = grantsOf(entry);
    if (!wanted.ok) return wanted;
    const id = AgentId.parse(ulid(deps.entropy));
    const record = recorder(deps.journal, { agent_id: id, actor: "daemon" });
    const ceiling = makeCeiling(deps.policy, { workspace: null, never: deps.neverGrantable });
    const { granted, withheld } = underCeiling(wanted.grants, ceiling);
    const tokens = shared.ledger.issue(id, granted);
    const name = `mcp.${entry.name}`;
    await record(
      { kind: "agent_spawned", manifest_name: name, model: "none" },
      ...grantedEvents(tokens),
      ...withheld,
    );
    const end = async (reason: "completed" | "error", message?: string) => {
      const revoked = shared.ledger.release(id);
      await record(...revokedEvents(revoked, "the server ended"), {
        kind: "agent_stopped",
        reason,
        ...(message === undefined ? {} : { message }),
      });
    };
    const agent = confinedAgent({ id, ceiling, record, home: holder });
    const request = requestFor(entry, deps.servers, secrets.values, id);
    const launched = await deps.servers.launch({ agent, request, name }, signal);
    if (!launched.ok) {
      await end("error", launched.problem);
      return launched;
    }
    const { server } = launched;
    await record({ kind: "agent_loop_started", lifecycle: "server" });
    if (entry.transport === "http") {
      const target: RelayTarget = { url: entry.url, headers: secrets.values };
      server.stdin.write(`${JSON.stringify(target)}\n`);
    }
    const exited = server.exited.then(() => end("completed"));
    return { ok: true, server: { ...server, exited, confinement: layersOf([server.enforced]) } };
  };
}

/** Its entry's capabilities, and what follows from what it is: its own program, or its own host. */
function grantsOf(
  entry: McpServerEntry,
):
  | { readonly ok: true; readonly grants: readonly Grant[] }
  | { readonly ok: false; readonly problem: string } {
  let own: CapabilitySource;
  if (entry.transport === "stdio") own = { exec: entry.command[0] };
  else {
    const address = webAddress(entry.url);
    if (typeof address === "string") return { ok: false, problem: `${entry.url} ${address}` };
    own = { network: `${address.host}:${address.port}` };
  }
  const grants: Grant[] = [];
  for (const source of [own, ...entry.capabilities]) {
    const parsed = parseGrant(source);
    if (!parsed.ok) return parsed;
    grants.push(parsed.grant);
  }
  return { ok: true, grants };
}

function requestFor(
  entry: McpServerEntry,
  { relay }: McpLaunch,
  values: Readonly<Record<string, string>>,
  id: AgentId,
): CompileRequest {
  const cgroup_name = `${id}-mcp`;
  if (entry.transport === "http") return { kind: "web", ...relay, cgroup_name };
  const [program = "", ...args] = entry.command;
  return {
    ...{ kind: "program", purpose: { kind: "exec" }, program, args, cgroup_name },
    ...{ cwd: entry.cwd, env: values, network: true, home: null },
  };
}

/** The headers or the environment with their secrets in place. */
function valuesOf(
  entry: McpServerEntry,
  credential: (name: string) => string | undefined,
):
  | { readonly ok: true; readonly values: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly problem: string } {
  const values: Record<string, string> = {};
  const named: Readonly<Record<string, McpValue>> =
    entry.transport === "stdio" ? entry.env : entry.headers;
  for (const [name, value] of Object.entries(named)) {
    if (typeof value === "string") values[name] = value;
    else {
      const secret = credential(value.credential);
      if (secret === undefined)
        return { ok: false, problem: `there is no credential ${value.credential} for ${name}` };
      values[name] = value.prefix + secret;
    }
  }
  return { ok: true, values };
}
