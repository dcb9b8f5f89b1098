import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
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

const INITRAMFS = join(UNITS, "../../initramfs-tools/scripts/local-bottom/aaos");

/** What the initramfs does by its functions, on the files below `dir`; the slot's cp is the host's. */
function inInitramfs(then: string): void {
  const script = readFileSync(INITRAMFS, "utf8");
  const functions = ["carry_etc", "factory_reset"].map(
    (name) => new RegExp(`^${name}\\(\\) \\{$[\\s\\S]*?^\\}$`, "m").exec(script)?.[0] ?? "exit 99",
  );
  const around = `rootmnt=${dir} data=${dir}/mnt/data state=${dir}/run slot=B
panic() { echo "$1" >&2; exit 1; }
chroot() { "$2" "$3" "$1$4" "$1$5"; }`;
  const text = [around, ...functions, then].join("\n");
  execFileSync("/bin/sh", ["-ec", text], { stdio: "pipe" });
}

test("a slot that was written takes the settings of the other one along at its first start, and at no other", () => {
  const at = (path: string) => join(dir, "mnt/data/slots", path);
  const put = (path: string, text: string) => {
    mkdirSync(join(at(path), ".."), { recursive: true });
    writeFileSync(at(path), text);
  };
  put("A/etc/passwd", "aaos\nada\n");
  put("B/etc/older", "of an older version, or of a copy that was cut short\n");
  put("B/etc.work/x", "");
  put("B/carry-from", "A\n");
  inInitramfs("carry_etc");
  expect(readFileSync(at("B/etc/passwd"), "utf8")).toBe("aaos\nada\n");
  expect(readdirSync(at("B"))).toEqual(["etc"]);
  expect(readdirSync(at("B/etc"))).toEqual(["passwd"]);
  put("A/etc/passwd", "later\n");
  inInitramfs("carry_etc");
  expect(readFileSync(at("B/etc/passwd"), "utf8")).toBe("aaos\nada\n");
});

test("a slot that cannot take the settings along does not start, and tries again the next time", () => {
  mkdirSync(join(dir, "mnt/data/slots/A/etc"), { recursive: true });
  mkdirSync(join(dir, "mnt/data/slots/B"));
  writeFileSync(join(dir, "mnt/data/slots/B/carry-from"), "A\n");
  expect(() => inInitramfs("cp() { return 1; }; carry_etc")).toThrow(/did not come/);
  expect(existsSync(join(dir, "mnt/data/slots/B/carry-from"))).toBe(true);
  inInitramfs("carry_etc");
  expect(readdirSync(join(dir, "mnt/data/slots/B"))).toEqual(["etc"]);
});

test("a reset that was asked for between an upgrade and its start spares what was there then", () => {
  const data = join(dir, "mnt/data");
  const put = (path: string, text: string) => {
    mkdirSync(join(data, path, ".."), { recursive: true });
    writeFileSync(join(data, path), text);
  };
  mkdirSync(join(dir, "run"));
  put("slots/A/etc/hostname", "box1\n");
  put("slots/A/etc/systemd/network/50-aaos-eth0.network", "[Match]\n");
  put("slots/B/carry-from", "A\n");
  put("config/ssh/key", "of the machine\n");
  put("plain/data/file", "goes\n");
  put(".factory-reset", "keep\n");
  const order =
    readFileSync(INITRAMFS, "utf8").match(/^\[ -e \$state\/degraded \] \|\| .*$/gm) ?? [];
  inInitramfs(order.join("\n"));
  expect(readFileSync(join(data, "slots/B/etc/hostname"), "utf8")).toBe("box1\n");
  expect(readdirSync(join(data, "slots/B/etc/systemd/network"))).toEqual(["50-aaos-eth0.network"]);
  expect(readdirSync(data).sort()).toEqual(["config", "slots"]);
  expect(readdirSync(join(data, "slots/B"))).toEqual(["etc"]);
});

test("the data volume is mounted so that an error of its disk makes it read-only, not worse", () => {
  const script = readFileSync(INITRAMFS, "utf8");
  const [, options = ""] = /mount -t ext4 -o (\S+) .*disk\/data/.exec(script) ?? [];
  expect(options.split(",")).toEqual(
    expect.arrayContaining(["nosuid", "nodev", "errors=remount-ro"]),
  );
});
