// The conformance suite on the kernel that the product ships with: in a plain Debian 13, as an ordinary user, in a cgroup that systemd
// delegated, so that every layer is there. Writes docs/conformance-debian-13.md. Half an hour on two quiet cores.
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makeRoot, missingForRoot } from "./root.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const repo = join(import.meta.dirname, "../..");
const REPORT = "docs/conformance-debian-13.md";
const missing = missingForVm() ?? missingForRoot();
const TIMEOUT_MS = 7_200_000;

test("nothing is allowed that is not accepted, on Debian 13's own kernel", {
  skip: missing === undefined ? false : `skipped: ${missing}`,
  timeout: TIMEOUT_MS,
}, async (t) => {
  const shares = ["dist", "native", "node_modules"].map((name) => ({
    from: join(repo, name),
    to: `/opt/aaos/${name}`,
  }));
  const root = await makeRoot();
  const vm = await bootVm({ ...root, name: "conformance", shares, memoryMb: 4096 });
  try {
    await vm.must("mkdir /opt/aaos/docs; cp /dev/stdin /opt/aaos/package.json", {
      stdin: '{"type":"module"}',
    });
    await vm.must("install -d -o test /home/test/out");
    const suite = "node /opt/aaos/dist/conformance/main.js --report /home/test/out/report.md";
    const { status, stdout, stderr, durationMs } = await vm.run(
      `systemd-run --quiet --wait --collect --pipe -p Delegate=yes -p User=test ${suite}`,
      { timeoutMs: TIMEOUT_MS },
    );
    t.diagnostic(`${Math.round(durationMs / 1000)} s, ${stdout.trim()}`);
    await vm.copyOut("/home/test/out/report.md", join(repo, "build"));
    await copyFile(join(repo, "build/report.md"), join(repo, REPORT));
    assert.equal(status, 0, stdout + stderr);
  } finally {
    await vm.close();
  }
});
