import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileOnHost } from "../compile-on-host.js";
import { makeCeiling } from "../policy/ceiling.js";
import type { Access, AccessKind, AccessOf, Denial, Granted } from "../protocol/access.js";
import type { Capability } from "../protocol/capability.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { loadAddon } from "../sandbox/addon.js";
import type { ConfinedAgent } from "../sandbox/confined-agent.js";
import { openSandbox } from "../sandbox/open-sandbox.js";
import { resolvePath } from "../sandbox/resolve-path.js";
import { startSpawner } from "../sandbox/spawner.js";
import type { GrantResult, ToolContext } from "../tools/tool.js";
import { NATIVE_BUILD } from "./confined.js";
import { QUOTAS } from "./egress-world.js";
import { NO_MEMORY, NO_SKILLS } from "./no-memory.js";
import { NO_OTHER_AGENTS } from "./no-other-agents.js";

export interface TestPlace extends AsyncDisposable {
  /** A directory of this test alone, without symbolic links in its path. */
  readonly dir: string;
  readonly context: ToolContext;
  /** Every access that was asked for, resolved, in order. */
  readonly asked: readonly Access[];
}

export interface TestPlaceOptions {
  /** Which accesses are refused; none by default. */
  readonly refuses?: (access: Access) => boolean;
  readonly signal?: AbortSignal;
  /** Directories of programs before the system's own. */
  readonly path?: string;
  /** Addresses of a host name; by default every name is this machine. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly judgeAddress?: (host: string, port: number, address: string) => Denial | undefined;
  readonly max_redirects?: number;
}

const PROGRAM_DIR = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const PROGRAMS = [
  "sh",
  "cat",
  "touch",
  "true",
  "sleep",
  "printf",
  "git",
  "cargo",
  "no-such-program",
];

/**
 * A tool's context over the confined ports, in a new directory which the kernel grants whole, with a check that grants what it is
 * not told to refuse.
 */
export async function openTestPlace(options: TestPlaceOptions = {}): Promise<TestPlace> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "aaos-tools-")));
  const dir = join(base, "place");
  await mkdir(dir);
  const asked: Access[] = [];
  const grant = async <K extends AccessKind>(access: AccessOf<K>): Promise<GrantResult<K>> => {
    const resolved = await resolveAccess(access);
    asked.push(resolved);
    if (options.refuses?.(resolved) !== true) return { ok: true, granted: resolved as Granted<K> };
    return { ok: false, denial: denialOf(resolved) };
  };
  const sandbox = confinedPorts(base, dir, options);
  return {
    dir,
    asked,
    context: {
      ports: sandbox.ports,
      agents: NO_OTHER_AGENTS,
      grant,
      memory: NO_MEMORY,
      skills: NO_SKILLS,
      workspace: dir,
      web: { timeout_ms: 5_000, max_redirects: options.max_redirects ?? 5 },
      signal: options.signal ?? new AbortController().signal,
    },
    [Symbol.asyncDispose]: async () => {
      await sandbox.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

function denialOf(access: Access): Denial {
  const capability = `${access.kind}: ${Object.values(access).slice(1).join(" ")}`;
  return { layer: "token", message: `no token grants ${capability}`, capability };
}

function confinedPorts(base: string, dir: string, options: TestPlaceOptions) {
  const addon = loadAddon(join(NATIVE_BUILD, "aaos.node"));
  const spawner = startSpawner({ binary: join(NATIVE_BUILD, "aaos-spawn"), addon });
  const sandbox = openSandbox({
    machine: {
      addon,
      spawner,
      egress: {
        resolve: options.lookup ?? (() => Promise.resolve(["127.0.0.1"])),
        ownAddresses: () => [],
        quotas: QUOTAS,
      },
    },
    fileWorker: join(NATIVE_BUILD, "aaos-files"),
    web: {
      script: join(PROGRAM_DIR, "web-worker.js"),
      args: [],
      trees: [
        PROGRAM_DIR,
        join(PROGRAM_DIR, "../node_modules"),
        join(PROGRAM_DIR, "../package.json"),
      ],
    },
    // Nothing is prepared here: each agent starts its own.
    compileSpare: () => Promise.reject(new Error("no spare was asked for")),
    homes: join(base, "homes"),
  });
  const { ports } = sandbox.portsFor(testAgent(dir, addon.landlockAbi(), options)).forCall();
  return { ports, close: () => sandbox.close() };
}

/** An agent that may do everything in its directory, and reach every host that the test does not refuse. */
function testAgent(dir: string, landlockAbi: number, options: TestPlaceOptions): ConfinedAgent {
  const path = `${options.path ?? ""}:/usr/local/bin:/usr/bin:/bin`;
  const compile = compileOnHost({ landlockAbi, path, cgroup: null });
  const policy = PolicyFile.parse({ exec: { allow: [...PROGRAMS, "rg"] } });
  const capabilities: readonly Capability[] = [
    { kind: "file_read", glob: `${dir}/*` },
    { kind: "file_write", glob: `${dir}/*` },
    { kind: "git_commit", dir },
    { kind: "cargo_run", dir },
    { kind: "web_search" },
    ...PROGRAMS.map((program) => ({ kind: "exec" as const, program, subcommands: null })),
  ];
  const ceiling = makeCeiling(policy, { workspace: dir, never: [] });
  return {
    id: "test",
    compile: (request) => compile(request, { capabilities, ceiling }),
    judge: (host, port) => {
      const access = { kind: "network", host, port } as const;
      return options.refuses?.(access) === true
        ? { ok: false, denial: denialOf(access) }
        : { ok: true, granted: granted(access), named: true };
    },
    judgeAddress: ({ host, port, address }) => options.judgeAddress?.(host, port, address),
    report: () => undefined,
  };
}

async function resolveAccess<A extends Access>(access: A): Promise<A> {
  if ("path" in access) return { ...access, path: await resolvePath(access.path) };
  return "dir" in access ? { ...access, dir: await resolvePath(access.dir) } : access;
}

/** The proof of a check that no test makes: what `policy/decide.ts` alone may do outside tests. */
export function granted<A extends Access>(access: A): Granted<A["kind"]> {
  return access as unknown as Granted<A["kind"]>;
}
