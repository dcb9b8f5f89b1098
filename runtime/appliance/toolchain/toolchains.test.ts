import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openMachine } from "../machine.js";
import type { VerbContext } from "../verb.js";
import { addToolchain, listToolchains, removeToolchain } from "./toolchains.js";

// Real packages and dpkg-deb; apt, systemd-sysext and systemctl are scripts that write down what they were asked. The VM test has them all.
let dir: string;
let root: string;
let context: VerbContext;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-toolchain-"));
  root = join(dir, "root");
  const [bin, archives] = [join(dir, "bin"), join(root, "var/cache/apt/archives")];
  mkdirSync(bin);
  mkdirSync(archives, { recursive: true });
  mkdirSync(join(root, "proc"));
  writeFileSync(join(root, "proc/cmdline"), "rauc.slot=A\n");
  const log = `printf '%s' "\${0##*/}" >>${dir}/asked; printf ' %s' "$@" >>${dir}/asked; echo >>${dir}/asked`;
  for (const name of ["systemd-sysext", "systemctl"])
    writeFileSync(join(bin, name), `#!/bin/sh\n${log}\n`, { mode: 0o755 });
  const apt = `#!/bin/sh\n${log}
case " $* " in
*" clean "*) rm -f ${archives}/*.deb ;;
*" tool "*) cp ${dir}/made/*.deb ${archives}/ ;;
*" absent "*) echo "E: Unable to locate package absent" >&2; exit 100 ;;
esac\n`;
  writeFileSync(join(bin, "apt-get"), apt, { mode: 0o755 });
  makePackage("tool", { "usr/bin/gcc": "#!/bin/sh\n", "etc/tool.conf": "x\n" });
  makePackage("libtool0", { "lib/libtool.so.0": "so\n" });
  const machine = openMachine(root, [bin, "/usr/bin", "/bin"]);
  context = { machine, signal: new AbortController().signal, progress: () => {} };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function makePackage(name: string, files: Readonly<Record<string, string>>): void {
  const tree = join(dir, name);
  const control = `Package: ${name}\nVersion: 1.2-3\nArchitecture: all\nMaintainer: T <t@t.invalid>\nDescription: t\n`;
  for (const [path, text] of Object.entries({ ...files, "DEBIAN/control": control })) {
    mkdirSync(join(tree, path, ".."), { recursive: true });
    writeFileSync(join(tree, path), text, { mode: path.includes("bin/") ? 0o755 : 0o644 });
  }
  mkdirSync(join(dir, "made"), { recursive: true });
  const deb = join(dir, "made", `${name}_1.2-3_all.deb`);
  execFileSync("dpkg-deb", ["--root-owner-group", "-b", tree, deb], { stdio: "ignore" });
}

const extension = (path: string): string => join(root, "var/lib/extensions", path);
const asked = (): string => readFileSync(join(dir, "asked"), "utf8");

describe("a toolchain", () => {
  it("is a tree of what apt fetched: /usr alone, with the links that compilers are called by", async () => {
    const added = await addToolchain("tool", context);
    expect(added).toEqual({ name: "tool", packages: ["libtool0_1.2-3", "tool_1.2-3"] });
    expect(readlinkSync(extension("tool/usr/bin/cc"))).toBe("gcc");
    expect(readFileSync(extension("tool/usr/lib/libtool.so.0"), "utf8")).toBe("so\n");
    expect(existsSync(extension("tool/etc"))).toBe(false);
    const release = extension("tool/usr/lib/extension-release.d/extension-release.tool");
    expect(readFileSync(release, "utf8")).toBe("ID=_any\n");
    expect(asked()).toMatch(/systemd-sysext refresh\nsystemctl .*restart.*agentd/);
    expect(listToolchains(context.machine)).toEqual([added]);
    // The same again takes its place.
    expect(await addToolchain("tool", context)).toEqual(added);
  });

  it("that a power cut left half-way is as it was before, and what was left beside goes", async () => {
    await addToolchain("tool", context);
    renameSync(extension("tool"), extension(".tool.old"));
    mkdirSync(extension(".other.part/usr"), { recursive: true });
    expect(listToolchains(context.machine)).toEqual([]);
    await expect(removeToolchain("other", context)).rejects.toThrow(/no toolchain other/);
    expect(readdirSync(extension(""))).toEqual(["tool"]);
    expect(readlinkSync(extension("tool/usr/bin/cc"))).toBe("gcc");

    mkdirSync(extension(".tool.old"));
    mkdirSync(extension(".tool.part/usr/bin/half"), { recursive: true });
    await addToolchain("tool", context);
    expect(readdirSync(extension(""))).toEqual(["tool"]);
    expect(existsSync(extension("tool/usr/bin/half"))).toBe(false);
  });

  it("is taken away again", async () => {
    await addToolchain("tool", context);
    await removeToolchain("tool", context);
    expect(listToolchains(context.machine)).toEqual([]);
    expect(readdirSync(extension(""))).toEqual([]);
    await expect(removeToolchain("tool", context)).rejects.toThrow(/no toolchain tool/);
  });

  it("that no archive has, or that the image has already, changes nothing", async () => {
    await expect(addToolchain("absent", context)).rejects.toThrow(/Unable to locate/);
    await expect(addToolchain("bash", context)).rejects.toThrow(/has bash already/);
    expect(existsSync(extension(""))).toBe(false);
  });

  it("is for an installed appliance: elsewhere apt does it", async () => {
    writeFileSync(join(root, "proc/cmdline"), "boot=live\n");
    await expect(addToolchain("tool", context)).rejects.toThrow(/no installed appliance/);
    expect(existsSync(join(dir, "asked"))).toBe(false);
  });
});
