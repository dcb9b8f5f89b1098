import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Attempt } from "./attempt.js";
import { openHostSide } from "./host-side.js";

/**
 * The files an attempt meets, made anew for each: `{in}` may be read, `{out}` read and written, `{box}` only written, `{secret}` is in no
 * grant and belongs to the same uid, like everything here; nothing is at `{mine}`, in the temporary directory. Beside them what stands
 * on the host: a process, its sockets, its IPC.
 */
export interface World {
  /** What `{name}` stands for in an attempt. */
  readonly places: Readonly<Record<string, string>>;
  /** The attempt's verb and arguments with their places filled in; the world is as if nothing had been tried before. */
  readonly prepare: (attempt: Attempt) => Promise<readonly string[]>;
  readonly fill: (text: string) => string;
  readonly close: () => Promise<void>;
}

const REPOSITORIES = ["repo", "nest/a/b/c/d/e"];

export async function openWorld(probe: string): Promise<World> {
  const dir = await mkdtemp("/var/tmp/aaos-conformance-");
  await chmod(dir, 0o755);
  const w = join(dir, "w");
  const secret = join(w, "secret");
  await mkdir(secret, { recursive: true });
  await writeFile(join(secret, "s.txt"), "secret\n");
  const host = await openHostSide({ probe, dir, secret });
  const places: Record<string, string> = {
    ...host.places,
    w,
    secret,
    probe,
    mine: join("/tmp", `${basename(dir)}-mine`),
    in: join(w, "in"),
    out: join(w, "out"),
    box: join(w, "box"),
    loader: process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2",
  };
  const fill = (text: string) =>
    text.replace(/\{([a-z0-9_]+)\}/g, (whole, name: string) => places[name] ?? whole);
  return {
    places,
    fill,
    prepare: async (attempt) => {
      await restore(w);
      for (const step of attempt.setup ?? []) await carryOut(step, fill, probe);
      return attempt.attempt.map(fill);
    },
    close: async () => {
      await host.close();
      await rm(fill("{mine}"), { force: true });
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** `secret` keeps its inode: a process of the host stands in it. */
async function restore(w: string): Promise<void> {
  for (const name of ["in", "out", "box", "new"]) {
    // An attempt may have taken away its search bit.
    await chmod(join(w, name), 0o755).catch(() => undefined);
    await rm(join(w, name), { recursive: true, force: true });
  }
  await rm(join(w, "secret/s.txt"), { force: true });
  for (const name of ["new", "theirs", "link"]) await rm(join(w, "secret", name), { force: true });
  const files: readonly (readonly [string, string])[] = [
    ["secret/s.txt", "secret\n"],
    ["in/file", "content\n"],
    ["out/file", "content\n"],
    ["box/file", "content\n"],
    ...REPOSITORIES.flatMap((name): (readonly [string, string])[] => [
      [`out/${name}/.git/HEAD`, "ref: refs/heads/main\n"],
      [`out/${name}/.git/config`, "[core]\n"],
      [`out/${name}/.git/hooks/sample`, "#!/bin/sh\n"],
      [`out/${name}/.git/objects/info/packs`, ""],
      [`out/${name}/.git/info/exclude`, ""],
    ]),
  ];
  for (const [path, content] of files) {
    await mkdir(dirname(join(w, path)), { recursive: true });
    await writeFile(join(w, path), content);
  }
}

async function carryOut(
  step: NonNullable<Attempt["setup"]>[number],
  fill: (text: string) => string,
  probe: string,
): Promise<void> {
  const path = fill(step.path);
  await mkdir(dirname(path), { recursive: true });
  switch (step.make) {
    case "file":
      return writeFile(path, step.content ?? "");
    case "dir":
      await mkdir(path, { recursive: true });
      return;
    case "symlink":
      return symlink(fill(step.target), path);
    case "program":
      await writeFile(path, fill(step.content));
      return chmod(path, 0o755);
    case "probe":
      await copyFile(probe, path);
      return chmod(path, 0o755);
  }
}
