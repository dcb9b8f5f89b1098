// Runs on an installed machine, with a model that says what a script tells it to: what confines a live worker, hogs that meet their
// limits beside a run that goes on, and the ways in which a daemon or a machine can end in the middle of a run.
import assert from "node:assert/strict";
import { diskPath } from "./qemu.mjs";

/** How a run ends whose daemon went away under it: it is taken up, and the model is told that the call's outcome is unknown. */
export const INTERRUPTED = "succeeded";

const SERVICE = "/sys/fs/cgroup/system.slice/agentd.service";
/** The machine's second disk, 128 MB, mounted there with 16 MB for project 7, which all of it belongs to; by number, as Debian's base has no setquota(8). */
const QUOTA_ON_OUTPUT = `set -e
mount -o prjquota ${diskPath(2)} /output
rmdir /output/lost+found; chown root:aaos /output; chmod 2775 /output
perl -e '
  # FS_IOC_FSSETXATTR: FS_XFLAG_PROJINHERIT and the project.
  open my $top, "<", "/output" or die "open: $!";
  my $attributes = pack("L5x8", 0x200, 0, 0, 7, 0);
  ioctl($top, 0x401c5820, $attributes) or die "ioctl: $!";
  # quotactl(2), Q_SETQUOTA of PRJQUOTA: if_dqblk with the limits of blocks of 1 KiB, and QIF_BLIMITS.
  my ($disk, $limits) = ("${diskPath(2)}", pack("Q8L2", 16384, 16384, 0, 0, 0, 0, 0, 0, 1, 0));
  syscall(179, (0x800008 << 8) | 2, $disk, 7, $limits) == 0 or die "quotactl: $!";
'`;
const NAMESPACES = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/** @typedef {import("./package-access.mjs").It} It */
/** @typedef {ReturnType<typeof import("./package-vm.mjs").wordsFor>} Words */

/** @param {Words} words */
function deedsOf({ must, until, begin }) {
  return {
    /** A run whose program is under way: its own, whatever another left. */
    beginLong: async () => {
      const id = await begin("TASK-LONG", "ada");
      const invoked = `agentd audit query --run ${id} --kind tool_invoked --json | grep -q perl`;
      await until(`${invoked} && pgrep -u aaos -x perl >/dev/null`);
      return id;
    },
    /** Nothing of what was confined is left, and the daemon serves. */
    isClean: async () => {
      await until("agentd list >/dev/null 2>&1", 120);
      await until("! pgrep -u aaos -x perl >/dev/null", 30);
      await until(`test -z "$(ls -d ${SERVICE}/agents/*/ 2>/dev/null)"`, 30);
      assert.match(await must("agentd audit verify"), /the journal is whole/);
    },
    /** The newest tool call of a run, and what came of it. @param {string} id */
    toolResult: async (id) => {
      const lines = await must(`agentd audit query --run ${id} --kind tool_result --json`);
      return JSON.parse(lines.trim().split("\n").at(-1) ?? "");
    },
  };
}

/** @param {It} it @param {Words} words */
export function layerTests(it, words) {
  const { must, ends, mainPid } = words;
  const { beginLong, isClean } = deedsOf(words);
  it("every layer is in force around a live worker, seen from outside in /proc", async (t) => {
    await words.useScriptedModel();
    const id = await beginLong();
    const daemon = await mainPid();
    const pid = (await must("pgrep -u aaos -x perl | tail -n1")).trim();
    const status = await must(`cat /proc/${pid}/status`);
    const aaos = (await must("id -u aaos")).trim();
    for (const line of [
      "NoNewPrivs:\t1",
      "Seccomp:\t2",
      "CapEff:\t0000000000000000",
      "CapBnd:\t0000000000000000",
      `Uid:\t${aaos}\t${aaos}\t${aaos}\t${aaos}`,
    ])
      assert.ok(status.includes(line), `${line} in ${status}`);
    for (const name of NAMESPACES) {
      const of = (/** @type {string} */ process) => must(`readlink /proc/${process}/ns/${name}`);
      assert.notEqual(await of(pid), await of(daemon), `a ${name} namespace of its own`);
    }
    const group = (await must(`sed -n s/^0:://p /proc/${pid}/cgroup`)).trim();
    assert.match(group, /^\/system\.slice\/agentd\.service\/agents\/[0-9A-Z]{26}\/p1$/);
    const limits = (/** @type {string} */ dir, /** @type {string} */ files) =>
      must(`cd /sys/fs/cgroup${group}/${dir} && head -qn1 ${files}`);
    const own = await limits(".", "memory.max pids.max cpu.max io.weight");
    t.diagnostic(`the program's own ${own.trim().split("\n").join(", ")}`);
    assert.match(own, /^\d+\n\d+\n\d+ \d+\ndefault \d+\n$/);
    // A file worker and one small program side by side: what the grants of the role come to.
    assert.equal(
      await limits("..", "memory.max pids.max cpu.weight io.weight"),
      `${(64 + 1024) << 20}\n${4 + 128}\n100\ndefault 100\n`,
    );
    const root = await must(`ls /proc/${pid}/root /proc/${pid}/root/etc`);
    assert.doesNotMatch(root, /^(boot|root|shadow|home)$/m);
    assert.equal(await must(`test -e /proc/${pid}/root/etc/aaos || echo hidden`), "hidden\n");
    await must(`agentd stop ${id}`, "ada");
    assert.equal(await ends(id, "ada"), "cancelled");
    await isClean();
  });
}

