import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type AgentPorts, openAgentPorts } from "./agent-ports.js";
import type { ConfinedAgent, Machine } from "./confined-agent.js";
import { type ConfinedServer, launchServer, type ServerLaunch } from "./confined-server.js";
import type { WebWorkerProgram } from "./confined-web.js";
import { SpareWebWorkers, type SpareWebWorkersOptions } from "./spare-web-workers.js";

export interface SandboxOptions {
  readonly machine: Machine;
  /** Path of `aaos-files`. */
  readonly fileWorker: string;
  readonly web: WebWorkerProgram;
  /** The plan of a web worker that no agent has yet. */
  readonly compileSpare: SpareWebWorkersOptions["compile"];
  /** Where agents have the HOME of their programs, each its own; absolute, resolved, in no agent's reach by a token. */
  readonly homes: string;
  /** A warm worker that was asked nothing for so long is ended. */
  readonly idleMs?: number;
}

/** Everything between the launcher and the tools. */
export interface Sandbox {
  readonly portsFor: (agent: ConfinedAgent) => AgentPorts;
  /** A process that answers requests until it is killed. */
  readonly launch: (
    server: Omit<ServerLaunch, "machine">,
    signal: AbortSignal,
  ) => ReturnType<typeof launchServer>;
  /** So many agents are going to fetch pages: starts web workers for them beside what they wait for. */
  readonly prepareWeb: (agents: number) => void;
  /** Ends every agent's processes and the launcher. */
  readonly close: () => Promise<void>;
}

const IDLE_MS = 60_000;
/** More than these would wait for each other's start, not for their agents. */
const MAX_SPARES = 4;

/** Owns the spawner from here on. */
export function openSandbox(options: SandboxOptions): Sandbox {
  const { machine, homes, idleMs = IDLE_MS } = options;
  const open = new Set<AgentPorts>();
  const servers = new Set<ConfinedServer>();
  const spares = new SpareWebWorkers({ machine, idleMs, compile: options.compileSpare });
  const spareWeb = spares.take.bind(spares);
  return {
    prepareWeb: (agents) => spares.prepare(Math.min(agents, MAX_SPARES)),
    portsFor: (agent) => {
      const dir = join(homes, agent.id);
      let made: Promise<string> | undefined;
      const home = () => {
        made ??= mkdir(dir, { recursive: true, mode: 0o700 }).then(() => dir);
        return made;
      };
      const ports = openAgentPorts({ ...options, agent, idleMs, home, spareWeb });
      const owned: AgentPorts = {
        ...ports,
        close: async () => {
          open.delete(owned);
          await ports.close();
          // Nothing of the agent runs any more, so nobody can swap what is being removed.
          if (made !== undefined) await rm(dir, { recursive: true, force: true });
        },
      };
      open.add(owned);
      return owned;
    },
    launch: async (server, signal) => {
      const launched = await launchServer({ machine, ...server }, signal);
      if (!launched.ok) return launched;
      servers.add(launched.server);
      void launched.server.exited.then(() => servers.delete(launched.server));
      return launched;
    },
    close: async () => {
      for (const server of servers) server.kill();
      await Promise.all([...servers].map(({ exited }) => exited));
      await Promise.all([spares.close(), ...[...open].map((ports) => ports.close())]);
      await machine.spawner.close();
    },
  };
}
