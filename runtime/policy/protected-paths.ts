import { parseGlob, type SegmentPattern, splitPath } from "./glob-syntax.js";

/**
 * Names that turn a write into execution later: version control, start-up files of shells, editors and tools, what runs on
 * opening a folder or on a commit, instructions that other agents obey. At any depth they are read-only within a write grant,
 * unless the grant's own fixed part names them (`/repo/*` does not, `/repo/.env` and `/repo/.git/*` do). `a/b` is two segments
 * in a row; `*` stands for any characters within one.
 */
const NAMES = `
  .git .hg .jj .svn .gitmodules .gitconfig .config/git .husky .githooks .pre-commit-config.yaml lefthook.yml .lefthook.yml
  .env .env.* .envrc .direnv .tool-versions .mise.toml mise.toml
  .npmrc .yarnrc .yarnrc.yml .yarn/releases .yarn/plugins .pnpmfile.cjs .cargo/config .cargo/config.toml .cargo/bin
  .pypirc .config/pip .pip .bundle/config .gem .m2/settings.xml .gradle sitecustomize.py usercustomize.py
  .vscode .idea .fleet .devcontainer .zed .mcp.json .claude .cursor .cursorrules .codex .gemini .aider.conf.yml
  CLAUDE.md CLAUDE.local.md AGENTS.md GEMINI.md .windsurfrules .github/copilot-instructions.md
  .github/workflows .github/hooks .github/actions .gitlab-ci.yml .circleci .buildkite
  .bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .inputrc
  .zshrc .zshenv .zprofile .zlogin .zlogout .oh-my-zsh .kshrc .cshrc .tcshrc .login .config/fish
  .vimrc .gvimrc .vim .exrc .nvimrc .config/nvim .config/vim .emacs .emacs.d .config/emacs .nanorc .config/helix
  .screenrc .tmux.conf .config/tmux .gdbinit .lldbinit .irbrc .Rprofile .pythonrc.py .psqlrc .sqliterc
  .ssh .gnupg .netrc .docker .kube .aws .config/gh .config/containers
  .config/autostart .config/systemd .config/environment.d .config/plasma-workspace .local/share/systemd .local/share/applications
  .local/bin .xinitrc .xsession .xprofile .pam_environment .forward .procmailrc
  var/spool/cron var/spool/at
`;

/** Below it, code of others runs whatever is written; only a repository there means more than the code beside it. */
const DEPENDENCIES = "node_modules";

/**
 * Inside a repository: what makes git start a program, read elsewhere, or take another directory for its own. The rest
 * (objects, refs, index) a commit must write.
 */
export const GIT_INTERNALS: readonly string[] = [
  "config",
  "config.worktree",
  "hooks",
  "info",
  "commondir",
  "gitdir",
  "modules",
  "worktrees",
  "objects/info",
];

type Sequence = readonly SegmentPattern[];

const SEQUENCES: readonly Sequence[] = NAMES.trim()
  .split(/\s+/)
  .map((name) => name.split("/").map((segment) => segment.split("*")));

/** By their first segment where that is literal, which nearly all are. */
const LITERAL: ReadonlyMap<string, readonly Sequence[]> = new Map(
  SEQUENCES.filter(([head]) => head?.length === 1).map(([head = [""]]) => [
    head.join(""),
    SEQUENCES.filter(([other]) => other?.length === 1 && other[0] === head[0]),
  ]),
);
const WITH_STAR = SEQUENCES.filter(([head]) => head?.length !== 1);

/**
 * The protected entry that `path` is or lies in, beyond the first `named` segments, which a grant spelled out; the outermost one.
 * Undefined for a path that turns into nothing.
 */
export function protectedEntry(path: string, named = 0): string | undefined {
  const segments = splitPath(path) ?? [];
  let inDependencies = false;
  for (const [at, segment] of segments.entries()) {
    const candidates = inDependencies && segment !== ".git" ? [] : candidatesFor(segment);
    const ends = candidates
      .filter((sequence) => matchesAt(sequence, segments, at))
      .map((sequence) => at + sequence.length)
      .filter((end) => end > named);
    if (ends.length > 0) return `/${segments.slice(0, Math.min(...ends)).join("/")}`;
    inDependencies ||= segment === DEPENDENCIES;
  }
  return undefined;
}

function candidatesFor(segment: string): readonly Sequence[] {
  return [...(LITERAL.get(segment) ?? []), ...WITH_STAR];
}

function matchesAt(sequence: Sequence, segments: readonly string[], at: number): boolean {
  return sequence.every((pattern, i) => {
    const segment = segments[at + i];
    if (segment === undefined) return false;
    const [head = "", tail] = pattern;
    if (tail === undefined) return segment === head;
    return (
      segment.length > head.length + tail.length &&
      segment.startsWith(head) &&
      segment.endsWith(tail)
    );
  });
}

/** How many leading segments of a glob are spelled out, without a star. */
export function namedSegments(glob: string): number {
  const parts = parseGlob(glob) ?? [];
  const firstStar = parts.findIndex((part) => part === null || part.length > 1);
  return firstStar < 0 ? parts.length : firstStar;
}

/** The path that the fixed part of a glob spells out; `/` where it begins with a star. */
export function fixedPrefix(glob: string): string {
  const parts = (parseGlob(glob) ?? []).slice(0, namedSegments(glob));
  return `/${parts.map((part) => part?.[0] ?? "").join("/")}`;
}

/** True where writing `path` under this glob would touch a protected entry that the glob does not name. */
export function isProtectedFrom(glob: string, path: string): boolean {
  return protectedEntry(path, namedSegments(glob)) !== undefined;
}

/** True where `path` is itself an outermost protected entry below the directory `root`: what a scan looks for. */
export function isProtectedBelow(root: string, path: string): boolean {
  return protectedEntry(path, splitPath(root)?.length ?? 0) === path;
}
