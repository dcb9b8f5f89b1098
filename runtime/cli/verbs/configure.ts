import { applyProvider, type Configured } from "../../appliance/configure/apply-provider.js";
import type { ProviderChoice } from "../../appliance/configure/provider-changes.js";
import { type Told, tellDaemon } from "../../appliance/configure/tell-daemon.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";

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

/** Writes what was chosen, tells the daemon, and says both. */
export async function finish(command: Command, { key, ...choice }: Chosen): Promise<void> {
  const done = await applyProvider(command.places, choice, key);
  const told = await tellDaemon(command.places);
  if (command.json) printJson(command, { ...done, daemon: told });
  else for (const line of sentences(done, told)) printLine(command, line);
}

async function dialog(command: Command): Promise<ExitCode> {
  const { io } = command;
  if (command.json || io.stdin.isTTY !== true || io.stdout.isTTY !== true)
    throw usage("there is no terminal to ask on", "Give --provider NAME --key-from-env VARIABLE.");
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

function sentences(done: Configured, told: Told): readonly string[] {
  const { credential, changed, provider, file } = done;
  return [
    `Goals are carried out by ${provider}.`,
    ...(credential === null
      ? []
      : [
          `Its key is in ${credential.file}${credential.encrypted ? ", encrypted with this machine's key" : ", for root alone"}.`,
        ]),
    changed.length === 0 ? `${file} is as it was.` : `${file}: set ${changed.join(", ")}.`,
    ...daemonSentence(told),
  ];
}

function daemonSentence(told: Told): readonly string[] {
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
