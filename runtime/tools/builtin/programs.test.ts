import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Json } from "../../protocol/json.js";
import { openTestPlace, type TestPlace } from "../../test/tool-context.js";
import { BUILTIN_TOOLS } from "../registry.js";

/** The output of a call, or its error. */
async function call(place: TestPlace, name: string, input: Json): Promise<Record<string, Json>> {
  const tool = BUILTIN_TOOLS.find((candidate) => candidate.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  const result = await tool.run(input, place.context);
  return (result.ok ? result.output : { ...result.error }) as Record<string, Json>;
}

describe("grep", () => {
  it("finds lines with their file and number, in the order of the paths", async () => {
    await using place = await openTestPlace();
    await writeFile(join(place.dir, "b.md"), "x\nNeedle here\n");
    await writeFile(join(place.dir, "a.txt"), "needle\n");
    const found = await call(place, "grep", {
      pattern: "needle",
      path: place.dir,
      case_insensitive: true,
    });
    expect(found).toEqual({
      matches: [
        { path: join(place.dir, "a.txt"), line_number: 1, line: "needle" },
        { path: join(place.dir, "b.md"), line_number: 2, line: "Needle here" },
      ],
      count: 2,
      truncated: false,
    });
    const one = await call(place, "grep", { pattern: "eedle", path: place.dir, glob: "*.md" });
    expect(one["count"]).toBe(1);
    const none = await call(place, "grep", { pattern: "nothing", path: place.dir });
    expect(none).toMatchObject({ matches: [], count: 0 });
  });

  it("pattern, path and glob are never read as options", async () => {
    await using place = await openTestPlace();
    const odd = join(place.dir, "--files");
    await writeFile(odd, "--pre=/bin/false\n-e needle\n");
    for (const pattern of ["--pre=/bin/false", "-e needle"]) {
      expect(await call(place, "grep", { pattern, path: odd })).toMatchObject({ count: 1 });
    }
    const glob = await call(place, "grep", { pattern: "needle", path: place.dir, glob: "--help" });
    expect(glob).toMatchObject({ count: 0 });
  });

  it("at most 200 matches, lines of 512 bytes, 16 KiB in all", async () => {
    await using place = await openTestPlace();
    await writeFile(join(place.dir, "many"), "m\n".repeat(300));
    const many = await call(place, "grep", { pattern: "m", path: join(place.dir, "many") });
    expect(many).toMatchObject({ truncated: true });
    expect(many["count"]).toBeLessThanOrEqual(200);
    await writeFile(join(place.dir, "long"), `${"é".repeat(2_000)}\n`.repeat(100));
    const long = await call(place, "grep", { pattern: "é", path: join(place.dir, "long") });
    expect(JSON.stringify(long["matches"]).length).toBeLessThanOrEqual(16_384);
    const [first] = long["matches"] as { line: string }[];
    expect(Buffer.byteLength(first?.line ?? "")).toBe(512);
    expect(long["hint"]).toContain("narrow");
  });

  it("a wrong pattern is told as the model's mistake, a missing path as missing", async () => {
    await using place = await openTestPlace();
    const wrong = await call(place, "grep", { pattern: "(", path: place.dir });
    expect(wrong).toMatchObject({ kind: "invalid_input" });
    expect(wrong["message"]).toContain("unclosed group");
    const gone = await call(place, "grep", { pattern: "x", path: join(place.dir, "none") });
    expect(gone).toMatchObject({ kind: "not_found" });
  });

  it("files below the directory that no token grants are left out and counted", async () => {
    await using place = await openTestPlace({
      refuses: (access) => "path" in access && access.path.endsWith(".key"),
    });
    await writeFile(join(place.dir, "open.txt"), "word\n");
    await writeFile(join(place.dir, "secret.key"), "word 1234\n");
    const found = await call(place, "grep", { pattern: "word", path: place.dir });
    expect(found).toMatchObject({ count: 1 });
    expect(JSON.stringify(found)).not.toContain("1234");
    expect(found["hint"]).toContain("1 files not granted");
    const denied = await call(place, "grep", {
      pattern: "word",
      path: join(place.dir, "secret.key"),
    });
    expect(denied).toMatchObject({ kind: "denied" });
  });

  it("does not follow links out of the directory", async () => {
    await using place = await openTestPlace();
    await mkdir(join(place.dir, "in"));
    await writeFile(join(place.dir, "outside"), "word\n");
    await symlink(join(place.dir, "outside"), join(place.dir, "in/link"));
    expect(
      await call(place, "grep", { pattern: "word", path: join(place.dir, "in") }),
    ).toMatchObject({ count: 0 });
  });
});

describe("exec", () => {
  it("gives the outcome under its fixed keys; an exit code is no error", async () => {
    await using place = await openTestPlace();
    const ran = await call(place, "exec", {
      program: "sh",
      args: ["-c", "pwd; cat; echo e >&2; exit 4"],
      stdin: "in",
    });
    expect(ran).toMatchObject({
      exit_code: 4,
      signal: null,
      stdout: `${place.dir}\nin`,
      stderr: "e\n",
      truncated: false,
    });
    expect(Object.keys(ran).sort()).toEqual([
      "duration_ms",
      "exit_code",
      "signal",
      "stderr",
      "stdout",
      "truncated",
    ]);
  });

  it("A22-26 asks for the directory and the program before it runs, and a refusal runs nothing", async () => {
    for (const kind of ["exec", "file_read"] as const) {
      await using place = await openTestPlace({ refuses: (access) => access.kind === kind });
      const input = { program: "touch", args: [join(place.dir, "made")] };
      expect(await call(place, "exec", input)).toMatchObject({ kind: "denied", layer: "token" });
      await expect(readFile(join(place.dir, "made"))).rejects.toThrow();
    }
    await using place = await openTestPlace();
    await call(place, "exec", { program: "touch", args: [join(place.dir, "made")] });
    expect(await readFile(join(place.dir, "made"), "utf8")).toBe("");
    expect(place.asked.map(({ kind }) => kind)).toEqual(["file_read", "exec"]);
  });

  it("a program that runs out of time is a timeout, with what it had said", async () => {
    await using place = await openTestPlace();
    const slow = await call(place, "exec", {
      program: "sh",
      args: ["-c", "echo half; sleep 30"],
      timeout_s: 0.3,
    });
    expect(slow).toMatchObject({ kind: "timeout" });
    expect(slow["message"]).toContain("half");
  });

  it("an unknown program and a missing directory are not_found", async () => {
    await using place = await openTestPlace();
    expect(await call(place, "exec", { program: "no-such-program" })).toMatchObject({
      kind: "not_found",
    });
    const cwd = join(place.dir, "none");
    expect(await call(place, "exec", { program: "true", cwd })).toMatchObject({
      kind: "not_found",
    });
    expect(await call(place, "exec", { program: "true", args: ["a\0"] })).toMatchObject({
      kind: "invalid_input",
    });
  });
});

describe("cargo_run", () => {
  /** A cargo that tells how it was called: what is tested is the call, and not every machine has a Rust toolchain. */
  async function openCargoPlace(): Promise<TestPlace & { readonly bin: string }> {
    const place = await openTestPlace();
    const bin = join(place.dir, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "cargo"), '#!/bin/sh\npwd; printf "%s|" "$@"\n');
    await chmod(join(bin, "cargo"), 0o755);
    return { ...place, bin };
  }

  it("runs the subcommand in the workspace", async () => {
    await using made = await openCargoPlace();
    await using place = await openTestPlace({ path: made.bin });
    const ran = await call(place, "cargo_run", {
      workspace: place.dir,
      subcommand: "test",
      args: ["--", "--nocapture"],
    });
    expect(ran).toMatchObject({ exit_code: 0, stdout: `${place.dir}\ntest|--|--nocapture|` });
    expect(place.asked).toEqual([{ kind: "cargo_run", dir: place.dir }]);
  });

  it.each([
    ["run", []],
    ["install", []],
    ["check", ["--manifest-path=/etc/Cargo.toml"]],
    ["check", ["--config", "build.rustc-wrapper='/tmp/x'"]],
    ["build", ["--target-dir", "/etc"]],
    ["check", ["+nightly"]],
    ["fmt", ["--", "/etc/passwd"]],
  ])(
    "cargo %s %j leads elsewhere and is refused before anything is asked for",
    async (subcommand, args) => {
      await using place = await openTestPlace();
      const refused = await call(place, "cargo_run", { workspace: place.dir, subcommand, args });
      expect(refused).toMatchObject({ kind: "invalid_input" });
      expect(place.asked).toEqual([]);
    },
  );
});

