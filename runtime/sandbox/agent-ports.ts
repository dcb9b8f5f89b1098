import type { Ports } from "../protocol/ports.js";
import type { ConfinedAgent, Enforced, Machine, RevokedToken } from "./confined-agent.js";
import { confinedPrograms } from "./confined-programs.js";
import { confinedWeb, type WebOptions, type WebWorkerProgram } from "./confined-web.js";
import { createFileWorker } from "./file-worker.js";

/** The ports of one agent. Each stands for confined processes: there is no other way from a tool to the world. */
export interface AgentPorts {
  /** The ports for one tool call, and afterwards what confined the processes that it used; empty where it used none. */
  readonly forCall: () => { readonly ports: Ports; readonly confinement: () => readonly string[] };
  /** Starts what the first calls will need, beside the model's first answer. Never rejects. */
  readonly prewarm: (needed: { readonly files: boolean; readonly web: boolean }) => Promise<void>;
  /**
   * The agent's tokens changed. What was `revoked` is gone at once: workers and programs that held it are killed, connections
   * to its hosts are cut. With nothing revoked the agent holds more, and what is under way goes on.
   */
  readonly tokensChanged: (revoked: readonly RevokedToken[]) => void;
  /** Kills all; resolves when no process of the agent is left. */
  readonly close: () => Promise<void>;
}

export interface AgentPortsOptions {
  readonly machine: Machine;
  readonly agent: ConfinedAgent;
  /** Path of `aaos-files`. */
  readonly fileWorker: string;
  readonly web: WebWorkerProgram;
  readonly spareWeb: WebOptions["spare"];
  readonly idleMs: number;
  readonly home: () => Promise<string>;
}

interface Source {
  readonly enforced: () => Enforced | null;
}

const FILE_TOKENS: ReadonlySet<RevokedToken["kind"]> = new Set(["file_read", "file_write"]);

export function openAgentPorts(options: AgentPortsOptions): AgentPorts {
  const { machine, agent, fileWorker, idleMs } = options;
  let launches = 0;
  const files = createFileWorker({
    machine,
    idleMs,
    compile: () => {
      launches += 1;
      const cgroup_name = `${agent.id}/f${launches}`;
      return agent.compile({ kind: "files", worker: fileWorker, cgroup_name });
    },
  });
  const programs = confinedPrograms({ machine, agent, home: options.home });
  const web = confinedWeb({
    ...{ machine, agent, idleMs },
    program: options.web,
    spare: options.spareWeb,
  });
  return {
    forCall: () => {
      const used = new Set<Source>();
      const { read, list, write } = files.port;
      const by = <A extends unknown[], R>(source: Source, method: (...args: A) => R) => {
        return (...args: A): R => {
          used.add(source);
          return method(...args);
        };
      };
      const ports: Ports = {
        files: { read: by(files, read), list: by(files, list), write: by(files, write) },
        programs: { run: by(programs, programs.port.run) },
        web: { fetch: by(web, web.port.fetch) },
      };
      return {
        ports,
        confinement: () => layersOf([...used].map((source) => source.enforced() ?? {})),
      };
    },
    prewarm: async (needed) => {
      await Promise.all([
        needed.files ? files.warm(new AbortController().signal).catch(() => false) : false,
        needed.web ? web.warm() : undefined,
      ]);
    },
    tokensChanged: (revoked) => {
      if (revoked.length === 0) files.renew();
      else if (revoked.some(({ kind }) => FILE_TOKENS.has(kind))) files.invalidate();
      programs.revoke(revoked);
      web.cut();
    },
    close: async () => {
      await Promise.all([files.close(), programs.close(), web.close()]);
    },
  };
}

/** `landlock 7`, `seccomp 341`, …; each once. A layer that is `-` is not in force. */
export function layersOf(enforced: readonly Enforced[]): readonly string[] {
  const layers = enforced.flatMap((each) =>
    Object.entries(each).flatMap(([name, what]) => (what === "-" ? [] : [`${name} ${what}`])),
  );
  return [...new Set(layers)];
}
