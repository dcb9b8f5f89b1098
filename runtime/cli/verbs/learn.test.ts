import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "../../test/cli-process.js";

const NATIVE = join(import.meta.dirname, "../../../native/build");

interface Learned {
  readonly program: { readonly exit_code: number | null };
  readonly capabilities: readonly string[];
  readonly notes: readonly string[];
  readonly observations: readonly {
    readonly op: string;
    readonly path?: string;
    readonly pid: number;
  }[];
}

describe("agentd learn", () => {
  let dir = "";
  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), "aaos-learn-")));
    for (const name of ["in", "out", "empty"]) mkdirSync(join(dir, name));
    writeFileSync(join(dir, "in/a.txt"), "hello\n");
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const run = (...argv: string[]) =>
    cli(argv, { cwd: dir, root: join(dir, "root"), nativeDir: NATIVE });
  const learned = async (...argv: string[]): Promise<Learned> =>
    JSON.parse((await run("learn", "--json", "--", ...argv)).stdout) as Learned;

  it("cat: the program and the file, as YAML for a role, after what the program itself printed", async () => {
    const { code, stdout, stderr } = await run("learn", "--", "cat", "in/a.txt");
    expect(code).toBe(0);
    expect(stderr).toMatch(/not confined/i);
    expect(stderr).toContain("hello");
    expect(stdout.replace(/^#.*\n/gm, "")).toBe(
      `capabilities:\n  - "exec: cat"\n  - "file_read: ${dir}/in/a.txt"\n`,
    );
  });

  it("cp: the source is read, the directory of the copy is written, and the copy is there", async () => {
    const { capabilities } = await learned("cp", "in/a.txt", "out/b.txt");
    expect(capabilities).toEqual([
      "exec: cp",
      `file_read: ${dir}/in/a.txt`,
      `file_write: ${dir}/out/*`,
    ]);
    expect(readFileSync(join(dir, "out/b.txt"), "utf8")).toBe("hello\n");
  });

  it("git init and status: the subcommand, the repository, and nothing of git's own", async () => {
    const init = await learned("git", "init", "-q", "empty");
    expect(init.capabilities).toEqual([
      "exec: git init",
      `file_read: ${dir}/empty/*`,
      `file_write: ${dir}/empty/*`,
      // Protected unless named.
      `file_write: ${dir}/empty/.git/*`,
    ]);
    const status = await learned("git", "-C", "empty", "status");
    expect(status.capabilities).toEqual([
      "exec: git",
      `file_read: ${dir}/empty`,
      `file_read: ${dir}/empty/.git/*`,
    ]);
  });

  it("python3: threads and children are seen; the started program is told", async () => {
    const script = `import subprocess, threading
t = threading.Thread(target=lambda: open("in/a.txt").read()); t.start(); t.join()
subprocess.run(["/usr/bin/touch", "out/child"])`;
    const { capabilities, notes, observations } = await learned("python3", "-c", script);
    expect(capabilities).toEqual([
      "exec: python3",
      "exec: touch",
      // What it imports is looked for in the working directory first.
      `file_read: ${dir}`,
      `file_read: ${dir}/in/a.txt`,
      `file_write: ${dir}/out/*`,
    ]);
    expect(notes.join()).toContain("python3 starts touch");
    expect(new Set(observations.map(({ pid }) => pid)).size).toBeGreaterThanOrEqual(3);
  });

  it("a static program is seen like any other; a link is followed to what it leads to", async () => {
    execFileSync("ln", ["-s", "in/a.txt", join(dir, "link")]);
    const probe = join(NATIVE, "true");
    expect(existsSync(probe)).toBe(true);
    expect((await learned(probe)).capabilities).toEqual([`exec: ${probe}`]);
    expect((await learned("cat", "link")).capabilities).toContain(`file_read: ${dir}/in/a.txt`);
  });

  it("a connection is seen with its address and port", async () => {
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const script = `import socket; socket.create_connection(("127.0.0.1", ${port})).recv(1)`;
    const { capabilities } = await learned("python3", "-I", "-c", script);
    server.close();
    expect(capabilities).toEqual(["exec: python3", `network: 127.0.0.1:${port}`]);
  });

  it("--trace keeps everything that was seen, one object a line, with the end", async () => {
    const trace = join(dir, "trace.ndjson");
    expect((await run("learn", "--trace", trace, "--", "cat", "in/a.txt")).code).toBe(0);
    const lines = readFileSync(trace, "utf8").trim().split("\n");
    const ops = lines.map((line) => (JSON.parse(line) as { op: string }).op);
    expect(ops[0]).toBe("exec");
    expect(ops.at(-1)).toBe("exit");
    expect(lines.some((line) => line.includes("libc.so"))).toBe(true);
  });

  it("a program that fails exits 1 and is told; one that is not there exits 2", async () => {
    const failed = await run("learn", "--", "cat", "in/missing");
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("ended with 1");
    const absent = await run("learn", "--", "no-such-program");
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining("is not found")]);
    expect((await run("learn")).code).toBe(2);
  });

  it("a program that a name or an argument tries to hide in control characters prints none", async () => {
    const file = join(dir, "in/e\u001b[31mvil");
    writeFileSync(file, "");
    const { stdout } = await run("learn", "--", "cat", file);
    expect(stdout).not.toContain("\u001b");
  });

  it("without the observer it says what is missing", async () => {
    const { code, stderr } = await cli(["learn", "--", "true"], { cwd: dir, root: dir });
    expect(code).toBe(1);
    expect(stderr).toContain("aaos-observe is missing");
  });
});
