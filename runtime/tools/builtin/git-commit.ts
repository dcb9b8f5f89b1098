import { z } from "zod";
import type { Granted } from "../../protocol/access.js";
import type { ProgramOutcome } from "../../protocol/ports.js";
import { type ToolResult, toolDenied, toolFailure, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { timedOut } from "../program-output.js";
import type { ToolContext } from "../tool.js";

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 2_048;
const MAX_CONFIG_BYTES = 1_048_576;

const PathInside = z
  .string()
  .min(1, "must not be empty")
  .max(4_096)
  .refine((path) => !path.includes("\0"), "must not hold a NUL character");

/**
 * Stages paths and commits them. Nothing that the repository brings along runs: no hooks, no fsmonitor, no filters, no
 * signing program; and no repository but the one at `workspace` is touched.
 */
export const gitCommit = defineTool({
  name: "git_commit",
  description:
    "Stages `paths` (default: everything) of the git repository at `workspace` and commits them with `message`. Gives commit_sha, and " +
    "nothing_to_commit: true where nothing had changed. Hooks do not run. At most 60 s.",
  input: z.strictObject({
    workspace: AbsolutePath,
    message: z
      .string()
      .max(16_384)
      .refine((text) => text.trim() !== "", "must not be empty")
      .refine((text) => !text.startsWith("-"), "must not begin with -")
      .refine((text) => !text.includes("\0"), "must not hold a NUL character"),
    paths: z.array(PathInside).min(1).max(1_000).default(["."]),
  }),
  read_only: false,
  implied_by: ["git_commit"],
  run: async ({ workspace, message, paths }, context) => {
    const place = await context.grant({ kind: "git_commit", dir: workspace });
    if (!place.ok) return toolDenied(place.denial);
    const git = gitIn(place.granted, context);

    const elsewhere = await leadsElsewhere(git, place.granted.dir);
    if (elsewhere) return elsewhere;
    const config = await git(["config", "--list", "--name-only", "--null"], MAX_CONFIG_BYTES);
    if (!config.ok) return config.result;
    const keys = config.outcome.stdout.split("\0");
    const filter = keys.find((key) => /^filter\..*\.(?:clean|process)$/is.test(key));
    if (filter !== undefined) {
      const message = `the repository's configuration names a program for commits (${filter}); git_commit runs none`;
      return toolFailure("failed", message);
    }
    const added = await git(["add", "--all", "--", ...paths]);
    if (!added.ok) return added.result;
    const staged = await git(
      ["diff", "--cached", "--quiet", "--no-ext-diff", "--no-textconv"],
      undefined,
      [0, 1],
    );
    if (!staged.ok) return staged.result;
    const nothing = staged.outcome.exit_code === 0;
    if (!nothing) {
      const named = keys.includes("user.name") && keys.includes("user.email") ? [] : IDENTITY;
      const options = ["--no-verify", "--no-gpg-sign", "--quiet", `--message=${message}`];
      const committed = await git([...named, "commit", ...options]);
      if (!committed.ok) return committed.result;
    }
    const head = await git(["rev-parse", "--verify", "--quiet", "HEAD"], undefined, [0, 1]);
    if (!head.ok) return head.result;
    const sha = head.outcome.stdout.trim();
    return toolOutput({ commit_sha: sha === "" ? null : sha, nothing_to_commit: nothing });
  },
});

/** Who commits where the repository names nobody. */
const IDENTITY = ["-c", "user.name=aaOS agent", "-c", "user.email=agent@localhost"];

/** Before the subcommand: whatever in a repository's own configuration would start a program or lead elsewhere. */
const NEUTRAL = [
  "--literal-pathspecs",
  "--no-optional-locks",
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "commit.gpgSign=false",
  "-c",
  "gc.auto=0",
  "-c",
  "maintenance.auto=false",
  "-c",
  "submodule.recurse=false",
];

const ENVIRONMENT = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
};

/** A `.git` may be a file or hold a `commondir` that names another directory, which nothing granted. */
async function leadsElsewhere(git: Git, dir: string): Promise<ToolResult | undefined> {
  const query = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
  const found = await git(query, MAX_CONFIG_BYTES);
  if (!found.ok) return found.result;
  const other = found.outcome.stdout
    .trim()
    .split("\n")
    .find((line) => line !== `${dir}/.git`);
  if (other === undefined) return undefined;
  return toolFailure(
    "failed",
    `${dir} is a worktree of ${other}; commit in a repository of its own`,
  );
}

type Git = (args: readonly string[], maxOutput?: number, good?: readonly number[]) => Promise<Step>;

type Step =
  | { readonly ok: true; readonly outcome: ProgramOutcome }
  | { readonly ok: false; readonly result: ToolResult };

/** Runs git on the repository at exactly the granted directory, never on one above it. */
function gitIn(place: Granted<"git_commit">, { ports, signal }: ToolContext): Git {
  const where = [`--git-dir=${place.dir}/.git`, `--work-tree=${place.dir}`];
  return async (args, max_output_bytes = MAX_OUTPUT_BYTES, good = [0]) => {
    const call = {
      program: "git",
      args: [...where, ...NEUTRAL, ...args],
      cwd: place.dir,
      timeout_ms: TIMEOUT_MS,
      max_output_bytes,
      env: ENVIRONMENT,
    };
    const run = await ports.programs.run(place, call, signal);
    if (!run.ok) return { ok: false, result: fromPort(run) };
    const { timed_out, exit_code, stderr, stdout } = run.value;
    if (timed_out) return { ok: false, result: timedOut("git", run.value) };
    if (exit_code !== null && good.includes(exit_code)) return { ok: true, outcome: run.value };
    const said = (stderr.trim() === "" ? stdout : stderr).trim();
    const missing = /not a git repository/i.test(said);
    const kind = missing ? "not_found" : "failed";
    const message = missing ? `${place.dir} is no git repository` : `git: ${said}`;
    return { ok: false, result: toolFailure(kind, message) };
  };
}
