/**
 * `allowed-tools` of a skill: names separated by spaces, or a list. A name is a tool of ours, `mcp.SERVER.TOOL`, `mcp.SERVER.*`, or
 * `exec(PROGRAM)`, `exec(PROGRAM:SUBCOMMAND *)`; the usual names of other agents' tools are understood too.
 */
export type AllowedTools =
  | { readonly ok: true; readonly tools: readonly string[] | null }
  | { readonly ok: false; readonly problem: string };

/** What other agents call the tools that are here too. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  Read: ["file_read", "file_read_many", "file_list"],
  Write: ["file_write"],
  Edit: ["file_edit"],
  Glob: ["file_list"],
  LS: ["file_list"],
  Grep: ["grep"],
  WebFetch: ["web_fetch"],
  Bash: ["exec"],
};
const ENTRY = /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_-]+)*(\.\*)?(\([^()]+\))?$/;

export function splitAllowedTools(value: string | readonly string[] | undefined): AllowedTools {
  if (value === undefined) return { ok: true, tools: null };
  const entries =
    typeof value === "string" ? splitOutsideBrackets(value) : value.map((one) => one.trim());
  const wrong = entries.find((entry) => !ENTRY.test(entry));
  if (wrong !== undefined) {
    return {
      ok: false,
      problem: `${JSON.stringify(wrong)} is no tool; write tool names with spaces between them`,
    };
  }
  return { ok: true, tools: [...new Set(entries.flatMap(ours))] };
}

/** A space inside of brackets parts nothing: `exec(git:log *) grep` is two. */
function splitOutsideBrackets(text: string): readonly string[] {
  return text.match(/[^\s()]+(?:\([^()]*\))?|\S+/g) ?? [];
}

function ours(entry: string): readonly string[] {
  const [, name = "", argument = ""] = /^([^(]+)(\(.*\))?$/.exec(entry) ?? [];
  const known = FOREIGN[name];
  if (known === undefined) return [entry];
  // Only of programs is more said than the name.
  return name === "Bash" && argument !== "" ? [`exec${argument}`] : known;
}

/** Does the list let a call of this tool through? `exec` is held to its programs and subcommands where they are named. */
export function allowsTool(tools: readonly string[], tool: string, input: unknown): boolean {
  return tools.some((entry) => {
    const [, name = "", argument] = /^([^(]+)(?:\((.*)\))?$/.exec(entry) ?? [];
    const isNamed = name === tool || (name.endsWith(".*") && tool.startsWith(name.slice(0, -1)));
    if (!isNamed || argument === undefined) return isNamed;
    return tool === "exec" && allowsProgram(argument, input);
  });
}

/** `PROGRAM`, `PROGRAM:*`, `PROGRAM:SUBCOMMAND`, `PROGRAM:SUBCOMMAND *`. */
function allowsProgram(pattern: string, input: unknown): boolean {
  const { program, args } = (input ?? {}) as {
    readonly program?: unknown;
    readonly args?: unknown;
  };
  const [wanted = "", subcommand = "*"] = pattern.split(":", 2);
  if (program !== wanted.trim()) return false;
  const first = subcommand.replace(/\s*\*$/, "").trim();
  return first === "" || (Array.isArray(args) && args[0] === first);
}
