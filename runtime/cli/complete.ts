import type { CommandShape, OptionShape } from "./command-tree.js";

/** What a word can be completed to. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** Names that only the running daemon or the files know. */
export type Known =
  | "runs"
  | "agents"
  | "schedules"
  | "approvals"
  | "roles"
  | "skills"
  | "manifests"
  | "providers"
  | "kinds";

/** What may stand at the place of the last word: words that are known now, names to be asked for, or a file's name. */
export interface Completion {
  readonly words: readonly Candidate[];
  readonly ask: readonly Known[];
  readonly files: boolean;
}

const NOTHING: Completion = { words: [], ask: [], files: false };
const FILES: Completion = { words: [], ask: [], files: true };

/** What the global options said, for whoever asks the daemon. */
export interface Typed {
  readonly completion: Completion;
  readonly root: string | undefined;
  readonly socket: string | undefined;
}

/** The words after `agentd`, the last one unfinished and maybe empty. Pure. */
export function complete(words: readonly string[], tree: CommandShape): Typed {
  const at: Place = {
    here: tree,
    ...{ tree, path: [], given: 0, waiting: undefined, onlyArguments: false },
    said: new Map(),
  };
  for (const word of words.slice(0, -1)) take(word, at);
  return {
    completion: atLast(at, words.at(-1) ?? ""),
    root: at.said.get("--root"),
    socket: at.said.get("--socket"),
  };
}

/** How far the finished words have led. */
interface Place {
  readonly tree: CommandShape;
  here: CommandShape;
  readonly path: string[];
  /** Arguments so far of the command that was reached. */
  given: number;
  /** An option that waits for its value. */
  waiting: OptionShape | undefined;
  /** After `--`. */
  onlyArguments: boolean;
  readonly said: Map<string, string>;
}

function take(word: string, at: Place): void {
  if (at.waiting !== undefined) {
    at.said.set(at.waiting.long, word);
    at.waiting = undefined;
  } else if (word === "--") at.onlyArguments = true;
  else if (!at.onlyArguments && word.startsWith("-")) takeOption(word, at);
  else {
    const next = at.here.commands.find(({ name }) => name === word);
    if (next === undefined) at.given++;
    else {
      at.here = next;
      at.path.push(word);
    }
  }
}

function takeOption(word: string, at: Place): void {
  const [name = "", ...value] = word.split("=");
  const option = [...at.here.options, ...at.tree.options].find(({ flags }) =>
    flags.split(/[ ,]+/).includes(name),
  );
  if (option?.value === undefined) return;
  if (value.length === 0) at.waiting = option;
  else at.said.set(option.long, value.join("="));
}

function atLast(
  { here, tree, path, given, waiting, onlyArguments }: Place,
  last: string,
): Completion {
  if (waiting !== undefined) return optionValue(waiting);
  if (!onlyArguments && last.startsWith("-")) {
    const options = here === tree ? tree.options : [...here.options, ...tree.options];
    return {
      ...NOTHING,
      words: options.map(({ long, description }) => ({ word: long, about: description })),
    };
  }
  if (here.commands.length > 0)
    return {
      ...NOTHING,
      words: here.commands.map(({ name, description }) => ({ word: name, about: description })),
    };
  const argument = here.arguments[given] ?? here.arguments.find(({ variadic }) => variadic);
  return argument === undefined ? NOTHING : argumentValue(argument.name, path);
}

const FILE_NAMES = new Set(["FILE", "DIR", "PATH", "PROGRAM", "ARGS"]);
const OPTION_WORDS: Readonly<Record<string, readonly string[]>> = {
  "--orchestration": ["auto", "plan", "direct"],
  "--api": ["openai", "anthropic"],
};
const OPTION_ASKS: Readonly<Record<string, readonly Known[]>> = {
  "--role": ["roles"],
  "--run": ["runs"],
  "--agent": ["agents"],
  "--kind": ["kinds"],
  "--provider": ["providers"],
};

function optionValue({ long, value }: OptionShape): Completion {
  const words = (OPTION_WORDS[long] ?? []).map((word) => ({ word, about: "" }));
  return {
    words,
    ask: OPTION_ASKS[long] ?? [],
    files: value !== undefined && FILE_NAMES.has(value),
  };
}

const SHELLS = ["bash", "zsh", "fish"];
/** What the argument of this name is, by the first word of its command. */
const ARGUMENT_ASKS: Readonly<Record<string, readonly Known[]>> = {
  approve: ["approvals"],
  deny: ["approvals"],
  result: ["runs"],
  schedule: ["schedules"],
  roles: ["roles"],
  skills: ["skills"],
  manifests: ["manifests"],
  builder: [],
  memory: [],
};

function argumentValue(name: string, [verb = ""]: readonly string[]): Completion {
  if (name === "SHELL") return { ...NOTHING, words: SHELLS.map((word) => ({ word, about: "" })) };
  if (FILE_NAMES.has(name)) return FILES;
  const ask = ARGUMENT_ASKS[verb];
  if (name === "ID") return { ...NOTHING, ask: ask ?? ["runs", "agents"] };
  if (name === "NAME") return { ...NOTHING, ask: ask ?? [] };
  return NOTHING;
}