/** @param {It} it @param {Words} words */
export function hogTests(it, words) {
  const { must, until, begin, ends, stateOf } = words;
  const { beginLong, isClean, toolResult } = deedsOf(words);

  it("a fork bomb, a memory hog and a disk filler stop at their limits while another run goes on", async (t) => {
    const other = await beginLong();
    const hogs = {
      "TASK-FORK": /stopped after (\d+) forks: Resource temporarily unavailable/,
      "TASK-MEMORY": /Out of memory|"signal":"SIGKILL"|\\"signal\\":\\"SIGKILL\\"/,
      "TASK-DISK": /file: File too large\\ntmp: No space left on device/,
    };
    for (const [task, met] of Object.entries(hogs)) {
      const id = await begin(task, "bob");
      assert.equal(await ends(id, "bob"), "succeeded");
      const { result_preview } = await toolResult(id);
      t.diagnostic(`${task}: ${result_preview}`);
      assert.match(result_preview.replaceAll("\\\\n", "\\n"), met);
      if (task === "TASK-FORK") assert.ok(Number(met.exec(result_preview)?.[1]) < 1024);
    }
    assert.equal(await stateOf(other, "ada"), "running");
    assert.equal(await must("pgrep -c -u aaos -x perl"), "1\n");
    await must(`agentd stop ${other}`, "ada");
    await isClean();
  });

  it("a project quota on /output holds agents where the file system has it, and the machine's own room stays", async (t) => {
    await must(QUOTA_ON_OUTPUT);
    await must("systemctl restart agentd.service");
    const id = await begin("TASK-QUOTA", "ada");
    assert.equal(await ends(id, "ada"), "succeeded");
    const { result_preview } = await toolResult(id);
    t.diagnostic(result_preview);
    assert.match(result_preview, /Disk quota exceeded/);
    const [size, free] = (await must("stat -f -c '%b %f' /output")).split(" ").map(Number);
    assert.ok((free ?? 0) > (size ?? 0) / 2, "the file system itself has room");
    await must("systemctl stop agentd.service; umount /output; systemctl start agentd.service");
    await isClean();
  });

  it("each event is a line of the system's journal with its run, agent and kind", async () => {
    const id = await begin("TASK-SHORT", "ada");
    assert.equal(await ends(id, "ada"), "succeeded");
    assert.match(await must(`agentd status ${id}`, "ada"), /confinement .*landlock/);
    const lines = (await must(`journalctl -q -o json AAOS_RUN=${id}`)).trim().split("\n");
    const kinds = lines.map((line) => JSON.parse(line).AAOS_KIND);
    for (const kind of ["run_submitted", "agent_spawned", "tool_result", "run_state_changed"])
      assert.ok(kinds.includes(kind), `${kind} in ${kinds}`);
    const agent = JSON.parse(lines.find((line) => line.includes("tool_result")) ?? "").AAOS_AGENT;
    assert.match(await must(`journalctl -q AAOS_AGENT=${agent} AAOS_KIND=tool_result`), /exec/);
    await until(
      "journalctl -q AAOS_KIND=audit_head -o cat --output-fields=AAOS_HEAD | grep -q signature",
      10,
    );
  });
}

/** @param {It} it @param {Words} words @param {() => import("./vm.mjs").Vm} vm */
export function endingTests(it, words, vm) {
  const { must, until, ends, mainPid } = words;
  const { beginLong, isClean } = deedsOf(words);

  it("kill -9 of the daemon in the middle of a run: it comes back by itself, and the run ends", async () => {
    const id = await beginLong();
    const before = await mainPid();
    await must(`kill -9 ${before}`);
    await until(
      `test "$(systemctl show -P MainPID agentd)" != ${before} && systemctl is-active --quiet agentd`,
    );
    assert.equal(await ends(id, "ada"), INTERRUPTED);
    await isClean();
  });

  it("a daemon that hangs is found by the watchdog and started again, and the run ends", async (t) => {
    const id = await beginLong();
    const before = await mainPid();
    await must(`kill -STOP ${before}`);
    const began = Date.now();
    await until(
      `test "$(systemctl show -P MainPID agentd)" != ${before} && systemctl is-active --quiet agentd`,
    );
    t.diagnostic(`found and started again after ${Date.now() - began} ms`);
    assert.match(await must("journalctl -q -u agentd"), /[Ww]atchdog timeout/);
    assert.equal(await ends(id, "ada"), INTERRUPTED);
    await isClean();
  });

  for (const [how, end] of /** @type {const} */ ([
    ["a reboot", () => vm().reboot()],
    [
      "a power cut",
      async () => {
        await vm().powerCut();
        await vm().powerOn();
      },
    ],
  ])) {
    it(`${how} in the middle of a run: the machine comes back by itself, and the run ends`, async (t) => {
      const id = await beginLong();
      await end();
      t.diagnostic(`up again after ${vm().timings.readyMs} ms`);
      assert.equal(await must("systemctl is-active agentd.service"), "active\n");
      assert.equal(await ends(id, "ada"), INTERRUPTED);
      await isClean();
    });
  }
}
