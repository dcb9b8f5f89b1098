import type { Writable } from "node:stream";
import { confirm, isCancel, log, password, select, spinner, text } from "@clack/prompts";
import type { ProviderChoice } from "../appliance/configure/provider-changes.js";
import { WELL_KNOWN } from "../protocol/known-providers.js";
import type { Command } from "./command.js";

/** An answer of the dialog: a choice with its key. */
type Answer = Omit<ProviderChoice, "has_key"> & { readonly key: string | undefined };

const OTHER = "other";
const TITLES: Readonly<Record<string, string>> = {
  deepseek: "DeepSeek",
  anthropic: "Anthropic",
  openai: "OpenAI",
};

/**
 * Asks for a provider and its key, and tries them, until one answers or the operator keeps it all the same. Undefined where the
 * dialog was left; nothing is written in any case.
 */
export async function askProvider(command: Command): Promise<Answer | undefined> {
  const streams = promptStreams(command);
  for (;;) {
    const answer = await askOnce(streams);
    if (answer === undefined || answer.provider === "builtin") return answer;
    const wait = spinner({ output: streams.output });
    wait.start(`Asking ${answer.provider}`);
    const { key, ...choice } = answer;
    const verdict = await command.io.checkProvider(command.places, choice, key, command.signal);
    if (verdict.ok) {
      wait.stop(`${answer.provider} answers with ${verdict.model}`);
      return answer;
    }
    wait.error(verdict.message);
    const again = await confirm({ ...streams, message: "Try again? (No keeps it all the same.)" });
    if (isCancel(again)) return undefined;
    if (!again) return answer;
  }
}

/** Where prompts read and write. */
export function promptStreams({ io }: Command) {
  // On a terminal, and only there is anything asked, standard output is the process's own stream.
  return { input: io.stdin, output: io.stdout as unknown as Writable };
}

async function askOnce(streams: ReturnType<typeof promptStreams>): Promise<Answer | undefined> {
  const provider = await select({
    ...streams,
    message: "Which provider's models shall carry goals out?",
    options: [
      ...WELL_KNOWN.map(({ name }) => ({ value: name, label: TITLES[name] ?? name })),
      {
        value: OTHER,
        label: "Another server",
        hint: "any that speaks Chat Completions or Messages",
      },
      { value: "builtin", label: "None", hint: "the builtin rules: no key, no network" },
    ],
  });
  if (isCancel(provider)) return undefined;
  if (provider === "builtin") return { provider, key: undefined };
  const server = provider === OTHER ? await askServer(streams) : { provider };
  if (server === undefined) return undefined;
  const key = await askKey(streams, provider === OTHER);
  return key === undefined ? undefined : { ...server, key: key === "" ? undefined : key };
}

/** A server of one's own: its name in providers.yaml, its address, its API, its model. */
async function askServer(
  streams: ReturnType<typeof promptStreams>,
): Promise<Omit<ProviderChoice, "has_key"> | undefined> {
  const api = await select({
    ...streams,
    message: "What does it speak?",
    options: [
      {
        value: "openai" as const,
        label: "Chat Completions",
        hint: "llama.cpp, vLLM, Ollama, OpenRouter",
      },
      { value: "anthropic" as const, label: "Messages" },
    ],
  });
  if (isCancel(api)) return undefined;
  const url = await text({
    ...streams,
    message: "Its base URL",
    placeholder: "http://127.0.0.1:8080/v1",
    validate: (value) =>
      /^https?:\/\/\S+$/.test(value?.trim() ?? "")
        ? undefined
        : "A URL begins with https:// or http://.",
  });
  if (isCancel(url)) return undefined;
  const model = await text({
    ...streams,
    message: "The model's id there",
    validate: (value) =>
      (value?.trim() ?? "") === "" ? "The server needs to be told which model." : undefined,
  });
  if (isCancel(model)) return undefined;
  return { provider: "local", api, base_url: url.trim(), model: model.trim() };
}

/** The key, "" for none; undefined where the dialog was left. */
async function askKey(
  streams: ReturnType<typeof promptStreams>,
  mayBeNone: boolean,
): Promise<string | undefined> {
  if (mayBeNone) log.info("Leave the key empty where the server asks for none.", streams);
  const key = await password({
    ...streams,
    message: "Its API key",
    validate: (value) => {
      const given = value?.trim() ?? "";
      if (given === "") return mayBeNone ? undefined : "It needs a key.";
      return /\s/.test(given) ? "A key holds no white space." : undefined;
    },
  });
  return isCancel(key) ? undefined : key.trim();
}
