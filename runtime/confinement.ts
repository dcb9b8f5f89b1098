import { lookup } from "node:dns/promises";
import { mkdirSync, realpathSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { errorText } from "./base/error-text.js";
import { compileOnHost } from "./compile-on-host.js";
import { checksOf, failureText } from "./confinement-checks.js";
import { peersOf } from "./peers.js";
import { makeCeiling } from "./policy/ceiling.js";
import { programTrees } from "./program-trees.js";
import { AgentdError } from "./protocol/agentd-error.js";
import type { Caller } from "./protocol/caller.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import { neverGrantable, type Places } from "./protocol/places.js";
import type { PolicyFile } from "./protocol/policy-file.js";
import type { Settings } from "./protocol/settings.js";
import type { EngineDeps } from "./runs/deps.js";
import { type Addon, loadAddon } from "./sandbox/addon.js";
import { layersOf } from "./sandbox/agent-ports.js";
import { type ConfinedModel, confinedModel } from "./sandbox/confined-model.js";
import type { WebWorkerProgram } from "./sandbox/confined-web.js";
import { delegatedCgroup } from "./sandbox/delegated-cgroup.js";
import type { EgressOptions, UpstreamProxy } from "./sandbox/egress/types.js";
import { openSandbox, type Sandbox, type SandboxOptions } from "./sandbox/open-sandbox.js";
import { type LayerProbe, probeLayers } from "./sandbox/probe-layers.js";
import { type Spawner, startSpawner } from "./sandbox/spawner.js";

/** The launcher and the addon, or why there are none: then the daemon answers, and refuses to run agents. */
export type Launcher =
  | {
      readonly ok: true;
      readonly addon: Addon;
      readonly spawner: Spawner;
      /** Aborts when the launcher ends by itself: everything confined is dead then, and nothing more can be launched. */
      readonly lost: AbortSignal;
    }
  | { readonly ok: false; readonly addon: Addon | null; readonly error: AgentdError };

/** Call it first thing, on the main thread, while this process is small. `nativeDir` holds what `native/` builds. */
export function startLauncher(nativeDir: string): Launcher {
  let addon: Addon | null = null;
  try {
    addon = loadAddon(join(nativeDir, "aaos.node"));
    const lost = new AbortController();
    const binary = join(nativeDir, "aaos-spawn");
    const spawner = startSpawner({ binary, addon, onLost: () => lost.abort() });
    return { ok: true, addon, spawner, lost: lost.signal };
  } catch (thrown) {
    const error =
      thrown instanceof AgentdError
        ? thrown
        : new AgentdError("unavailable", "start launcher", `aaos-spawn: ${errorText(thrown)}`, {
            hint: "Run `npm run build:native`, or reinstall the package aaos.",
            cause: thrown,
          });
    return { ok: false, addon, error };
  }
}

export interface ConfinementOptions {
  readonly launcher: Launcher;
  readonly nativeDir: string;
  /** The folder of the compiled program. */
  readonly programDir: string;
  readonly places: Places;
  readonly settings: Settings;
  readonly policy: PolicyFile;
  /** Directories in which programs are looked up, as in PATH. */
  readonly path: string;
}

/** What confines agents here, and how to ask about it. */
export interface Confinement extends Pick<EngineDeps, "openPorts" | "compile" | "prepareWeb"> {
  /** Launches an MCP server, or the relay to one; answers with the problem where agents cannot be confined. */
  readonly launchServer: Sandbox["launch"];
  /** The relay's script, and the trees that it needs. */
  readonly relay: {
    readonly script: string;
    readonly args: readonly string[];
    readonly trees: readonly string[];
  };
  readonly peerOf: (socket: Socket) => Caller;
  /** The kernel's Landlock ABI, 0 where it has none; null where there is nobody to ask. */
  readonly landlockAbi: number | null;
  /** The layers that a launch had in force when they were last proven; empty where agents cannot be confined. */
  readonly layers: () => readonly string[];
  /** Proves each layer again by an attempt. */
  readonly prove: () => Promise<readonly DoctorCheck[]>;
  /** A model's process: our script with these arguments, confined, started when first asked. Asking throws where it cannot be. */
  readonly openModel: (script: string, args: readonly string[]) => ConfinedModel;
  /** Kills all confined processes. */
  readonly close: () => Promise<void>;
}

const QUOTAS: EgressOptions["quotas"] = {
  max_connections: 256,
  max_bytes: 17_179_869_184,
  idle_ms: 120_000,
  connect_ms: 30_000,
  total_ms: 3_600_000,
};

/** A model that was asked nothing for so long is unloaded. */
const MODEL_IDLE_MS = 120_000;

/** The state of the confinement: proven, or the error that every agent's start fails with. */
type State =
  | { readonly ok: true; readonly sandbox: Sandbox; readonly layers: readonly string[] }
  | { readonly ok: false; readonly error: AgentdError };

/** Proves every layer by a launch, so that the first agent does not find out. Never throws. */
export async function openConfinement(options: ConfinementOptions): Promise<Confinement> {
  const { launcher, places, policy } = options;
  const compileFor = compilerOf(options);
  const ceiling = makeCeiling(policy, { workspace: null, never: neverGrantable(places) });
  const web = nodeProgram(options, "web-worker.js");
  const compileSpare = (cgroup_name: string) =>
    compileFor(
      { kind: "web", ...web, cgroup_name },
      { capabilities: [{ kind: "web_search" }], ceiling },
    );
  const sandbox = launcher.ok ? sandboxOf(options, launcher, { web, compileSpare }) : undefined;
  const probe = () => proveLayers(options, compileFor);
  let state: State = stateOf(await probe(), sandbox);
  if (launcher.ok) {
    launcher.lost.addEventListener("abort", () => {
      state = { ok: false, error: unavailable("aaos-spawn has ended", "Restart agentd.") };
    });
  }
  return {
    compile: compileFor,
    openPorts: (agent) => {
      if (!state.ok) throw state.error;
      return state.sandbox.portsFor(agent);
    },
    openModel: (script, args) =>
      confinedModel({
        machine: () => {
          if (!state.ok) throw state.error;
          if (!launcher.ok) throw launcher.error;
          return launcher;
        },
        program: {
          script: join(options.programDir, script),
          args,
          trees: programTrees(options.programDir, options.settings.ca_files),
        },
        compile: (request) => compileFor(request, { capabilities: [], ceiling }),
        idleMs: MODEL_IDLE_MS,
      }),
    launchServer: async (server, signal) => {
      if (!state.ok) return { ok: false, problem: state.error.message };
      return state.sandbox.launch(server, signal);
    },
    relay: nodeProgram(options, "mcp-relay.js"),
    prepareWeb: (agents) => {
      if (state.ok) state.sandbox.prepareWeb(agents);
    },
    peerOf: peersOf(launcher.addon, places),
    landlockAbi: landlockAbiOf(launcher),
    layers: () => (state.ok ? state.layers : []),
    prove: async () => {
      const proven = await probe();
      state = stateOf(proven, sandbox);
      return checksOf(proven);
    },
    close: async () => sandbox?.close(),
  };
}

/** A launch in every layer, by this very process, where no daemon can be asked. Never throws. */
export async function proveConfinement(options: ProbeOptions): Promise<readonly DoctorCheck[]> {
  return checksOf(await proveLayers(options, compilerOf(options)));
}

export function landlockAbiOf({ addon }: Launcher): number | null {
  return addon?.landlockAbi() ?? null;
}

type ProbeOptions = Pick<
  ConfinementOptions,
  "launcher" | "nativeDir" | "places" | "policy" | "path"
>;

function compilerOf({ launcher, path }: ProbeOptions): EngineDeps["compile"] {
  const landlockAbi = landlockAbiOf(launcher) ?? 0;
  return compileOnHost({ landlockAbi, path, cgroup: delegatedCgroup() });
}

async function proveLayers(
  { launcher, nativeDir, places, policy }: ProbeOptions,
  compileFor: EngineDeps["compile"],
): Promise<LayerProbe | AgentdError> {
  if (!launcher.ok) return launcher.error;
  const worker = join(nativeDir, "aaos-files");
  const ceiling = makeCeiling(policy, { workspace: null, never: neverGrantable(places) });
  try {
    const request = { kind: "files", worker, cgroup_name: "probe" } as const;
    const compiled = await compileFor(request, { capabilities: [], ceiling });
    if (!compiled.ok) return unavailable("problem" in compiled ? compiled.problem : "denied");
    return await probeLayers(launcher, compiled.plan);
  } catch (thrown) {
    return unavailable(errorText(thrown));
  }
}

function sandboxOf(
  { nativeDir, places, settings }: ConfinementOptions,
  { addon, spawner }: Extract<Launcher, { ok: true }>,
  web: Pick<SandboxOptions, "web" | "compileSpare">,
): Sandbox {
  const homes = join(realpathSync(places.stateDir), "homes");
  // Of agents that a daemon before this one did not live to clear away.
  rmSync(homes, { recursive: true, force: true });
  mkdirSync(homes, { recursive: true, mode: 0o700 });
  const upstream = settings.proxy === undefined ? {} : { upstream: upstreamOf(settings.proxy) };
  return openSandbox({
    machine: {
      addon,
      spawner,
      egress: { resolve: addressesOf, ownAddresses, quotas: QUOTAS, ...upstream },
    },
    fileWorker: join(nativeDir, "aaos-files"),
    ...web,
    homes,
  });
}

/** A program of ours that runs confined in Node, and all that it needs beside its script. */
function nodeProgram(
  { programDir, settings }: Pick<ConfinementOptions, "programDir" | "settings">,
  script: string,
): WebWorkerProgram {
  return {
    script: join(programDir, script),
    args: settings.ca_files.flatMap((file) => ["--ca", file]),
    trees: programTrees(programDir, settings.ca_files),
  };
}

async function addressesOf(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address),
  );
}

function upstreamOf(proxy: string): UpstreamProxy {
  const { protocol, hostname, port, username, password } = new URL(proxy);
  const tls = protocol === "https:";
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (tls ? 443 : 80) : Number(port),
    tls,
    ...(username === ""
      ? {}
      : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` }),
  };
}

function unavailable(problem: string, hint?: string): AgentdError {
  const message = `agents cannot be confined here: ${problem}`;
  return new AgentdError(
    "unavailable",
    "confine agent",
    message,
    hint === undefined ? {} : { hint },
  );
}

function stateOf(proven: LayerProbe | AgentdError, sandbox: Sandbox | undefined): State {
  if (proven instanceof AgentdError) return { ok: false, error: proven };
  if (!proven.ok) return { ok: false, error: unavailable(failureText(proven), proven.remedy) };
  if (sandbox === undefined) return { ok: false, error: unavailable("there is no launcher") };
  return { ok: true, sandbox, layers: layersOf([proven.enforced]) };
}
