import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, type World } from "./world.js";

const AGENTD = fileURLToPath(new URL("../agentd.js", import.meta.url));
const TIMEOUT = 90_000;

let world: World;
let runId: string;
let env: Record<string, string>;
beforeAll(async () => {
  world = await makeWorld();
  const bin = join(world.root, "bin");
  mkdirSync(bin);
  symlinkSync(AGENTD, join(bin, "agentd"));
  // biome-ignore lint/style/noProcessEnv: a child needs a PATH
  const { PATH = "/usr/bin:/bin" } = process.env;
  env = { PATH: `${bin}:${PATH}`, HOME: world.root, TERM: "xterm", AAOS_ROOT: world.root };
  await world.start();
  const submitted = await world.cli(["submit", "Do the unknowable", "--detach", "--json"]);
  runId = (JSON.parse(submitted.stdout) as { run_id: string }).run_id;
}, TIMEOUT);
afterAll(() => world[Symbol.asyncDispose]());

const has = (shell: string): boolean => {
  try {
    execFileSync(shell, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** What the shell itself offers for the line, a word a line. */
const ask: Readonly<Record<string, (line: string) => Promise<string>>> = {
  bash: (line) =>
    run("bash", [
      "--norc",
      "-c",
      `source <(agentd completion bash); COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _agentd; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]),
  fish: (line) =>
    run("fish", ["--no-config", "-c", `agentd completion fish | source; complete -C '${line}'`]),
  // A zsh completes on a terminal alone: zpty(1) gives it one.
  zsh: (line) => {
    const file = join(world.root, "zpty.zsh");
    writeFileSync(
      file,
      `zmodload zsh/zpty
zpty -b z zsh -f -i
zpty -w z 'PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -d ${world.root}/zdump; source <(agentd completion zsh); zstyle ":completion:*" list-separator "|"; stty cols 250; print -n RE; print ADY'
local text= chunk=
repeat 400; do zpty -rt z chunk && text+=$chunk; [[ $text == *READY* ]] && break; sleep 0.05; done
zpty -w -n z '${line}'$'\\t\\t'
repeat 100; do zpty -rt z chunk && print -rn -- $chunk; sleep 0.05; done
zpty -d z
`,
    );
    return run("zsh", ["-f", file]);
  },
};

async function run(program: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(program, args, { env, timeout: 60_000 })).stdout;
}

describe.each(["bash", "zsh", "fish"])("completion in %s", (shell) => {
  const offered = (line: string): Promise<string> => {
    const asked = ask[shell];
    if (asked === undefined) throw new Error(shell);
    return asked(line);
  };

  it.skipIf(!has(shell))(
    "verbs, and what stands behind them",
    async () => {
      expect(await offered("agentd sel")).toContain("selftest");
      expect(await offered("agentd roles ex")).toContain("explain");
    },
    TIMEOUT,
  );

  it.skipIf(!has(shell))(
    "roles and ids come from the running daemon",
    async () => {
      expect(await offered("agentd roles show wr")).toContain("writer");
      expect(await offered(`agentd status ${runId.slice(0, 6)}`)).toContain(runId);
    },
    TIMEOUT,
  );
});

describe("agentd completion", () => {
  const words = async (...typed: string[]) =>
    (await world.cli(["completion", "words", "--", ...typed])).stdout;

  it(
    "knows options, their values, and where a file's name is wanted",
    async () => {
      expect(await words("submit", "--ro")).toMatch(/^--role\t/m);
      expect(await words("submit", "--orchestration", "")).toMatch(/^plan\t/m);
      expect(await words("submit", "--role", "fe")).toMatch(/^fetcher\t/m);
      expect(await words("audit", "query", "--kind", "run_")).toMatch(/^run_submitted\t/m);
      expect(await words("configure", "--provider", "an")).toMatch(/^anthropic\t/m);
      expect(await words("result", "x", "-o", "")).toBe(":files\n");
      expect(await words("roles", "validate", "")).toBe(":files\n");
      expect(await words("completion", "z")).toBe("zsh\t\n");
    },
    TIMEOUT,
  );

  it(
    "without a daemon it gives what is known without one, and never fails",
    async () => {
      const nowhere = ["--root", join(world.root, "nowhere")];
      const ended = await world.cli(["completion", "words", "--", ...nowhere, "status", ""]);
      expect(ended).toMatchObject({ code: 0, stdout: "", stderr: "" });
      expect(await words(...nowhere, "submit", "--role", "wr")).toMatch(/^writer\t/m);
    },
    TIMEOUT,
  );

  it(
    "a shell that is unknown is a usage error",
    async () => {
      const ended = await world.cli(["completion", "tcsh"]);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toMatch(/bash, zsh, fish/);
    },
    TIMEOUT,
  );
});
