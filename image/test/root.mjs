// Makes the Debian 13 root that the test VMs boot: packages by mmdebstrap, then the harness's own files, then an ext4 disk image.
// Two caches under build/vm/, each named by a hash of its inputs: the unpacked packages as a tar (a minute), and the disk image
// made of it (seconds). A changed agent or unit file therefore never asks the mirror again. Nothing expires; --fresh makes all anew.
// Needs root, because file owners are written into the image; no loop mount, no network but the host's own apt mirror.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command, missingPrograms, output, partition } from "./host.mjs";
import { ROOT_PARTUUID } from "./qemu.mjs";

const here = import.meta.dirname;
export const cacheDir = join(here, "../../build/vm");

/**
 * @typedef {object} RootOptions
 * @property {readonly string[]} [packages] Debian packages beside the base
 * @property {string} [kernel] the kernel's package
 * @property {string} [suite]
 * @property {number} [sizeMb] size of the root file system; sparse, so a large one costs nothing
 * @property {boolean} [fresh] use no cache
 * @property {(line: string) => void} [log]
 */

/**
 * What a VM boots. `initrd` is absent when the kernel has the disk and file system drivers built in, as Debian's cloud kernel has.
 * @typedef {object} Root
 * @property {string} image raw disk image, an ext4 file system in its only partition, ROOT_PARTUUID; never written to, each VM has a copy
 * @property {string} kernel
 * @property {string} [initrd]
 */

// A small server as Debian installs it: systemd with logind and user managers, networkd, D-Bus. What the daemon needs comes with it.
const BASE = [
  [
    "systemd-sysv",
    "udev",
    "kmod",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "systemd-timesyncd",
  ],
  ["passwd", "procps", "iproute2", "util-linux-extra", "ca-certificates"],
  ["nodejs", "ripgrep"],
].flat();

// The user "test" is in no group but its own. A machine id and the update stamps spare the boot its first-boot work.
const HOOK = `set -eu
chroot "$1" useradd --create-home --shell /bin/bash --user-group test
chroot "$1" systemctl enable --quiet systemd-networkd.service
chroot "$1" systemctl disable --quiet systemd-timesyncd.service
tr -d - </proc/sys/kernel/random/uuid >"$1/etc/machine-id"
touch "$1/etc/.updated" "$1/var/.updated"
`;

// No check at boot: the journal brings the file system back after a power cut.
const FSTAB = `PARTUUID=${ROOT_PARTUUID} / ext4 defaults 0 0\n`;

/** Why a root cannot be made or booted here, or undefined. @returns {string | undefined} */
export function missingForRoot() {
  const missing = missingPrograms(["mmdebstrap", "mke2fs", "sfdisk", "g++", "tar", "apt-get"]);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  return process.getuid?.() === 0 ? undefined : "making the root needs root";
}

