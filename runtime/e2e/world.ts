import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AgentdProcess, type Ended, startAgentd } from "./agentd-process.js";

interface CallOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly uid?: number;
}

/** A machine of its own below a temporary folder: configuration, state, an output folder, and a daemon when it is started. */
export interface World extends AsyncDisposable {
  readonly root: string;
  /** Where goals may write; open to every user. */
  readonly out: string;
  readonly socket: string;
  /** Writes a file below the root, folders made. */
  readonly put: (path: string, content: string, mode?: number) => string;
  readonly read: (path: string) => string;
  /** The daemon; resolves when it answers. Rejects with what it printed where it ends first. */
  readonly start: (env?: Readonly<Record<string, string>>) => Promise<AgentdProcess>;
  /** Starts the daemon without waiting for more than its process. */
  readonly startRaw: (env?: Readonly<Record<string, string>>) => AgentdProcess;
  /** The daemon under way. */
  readonly daemon: () => AgentdProcess;
  /** Ends the daemon and waits for it. */
  readonly stop: () => Promise<Ended>;
  /** One CLI call to its end. */
  readonly cli: (args: readonly string[], options?: CallOptions) => Promise<Ended>;
  /** One CLI call under way. */
  readonly begin: (args: readonly string[], options?: CallOptions) => AgentdProcess;
  /** A call with `--json`, its one line parsed; throws where the exit code is not 0. */
  readonly json: <T>(args: readonly string[]) => Promise<T>;
  /** All events of a run, oldest first. */
  readonly events: (runId: string) => Promise<readonly WireLine[]>;
}

/** Loose on purpose: a test looks at what is there. */
export interface WireLine {
  readonly seq: number;
  readonly kind: string;
  readonly actor: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly agent_id?: string;
  readonly parent?: number;
  readonly [key: string]: unknown;
}

/** A policy that opens the output folder and the pages on loopback. */
export async function makeWorld(policy?: (out: string) => string): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), "aaos-e2e-"));
  chmodSync(root, 0o755);
  const out = join(root, "out");
  mkdirSync(out, { mode: 0o777 });
  chmodSync(out, 0o777);
  let daemon: AgentdProcess | undefined;
  const started: AgentdProcess[] = [];
  const world: World = {
    root,
    out,
    socket: join(root, "run/agentd/agentd.sock"),
    put: (path, content, mode = 0o644) => {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, { mode });
      return file;
    },
    read: (path) => readFileSync(join(root, path), "utf8"),
    startRaw: (env = {}) => {
      daemon = startAgentd(["--root", root, "run"], { env });
      started.push(daemon);
      return daemon;
    },
    start: async (env) => {
      const fresh = world.startRaw(env);
      await fresh.until(/agentd ready/);
      return fresh;
    },
    daemon: () => {
      if (daemon === undefined) throw new Error("the daemon was not started");
      return daemon;
    },
    stop: async () => {
      world.daemon().kill("SIGTERM");
      return world.daemon().ended;
    },
    cli: (args, options) => world.begin(args, options).ended,
    begin: (args, options) => {
      const process = startAgentd(["--root", root, ...args], options);
      started.push(process);
      return process;
    },
    json: async <T>(args: readonly string[]) => {
      const ended = await world.cli([...args, "--json"]);
      if (ended.code !== 0) throw new Error(`agentd ${args.join(" ")}: ${JSON.stringify(ended)}`);
      return JSON.parse(ended.stdout) as T;
    },
    events: async (runId) => {
      const { stdout } = await world.cli(["audit", "export", "--run", runId]);
      return lines(stdout);
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of started) one.kill(one === daemon ? "SIGTERM" : "SIGKILL");
      const ends = Promise.all(started.map((one) => one.ended));
      await Promise.race([ends, sleep(8_000, undefined, { ref: false })]);
      for (const one of started) one.kill("SIGKILL");
      await ends;
      rmSync(root, { recursive: true, force: true });
    },
  };
  world.put("etc/aaos/policy.yaml", (policy ?? defaultPolicy)(out));
  return world;
}

function defaultPolicy(out: string): string {
  return `write: {allow: [${out}]}\nread: {allow: [${out}]}\nnetwork: {allow: ["*", "127.0.0.1"]}\n`;
}

/** The providers file and the key for a scripted server. */
export function useModel(
  world: World,
  api: "openai" | "anthropic",
  url: string,
  more: { readonly key?: string; readonly provider?: string } = {},
): void {
  world.put(
    "etc/aaos/providers.yaml",
    `default: scripted
providers:
  scripted: {api: ${api}, base_url: "${url}", credential: scripted, slots: 8${more.provider ?? ""}}
models:
  scripted-1: {provider: scripted, context: 100000, max_output: 8192, usd_per_mtok: {input: 1.0, output: 2.0}}
aliases: {planner: scripted-1, fast: scripted-1, strong: scripted-1}
`,
  );
  world.put("etc/aaos/credentials/scripted", more.key ?? KEY, 0o600);
}

export const KEY = "sk-scripted-0123456789";

/** NDJSON taken apart. */
export function lines(text: string): readonly WireLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as WireLine);
}
