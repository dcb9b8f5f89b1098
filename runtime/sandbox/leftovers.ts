import { readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../base/error-text.js";

/** A launcher whose daemon is gone ends by itself, and all that it confined with it; after this long it is killed. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 10;

/**
 * Ends what a daemon before this one left running, before anything of its runs is taken up: waits for its launcher, whose end the
 * kernel has asked for and which ends every confined process first; kills it where it does not end, and with it, by
 * pdeathsig(2const), all that it confined. Then kills what is left in the cgroup, and removes what lies in it. Call it as the one writer of the database: two daemons
 * never share a state directory. Remembers `launcherPid` for the next.
 */
export async function endLeftovers(
  stateDir: string,
  launcherPid: number | null,
  cgroup: string | null,
): Promise<void> {
  const file = join(stateDir, "launcher.pid");
  const before = remembered(file);
  const end = Date.now() + PATIENCE_MS;
  while (before !== undefined && isAlive(before)) {
    if (Date.now() > end) process.kill(before.pid, "SIGKILL");
    await sleep(LOOK_MS);
  }
  if (cgroup !== null) await emptyGroup(cgroup);
  const started = launcherPid === null ? undefined : startOf(launcherPid);
  if (launcherPid === null || started === undefined) return;
  writeFileSync(`${file}.new`, `${launcherPid} ${started}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

interface Launched {
  readonly pid: number;
  /** In clock ticks since boot: a pid that was given to another process has another. */
  readonly started: string;
}

function remembered(file: string): Launched | undefined {
  try {
    const [pid = "", started = ""] = readFileSync(file, "utf8").trim().split(" ");
    return Number(pid) > 1 ? { pid: Number(pid), started } : undefined;
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

function isAlive({ pid, started }: Launched): boolean {
  return startOf(pid) === started;
}

/** Field 22 of proc_pid_stat(5), of a process that has not ended; the name in field 2 may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** cgroup.kill (Linux 5.14) ends everything below at once; a group is busy until its last process is gone, and stays if it never is. */
async function emptyGroup(parent: string): Promise<void> {
  try {
    writeFileSync(join(parent, "cgroup.kill"), "1");
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
  const end = Date.now() + PATIENCE_MS;
  while (!removeGroups(parent) && Date.now() < end) await sleep(LOOK_MS);
}

/** True when no group is left below: those of agents, and the leaves in them. */
function removeGroups(parent: string): boolean {
  const below = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const removed = below.map(({ name }) => {
    const group = join(parent, name);
    try {
      if (!removeGroups(group)) return false;
      rmdirSync(group);
      return true;
    } catch (thrown) {
      // One that is gone has removed itself; a busy one is asked again.
      return errnoOf(thrown) === "ENOENT";
    }
  });
  return removed.every(Boolean);
}
