import { openSync } from "node:fs";
import { Socket } from "node:net";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { makeCeiling } from "../policy/ceiling.js";
import { compile } from "../policy/compile.js";
import { type Authority, factsWanted } from "../policy/facts-wanted.js";
import { parseGrant } from "../policy/grammar.js";
import { GIT_INTERNALS, isProtectedBelow } from "../policy/protected-paths.js";
import type { Compiled, CompileRequest, ProgramRequest } from "../protocol/compile.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { type Addon, loadAddon } from "../sandbox/addon.js";
import { createHostInspector, type HostInspector } from "../sandbox/host-facts.js";
import { type Spawner, startSpawner } from "../sandbox/spawner.js";

const NATIVE_BUILD = fileURLToPath(new URL("../../native/build", import.meta.url));
export const FILE_WORKER = `${NATIVE_BUILD}/aaos-files`;

/** The agent that holds these capabilities, under a policy that allows these roots. */
export function authorityOf(
  capabilities: readonly string[],
  policy: unknown = {},
  places: { readonly workspace?: string; readonly never?: readonly string[] } = {},
): Authority {
  return {
    capabilities: capabilities.map((text) => {
      const parsed = parseGrant(text);
      if (!parsed.ok) throw new Error(parsed.problem);
      return parsed.grant.capability;
    }),
    ceiling: makeCeiling(PolicyFile.parse(policy), {
      workspace: places.workspace ?? null,
      never: places.never ?? [],
    }),
  };
}

export function programRequest(
  program: string,
  args: readonly string[],
  change: Partial<ProgramRequest> = {},
): ProgramRequest {
  return {
    kind: "program",
    purpose: { kind: "exec" },
    program,
    args,
    cwd: "/",
    env: {},
    network: false,
    home: null,
    cgroup_name: "test",
    ...change,
  };
}

/** This host, as the compiler sees it. */
export function thisHost(path: readonly string[], landlockAbi = 6): HostInspector {
  return createHostInspector({
    landlockAbi,
    arch: process.arch === "arm64" ? "aarch64" : "x86_64",
    cgroup: null,
    path,
    scan: {
      isProtected: isProtectedBelow,
      gitInternals: GIT_INTERNALS,
      maxEntries: 100_000,
      maxMs: 5_000,
    },
    rememberProgramsMs: 60_000,
  });
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly execsRefused: number;
}

export interface CompiledHost {
  readonly addon: Addon;
  readonly spawner: Spawner;
  readonly compile: (request: CompileRequest, authority: Authority) => Promise<Compiled>;
  /** Compiles and runs to the end. Throws where it is not compiled or not launched, with the reason. */
  readonly run: (request: ProgramRequest, authority: Authority) => Promise<Ran>;
  readonly close: () => Promise<void>;
}

export function startCompiledHost(path: string): CompiledHost {
  const addon = loadAddon(`${NATIVE_BUILD}/aaos.node`);
  const spawner = startSpawner({ binary: `${NATIVE_BUILD}/aaos-spawn`, addon });
  const inspector = thisHost(path.split(delimiter));
  const { signal } = new AbortController();
  const compiled = async (request: CompileRequest, authority: Authority) => {
    const facts = await inspector.collect(factsWanted(request, authority), signal);
    return compile(request, authority, facts);
  };
  return {
    addon,
    spawner,
    compile: compiled,
    run: async (request, authority) => {
      const result = await compiled(request, authority);
      if (!result.ok) throw new Error("problem" in result ? result.problem : result.denial.message);
      const [outRead, outWrite] = addon.pipe();
      const [errRead, errWrite] = addon.pipe();
      const output = Promise.all([readAll(outRead), readAll(errRead)]);
      const fds = [openSync("/dev/null", "r"), outWrite, errWrite];
      const launched = await spawner.spawn(result.plan, fds, signal);
      if (!launched.ok) throw new Error(`${launched.step}: ${launched.errno} ${launched.detail}`);
      const exit = await launched.child.exited;
      for (const fd of launched.child.listeners) addon.closeFd(fd);
      const [stdout, stderr] = await output;
      return {
        stdout,
        stderr,
        exitCode: exit.exit_code,
        signal: exit.signal,
        execsRefused: exit.execs_refused,
      };
    },
    close: () => spawner.close(),
  };
}

/** Everything that comes out of a pipe until it closes; takes the descriptor over. */
export function readAll(fd: number): Promise<string> {
  const socket = new Socket({ fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}