describe("git_commit", () => {
  function git(dir: string, ...args: string[]): string {
    return execFileSync("git", args, {
      cwd: dir,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  }
  async function openRepository(refuses?: () => boolean): Promise<TestPlace> {
    const place = await openTestPlace(refuses ? { refuses } : {});
    git(place.dir, "init", "--quiet");
    await writeFile(join(place.dir, "f"), "one\n");
    return place;
  }

  it("commits what changed and gives the commit, then says that nothing has changed", async () => {
    await using place = await openRepository();
    const first = await call(place, "git_commit", { workspace: place.dir, message: "one" });
    expect(first).toEqual({
      commit_sha: git(place.dir, "rev-parse", "HEAD"),
      nothing_to_commit: false,
    });
    expect(git(place.dir, "log", "-1", "--format=%s")).toBe("one");
    const again = await call(place, "git_commit", { workspace: place.dir, message: "two" });
    expect(again).toEqual({ commit_sha: first["commit_sha"], nothing_to_commit: true });
  });

  it("commits only the paths named, deletions among them", async () => {
    await using place = await openRepository();
    await call(place, "git_commit", { workspace: place.dir, message: "one" });
    execFileSync("rm", [join(place.dir, "f")]);
    await writeFile(join(place.dir, "g"), "g");
    await writeFile(join(place.dir, "*"), "star");
    await call(place, "git_commit", { workspace: place.dir, message: "two", paths: ["f", "*"] });
    expect(git(place.dir, "show", "--name-status", "--format=", "HEAD").split("\n").sort()).toEqual(
      ["A\t*", "D\tf"],
    );
  });

  it("an empty repository without changes has no commit to name", async () => {
    await using place = await openTestPlace();
    git(place.dir, "init", "--quiet");
    expect(await call(place, "git_commit", { workspace: place.dir, message: "m" })).toEqual({
      commit_sha: null,
      nothing_to_commit: true,
    });
  });

  it("A24-23 nothing that the repository brings along runs: hooks, fsmonitor, signing programs", async () => {
    await using place = await openRepository();
    const evil = join(place.dir, "evil.sh");
    const mark = join(place.dir, ".git/evil-ran");
    await writeFile(evil, `#!/bin/sh\ntouch ${mark}\n`);
    await chmod(evil, 0o755);
    for (const hook of [
      "pre-commit",
      "prepare-commit-msg",
      "commit-msg",
      "post-commit",
      "post-index-change",
      "reference-transaction",
    ]) {
      await writeFile(join(place.dir, ".git/hooks", hook), `#!/bin/sh\ntouch ${mark}\n`);
      await chmod(join(place.dir, ".git/hooks", hook), 0o755);
    }
    for (const [key, value] of [
      ["core.fsmonitor", evil],
      ["core.hooksPath", join(place.dir, ".git/hooks")],
      ["commit.gpgSign", "true"],
      ["gpg.program", evil],
      ["core.editor", evil],
      ["core.pager", evil],
    ] as const) {
      git(place.dir, "config", key, value);
    }
    expect(await call(place, "git_commit", { workspace: place.dir, message: "m" })).toMatchObject({
      nothing_to_commit: false,
    });
    await expect(readFile(mark)).rejects.toThrow();
  });

  it("A24-23 a repository whose configuration names a filter program is refused", async () => {
    await using place = await openRepository();
    const mark = join(place.dir, "evil-ran");
    git(place.dir, "config", "filter.evil.clean", `touch ${mark}; cat`);
    await writeFile(join(place.dir, ".gitattributes"), "* filter=evil\n");
    const refused = await call(place, "git_commit", { workspace: place.dir, message: "m" });
    expect(refused).toMatchObject({ kind: "failed" });
    expect(refused["message"]).toContain("filter.evil.clean");
    await expect(readFile(mark)).rejects.toThrow();
  });

  it("touches no repository but the one granted: none above it, none that .git points to", async () => {
    await using place = await openRepository();
    const below = join(place.dir, "sub");
    await mkdir(below);
    await writeFile(join(below, "x"), "x");
    const above = await call(place, "git_commit", { workspace: below, message: "m" });
    expect(above).toMatchObject({ kind: "not_found" });
    await writeFile(join(below, ".git"), `gitdir: ${place.dir}/.git\n`);
    const pointed = await call(place, "git_commit", { workspace: below, message: "m" });
    // What `.git` points to is in no grant: to git it is not there.
    expect(pointed).toMatchObject({ kind: "not_found" });
    expect(() => git(place.dir, "rev-parse", "HEAD")).toThrow();
    const outside = await call(place, "git_commit", {
      workspace: place.dir,
      message: "m",
      paths: ["/etc/hostname"],
    });
    expect(outside).toMatchObject({ kind: "failed" });
  });

  it("core.worktree of the repository does not lead it elsewhere", async () => {
    await using place = await openRepository();
    await using other = await openTestPlace();
    await writeFile(join(other.dir, "secret"), "s");
    git(place.dir, "config", "core.worktree", other.dir);
    await call(place, "git_commit", { workspace: place.dir, message: "m" });
    git(place.dir, "config", "--unset", "core.worktree");
    expect(git(place.dir, "ls-tree", "--name-only", "HEAD")).toBe("f");
  });

  it("a message that looks like an option, or is empty, is refused; a denial touches nothing", async () => {
    await using place = await openRepository(() => true);
    for (const message of ["--amend", "-m", " ", ""]) {
      const refused = await call(place, "git_commit", { workspace: place.dir, message });
      expect(refused).toMatchObject({ kind: "invalid_input" });
    }
    expect(await call(place, "git_commit", { workspace: place.dir, message: "m" })).toMatchObject({
      kind: "denied",
    });
    expect(git(place.dir, "status", "--porcelain")).toBe("?? f");
  });
});
