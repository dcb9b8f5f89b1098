import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { endLeftovers } from "./leftovers.js";

/** A group of our own in the cgroup v2 hierarchy, or undefined where this user may make none. */
function ownGroup(): string | undefined {
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  for (const mount of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    const group = join(mount, own, `aaos-leftovers-${process.pid}`);
    try {
      if (!existsSync(join(mount, "cgroup.controllers"))) continue;
      mkdirSync(group);
      return group;
    } catch {
      // Not ours.
    }
  }
  return undefined;
}

it("what a daemon and its launcher left in the cgroup is killed, and the groups of its agents are removed", async ({
  skip,
}) => {
  const parent = ownGroup();
  if (parent === undefined) return skip("no cgroup v2 is delegated to this user");
  const stateDir = mkdtempSync(join(tmpdir(), "aaos-leftovers-"));
  try {
    for (const leaf of ["01AGENT/f1", "01AGENT/p1", "spare-w1"])
      mkdirSync(join(parent, leaf), { recursive: true });
    const left = spawn("sleep", ["600"], { stdio: "ignore" });
    const ended = once(left, "exit");
    writeFileSync(join(parent, "01AGENT/p1/cgroup.procs"), String(left.pid));
    await endLeftovers(stateDir, null, parent);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(join(parent, "01AGENT"))).toBe(false);
    expect(existsSync(join(parent, "spare-w1"))).toBe(false);
  } finally {
    rmdirSync(parent);
    rmSync(stateDir, { recursive: true });
  }
});
