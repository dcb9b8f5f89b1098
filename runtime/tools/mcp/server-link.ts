import { Client, type Tool as ListedTool } from "@modelcontextprotocol/client";
import { errorText } from "../../base/error-text.js";
import type { JsonObject } from "../../protocol/json.js";
import type { McpServerEntry } from "../../protocol/mcp-file.js";
import { type ToolResult, toolFailure } from "../../protocol/tool-call.js";
import type { Tool } from "../tool.js";
import { type LineProcess, lineTransport } from "./line-transport.js";
import { mcpTool, serverResult } from "./mcp-tool.js";

/** A server's process, launched and confined. */
export interface LaunchedServer extends LineProcess {
  /** What confines it, by layer. */
  readonly confinement: readonly string[];
}

export type LaunchServer = (
  entry: McpServerEntry,
  signal: AbortSignal,
) => Promise<
  | { readonly ok: true; readonly server: LaunchedServer }
  | { readonly ok: false; readonly problem: string }
>;

/** How a server is; `problem` is the newest reason why it is not ready, or what of it cannot be used. */
export interface McpServerStatus {
  readonly name: string;
  readonly state: "starting" | "ready" | "waiting" | "stopped";
  readonly tools: readonly string[];
  readonly protocol: string | null;
  readonly problem: string | null;
}

export interface ServerLinkOptions {
  readonly launch: LaunchServer;
  readonly version: string;
  /** Told of every change of state. */
  readonly onStatus: (status: McpServerStatus) => void;
  /** Told of every change of what the server offers, by the tools' full names. */
  readonly onTools: (server: string, change: ToolsChange) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Names of tools that came, went, or have another description or schema than before. */
export interface ToolsChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** One server: started with the daemon, started again with growing pauses when it ends or stops answering. */
export interface ServerLink {
  readonly status: () => McpServerStatus;
  /** The tools it last listed; while it is away a call of one is `unavailable`. */
  readonly tools: () => readonly Tool[];
  /** Resolves when nothing of it is left. */
  readonly close: () => Promise<void>;
}

const CONNECT_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;
/** A server that does not list its tools within this time after a call timed out has lost its wits, and is ended. */
const HEALTH_MS = 5_000;
const MAX_TOOLS = 200;

export function openServerLink(entry: McpServerEntry, options: ServerLinkOptions): ServerLink {
  return new Link(entry, options);
}

interface Session {
  readonly client: Client;
  readonly server: LaunchedServer;
}

class Link implements ServerLink {
  readonly #entry: McpServerEntry;
  readonly #options: ServerLinkOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #session: Session | null = null;
  #tools: readonly Tool[] = [];
  #status: McpServerStatus;

  constructor(entry: McpServerEntry, options: ServerLinkOptions) {
    this.#entry = entry;
    this.#options = options;
    const { name } = entry;
    this.#status = { name, state: "starting", tools: [], protocol: null, problem: null };
    this.#done = this.#keepUp();
  }

  status(): McpServerStatus {
    return this.#status;
  }

  tools(): readonly Tool[] {
    return this.#tools;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#session?.server.kill();
    await this.#done;
  }