/** @param {...(string | Buffer)} inputs */
function digest(...inputs) {
  const hash = createHash("sha256");
  for (const input of inputs) hash.update(input).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** The host's own mirrors, asked for another suite; the security suite is found beside the main one. @param {string} suite */
async function aptSources(suite) {
  const targets = await output("apt-get", [
    "indextargets",
    "--format",
    "$(LABEL)|$(COMPONENT)|$(REPO_URI)",
  ]);
  const rows = targets.split("\n").map((line) => line.split("|"));
  const main = rows.find(([label, component]) => label === "Debian" && component === "main")?.[2];
  if (main === undefined)
    throw new Error("apt on this host knows no Debian mirror; run apt-get update");
  const beside = `${main.replace(/\/+$/, "")}-security/`;
  const security = rows.find(([label]) => label === "Debian-Security")?.[2] ?? beside;
  return [
    `deb ${main} ${suite} main`,
    `deb ${main} ${suite}-updates main`,
    `deb ${security} ${suite}-security main`,
  ];
}

/** The host's options for fetching (a proxy, a snapshot mirror's old dates) hold for the new root's packages too. */
async function aptOptions() {
  const dump = await output("apt-config", ["dump", "--no-empty"]);
  return dump
    .split("\n")
    .filter((line) => /^Acquire::(https?::|Check-Valid-Until|Check-Date|Retries)/.test(line))
    .map((line) => `--aptopt=${line.replace(/;$/, "")}`);
}

/** Makes `path` with `make(temporary)`, so that an aborted try leaves nothing that looks finished. @param {string} path @param {(temporary: string) => Promise<void>} make */
async function cached(path, make) {
  if (existsSync(path)) return;
  await mkdir(cacheDir, { recursive: true });
  const scratch = await mkdtemp(join(cacheDir, "making-"));
  try {
    await make(join(scratch, "it"));
    await rename(join(scratch, "it"), path).catch((error) => {
      if (!existsSync(path)) throw error; // another process was faster
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A static program of guest/, compiled once for each version of its source. @param {string} name @returns {Promise<string>} */
export async function guestProgram(name) {
  const source = join(here, "guest", `${name}.cc`);
  const path = join(cacheDir, `${name}-${digest(await readFile(source))}`);
  const flags = [
    "-std=c++20",
    "-O2",
    "-static",
    "-s",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
  ];
  await cached(path, (temporary) => command("g++", [...flags, "-o", temporary, source]));
  return path;
}

/** Every file below `dir` as one string for hashing. @param {string} dir */
async function treeText(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = entries.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile()
      ? `${path.slice(dir.length)}\n${readFileSync(path, "utf8")}`
      : path.slice(dir.length);
  });
  return texts.sort().join("\n");
}

/** @param {string} tar @param {string} agent @param {number} sizeMb @param {string} image the folder to make */
async function makeImage(tar, agent, sizeMb, image) {
  const tree = `${image}.tree`;
  await mkdir(tree);
  await mkdir(image);
  await command("tar", [
    "-xf",
    tar,
    "-C",
    tree,
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include=*",
  ]);
  await cp(join(here, "guest/tree"), tree, { recursive: true, verbatimSymlinks: true });
  await writeFile(join(tree, "etc/fstab"), FSTAB);
  await command("install", [
    "-D",
    "-m",
    "0755",
    agent,
    join(tree, "usr/local/libexec/aaos-vm-agent"),
  ]);
  const boot = await readdir(join(tree, "boot"));
  const version = boot.find((name) => name.startsWith("vmlinuz-"))?.slice("vmlinuz-".length);
  if (version === undefined) throw new Error("the root has no kernel");
  await cp(join(tree, `boot/vmlinuz-${version}`), join(image, "vmlinuz"));
  const config = await readFile(join(tree, `boot/config-${version}`), "utf8");
  const builtIn = ["BLK_DEV_NVME", "EXT4_FS", "VIRTIO_CONSOLE"].every((name) =>
    config.includes(`CONFIG_${name}=y`),
  );
  if (!builtIn) await cp(join(tree, `boot/initrd.img-${version}`), join(image, "initrd.img"));
  await makeRootDisk(tree, join(image, "disk.img"), sizeMb);
}

/** @param {string} tree @param {string} image @param {number} sizeMb of the file system; the disk is 2 MB larger */
async function makeRootDisk(tree, image, sizeMb) {
  await makeExt4(tree, image, sizeMb, 1);
  await command("truncate", ["-s", `${sizeMb + 2}M`, image]);
  const root = `start=1MiB, size=${sizeMb}MiB, uuid=${ROOT_PARTUUID}`;
  await partition(image, ["label: gpt", root]);
}

/**
 * An ext4 image of a directory tree, owners and modes kept; no mount needed, sparse.
 * @param {string} tree @param {string} image @param {number} sizeMb @param {number} [atMb] where in the image the file system begins
 */
export async function makeExt4(tree, image, sizeMb, atMb = 0) {
  const extended = `offset=${atMb * 2 ** 20},root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1`;
  await command("mke2fs", [
    "-q",
    "-F",
    "-t",
    "ext4",
    "-d",
    tree,
    "-E",
    extended,
    image,
    `${sizeMb}M`,
  ]);
}

/** Makes the root or finds it in the cache. @param {RootOptions} [options] @returns {Promise<Root>} */
export async function makeRoot(options = {}) {
  const {
    packages = [],
    kernel = "linux-image-cloud-amd64",
    suite = "trixie",
    sizeMb = 4096,
  } = options;
  const log = options.log ?? (() => {});
  const include = [...new Set([...BASE, kernel, ...packages])].sort().join(",");
  const tar = join(cacheDir, `root-${digest(suite, include, HOOK)}.tar`);
  if (options.fresh) await rm(tar, { force: true });
  await cached(tar, async (temporary) => {
    log(`mmdebstrap ${suite}: ${include}`);
    const hook = `${temporary}.hook`;
    await writeFile(hook, HOOK, { mode: 0o755 });
    await command("mmdebstrap", [
      "--quiet",
      "--variant=apt",
      "--format=tar",
      `--include=${include}`,
      `--customize-hook=${hook}`,
      ...(await aptOptions()),
      suite,
      temporary,
      ...(await aptSources(suite)),
    ]);
  });
  const agent = await guestProgram("agent");
  const made = await readFile(join(here, "root.mjs"));
  const image = join(
    cacheDir,
    `image-${digest(tar, agent, made, FSTAB, `${sizeMb}`, await treeText(join(here, "guest/tree")))}`,
  );
  if (options.fresh) await rm(image, { recursive: true, force: true });
  await cached(image, async (temporary) => {
    log("making the disk image");
    await makeImage(tar, agent, sizeMb, temporary);
  });
  const initrd = join(image, "initrd.img");
  const found = { image: join(image, "disk.img"), kernel: join(image, "vmlinuz") };
  return existsSync(initrd) ? { ...found, initrd } : found;
}
