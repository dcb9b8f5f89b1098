import type { ProviderChoice } from "../../appliance/configure/provider-changes.js";
import { openMachine } from "../../appliance/machine.js";
import { machineStatus } from "../../appliance/status/machine-status.js";
import { configureProvider } from "../../appliance/verbs/configure-provider.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { type ConfiguredProvider, ProviderSelection } from "../../protocol/system-verbs.js";
import { askSystem } from "../ask-system.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";

const APPLIANCE = "aaOS";

export interface ConfigureOptions {
  readonly provider?: string;
  readonly keyFromEnv?: string;
  readonly baseUrl?: string;
  readonly api?: string;
  readonly model?: string;
  /** `--no-check`. */
  readonly check: boolean;
}

/** What was chosen, by flags or in the dialog, with the key where there is one. */
interface Chosen extends Omit<ProviderChoice, "has_key"> {
  readonly key: string | undefined;
}

/**
 * Chooses the provider that carries goals out, and keeps its key. With `--provider` it asks nothing; without, it is a dialog. Works
 * without a daemon. Nothing is written before the provider has answered, unless `--no-check` says so.
 */
export async function configure(command: Command, options: ConfigureOptions): Promise<ExitCode> {
  if (options.provider === undefined) {
    if (
      options.keyFromEnv !== undefined ||
      options.baseUrl !== undefined ||
      options.model !== undefined
    )
      throw usage(
        "--provider is missing",
        "Give --provider NAME with it, or nothing at all for the dialog.",
      );
    return dialog(command);
  }
  const chosen = chosenByFlags(command, options, options.provider);
  if (options.check) await mustAnswer(command, chosen);
  await finish(command, chosen);
  return 0;
}

/** Has it written, by this process where it may or by the root service where it may not, and says what was done. */
async function finish(command: Command, { key, ...choice }: Chosen): Promise<void> {
  const selection = parse({ ...choice, ...(key === undefined ? {} : { key }) });
  const done = await carryOut(command, selection);
  if (command.json) printJson(command, done);
  else for (const line of sentences(done)) printLine(command, line);
}

function carryOut(
  { io, places, signal }: Command,
  selection: ProviderSelection,
): Promise<ConfiguredProvider> {
  const isMachine = places.root === "/";
  if (isMachine && io.uid !== 0)
    return askSystem("configure-provider", selection, { socketPath: places.systemSocketPath });
  // Below another root nothing is the machine's: no key of its own, no units.
  const machine = isMachine ? openMachine() : openMachine(places.root, []);
  return configureProvider(selection, { machine, signal, progress: () => {} });
}

function parse(chosen: object): ProviderSelection {
  const parsed = ProviderSelection.safeParse(chosen);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usage(
    `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "is invalid"}`,
    "See `agentd configure --help`.",
  );
}

async function dialog(command: Command): Promise<ExitCode> {
  const { io } = command;
  if (command.json || io.stdin.isTTY !== true || io.stdout.isTTY !== true)
    throw usage("there is no terminal to ask on", "Give --provider NAME --key-from-env VARIABLE.");
  // Who is root on an appliance goes on with the dialog of its first boot.
  if (io.uid === 0 && machineStatus(command.places).product === APPLIANCE) {
    const { setUp } = await import("../console/set-up.js");
    return (await setUp(command, "machine")) ? 0 : 4;
  }
  const { askProvider } = await import("../ask-provider.js");
  const chosen = await askProvider(command);
  if (chosen === undefined) return 4;
  await finish(command, chosen);
  return 0;
}

function chosenByFlags({ io }: Command, options: ConfigureOptions, provider: string): Chosen {
  const { keyFromEnv, baseUrl, model, api } = options;
  if (api !== undefined && api !== "openai" && api !== "anthropic")
    throw usage(`--api ${api} is none that is known`, "It is openai or anthropic.");
  if (baseUrl !== undefined && !/^https?:\/\//.test(baseUrl))
    throw usage(`--base-url ${baseUrl} is no URL`, "It begins with https:// or http://.");
  const key = keyFromEnv === undefined ? undefined : io.env(keyFromEnv)?.trim();
  if (keyFromEnv !== undefined && (key === undefined || key === ""))
    throw usage(
      `the variable ${keyFromEnv} is empty or not set`,
      "Export the key in it, and run this with `sudo -E` where sudo is used.",
    );
  return { provider, base_url: baseUrl, api, model, key };
}

async function mustAnswer(
  { io, places, signal }: Command,
  { key, ...choice }: Chosen,
): Promise<void> {
  const verdict = await io.checkProvider(places, choice, key, signal);
  if (verdict.ok) return;
  throw new AgentdError(
    "provider_refused",
    "check provider",
    `${verdict.message}; nothing was changed`,
    {
      hint: "Correct the key, the model or the address; --no-check keeps them all the same.",
    },
  );
}

function sentences(done: ConfiguredProvider): readonly string[] {
  const { credential, changed, provider, file } = done;
  return [
    `Goals are carried out by ${provider}.`,
    ...(credential === null
      ? []
      : [
          `Its key is in ${credential.file}${credential.encrypted ? ", encrypted with this machine's key" : ", for root alone"}.`,
        ]),
    changed.length === 0 ? `${file} is as it was.` : `${file}: set ${changed.join(", ")}.`,
    ...daemonSentence(done.daemon),
  ];
}

function daemonSentence(told: ConfiguredProvider["daemon"]): readonly string[] {
  switch (told.state) {
    case "restarted":
      return ["agentd goes by it now; runs under way go on."];
    case "not_told":
      return [told.how];
    case "no_daemon":
      return [];
  }
}

function usage(message: string, hint: string): AgentdError {
  return new AgentdError("usage", "configure", message, { hint });
}