  async #keepUp(): Promise<void> {
    const { signal } = this.#stop;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      let wasReady = false;
      try {
        const session = await this.#connect(signal);
        wasReady = true;
        await session.server.exited;
        this.#set({ state: "waiting", problem: "its process has ended" });
      } catch (thrown) {
        this.#set({ state: "waiting", problem: errorText(thrown) });
      }
      this.#session = null;
      if (wasReady) pauseMs = FIRST_PAUSE_MS;
      await this.#options.sleep(pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS);
    }
    this.#set({ state: "stopped", problem: null });
  }

  /** A session with its tools listed; throws, with nothing of the process left, where there can be none. */
  async #connect(signal: AbortSignal): Promise<Session> {
    const launched = await this.#options.launch(this.#entry, signal);
    if (!launched.ok) throw new Error(launched.problem);
    const { server } = launched;
    const client = new Client(
      { name: "aaos", version: this.#options.version },
      {
        versionNegotiation: { mode: "auto" },
        // What a server says of its own output is not checked with expressions of its own making.
        jsonSchemaValidator: {
          getValidator: () => (data) => ({
            valid: true,
            data: data as never,
            errorMessage: undefined,
          }),
        },
        listChanged: {
          tools: { autoRefresh: false, debounceMs: 0, onChanged: () => void this.#refresh() },
        },
      },
    );
    try {
      await client.connect(lineTransport(server), { timeout: CONNECT_MS, signal });
      const session = { client, server };
      await this.#list(session, CONNECT_MS);
      this.#session = session;
      return session;
    } catch (thrown) {
      server.kill();
      await server.exited;
      throw thrown;
    }
  }

  async #list(session: Session, timeoutMs: number): Promise<void> {
    const { tools } = await session.client.listTools(undefined, {
      timeout: timeoutMs,
      cacheMode: "refresh",
    });
    const { usable, problems } = this.#usable(tools, session.server);
    const change = toolsChange(this.#tools, usable);
    this.#tools = usable;
    if (Object.values(change).some((names: readonly string[]) => names.length > 0))
      this.#options.onTools(this.#entry.name, change);
    this.#set({
      state: "ready",
      tools: usable.map(({ name }) => name),
      protocol: session.client.getNegotiatedProtocolVersion() ?? null,
      problem: problems.length === 0 ? null : problems.join("; "),
    });
  }

  #usable(listed: readonly ListedTool[], server: LaunchedServer) {
    const { name, tools: shown } = this.#entry;
    const wanted = listed.filter((tool) => shown === undefined || shown.includes(tool.name));
    const problems = (shown ?? [])
      .filter((tool) => !listed.some((one) => one.name === tool))
      .map((tool) => `it has no tool ${tool}`);
    if (wanted.length > MAX_TOOLS)
      problems.push(`of its ${wanted.length} tools ${MAX_TOOLS} are used`);
    const usable = new Map<string, Tool>();
    for (const one of wanted.slice(0, MAX_TOOLS)) {
      const confinement = () => server.confinement;
      const tool = mcpTool({ server: name, listed: one, call: this.#call, confinement });
      if (typeof tool === "string") problems.push(tool);
      else if (usable.has(tool.name)) problems.push(`it lists ${one.name} twice`);
      else usable.set(tool.name, tool);
    }
    return { usable: [...usable.values()], problems };
  }

  readonly #call = async (
    tool: string,
    input: JsonObject,
    signal: AbortSignal,
  ): Promise<ToolResult> => {
    const session = this.#session;
    const { name, timeout_s } = this.#entry;
    if (session === null)
      return toolFailure(
        "unavailable",
        `the MCP server ${name} is not running: ${this.#status.problem ?? "it is starting"}`,
      );
    const late = AbortSignal.timeout(timeout_s * 1_000);
    try {
      const options = {
        signal: AbortSignal.any([signal, late]),
        timeout: timeout_s * 1_000 + HEALTH_MS,
      };
      return serverResult(await session.client.callTool({ name: tool, arguments: input }, options));
    } catch (thrown) {
      if (signal.aborted)
        return toolFailure("failed", "stopped while under way; the outcome is unknown");
      if (!late.aborted) return toolFailure("failed", `${name}: ${errorText(thrown)}`);
      void this.#checkHealth(session);
      return toolFailure(
        "timeout",
        `${name} did not answer within ${timeout_s} s; the outcome is unknown`,
      );
    }
  };

  async #checkHealth(session: Session): Promise<void> {
    await this.#list(session, HEALTH_MS).catch(() => session.server.kill());
  }

  /** The server says that its tools have changed. */
  async #refresh(): Promise<void> {
    const session = this.#session;
    if (session !== null) await this.#checkHealth(session);
  }

  #set(change: Partial<McpServerStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }
}

function toolsChange(before: readonly Tool[], now: readonly Tool[]): ToolsChange {
  const digests = (tools: readonly Tool[]) =>
    new Map(
      tools.map((tool) => [tool.name, JSON.stringify([tool.description, tool.input_schema])]),
    );
  const [old, fresh] = [digests(before), digests(now)];
  return {
    added: [...fresh.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !fresh.has(name)),
    changed: [...fresh]
      .filter(([name, digest]) => (old.get(name) ?? digest) !== digest)
      .map(([name]) => name),
  };
}
