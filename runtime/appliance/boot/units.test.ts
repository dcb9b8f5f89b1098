import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const UNITS = join(import.meta.dirname, "../../../overlays/appliance/etc/systemd/system");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-units-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const unit = (name: string) => readFileSync(join(UNITS, name), "utf8");
const values = (text: string, key: string) =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);

/** As systemd does it, below another folder. */
function makeHostKey(): void {
  const text = unit("aaos-host-key.service");
  const [condition] = values(text, "ConditionFileNotEmpty");
  const file = (condition ?? "").slice(1).replace("/etc/aaos/ssh", dir);
  if (existsSync(file) && statSync(file).size > 0) return;
  const script = /^\/bin\/sh -ec '([^'$%]*)'$/.exec(values(text, "ExecStart")[0] ?? "")?.[1] ?? "";
  execFileSync("/bin/sh", ["-ec", script.replaceAll("/etc/aaos/ssh", dir)]);
}
const key = () => readFileSync(join(dir, "ssh_host_ed25519_key"), "utf8");
const publicHalf = () =>
  execFileSync("ssh-keygen", ["-y", "-f", join(dir, "ssh_host_ed25519_key")], { encoding: "utf8" });

test("the host key is made once, and made anew where a power cut left it empty or half made", () => {
  writeFileSync(join(dir, "new-key"), "");
  makeHostKey();
  const first = key();
  makeHostKey();
  expect(key()).toBe(first);
  truncateSync(join(dir, "ssh_host_ed25519_key"), 0);
  makeHostKey();
  expect(key()).not.toBe(first);
  expect(readFileSync(join(dir, "ssh_host_ed25519_key.pub"), "utf8").trim()).toBe(
    publicHalf().trim(),
  );
  expect(statSync(join(dir, "ssh_host_ed25519_key")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir).sort()).toEqual(["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]);
});

test("a proof that cannot be carried out reboots only a slot on trial, and only where a slot has a try left", () => {
  expect(values(unit("aaos-slot-failed.service"), "ConditionKernelCommandLine")).toEqual([
    "aaos.pending",
    "!aaos.exhausted",
  ]);
});

test("the data volume is mounted so that an error of its disk makes it read-only, not worse", () => {
  const script = readFileSync(
    join(UNITS, "../../initramfs-tools/scripts/local-bottom/aaos"),
    "utf8",
  );
  const [, options = ""] = /mount -t ext4 -o (\S+) .*disk\/data/.exec(script) ?? [];
  expect(options.split(",")).toEqual(
    expect.arrayContaining(["nosuid", "nodev", "errors=remount-ro"]),
  );
});
