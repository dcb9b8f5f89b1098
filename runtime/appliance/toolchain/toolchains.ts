import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { mendFolders, partOf, removeFolder, replaceFolder } from "../../store/replace-folder.js";
import { readKernelArguments } from "../boot/running-slot.js";
import { type Machine, mustRun } from "../machine.js";
import type { VerbContext } from "../verb.js";
import { controlDaemon } from "../verbs/control-daemon.js";
import { writeFileWhole } from "../write-file.js";

/** Debian packages beside the image: a tree each on the data volume, which systemd-sysext(8) lays read-only over /usr. */
export interface Toolchain {
  readonly name: string;
  /** NAME_VERSION of every package in it. */
  readonly packages: readonly string[];
}

/** On the data volume (the initramfs script binds it), where systemd-sysext looks. */
const TREES = "/var/lib/extensions";
const ARCHIVES = "/var/cache/apt/archives";
/** In a tree: what it holds. */
const LIST = "usr/lib/aaos-toolchain";
/** Links that the packages' own scripts would make, by update-alternatives. */
const ALTERNATIVES: readonly (readonly [link: string, program: string])[] = [
  ["cc", "gcc"],
  ["c++", "g++"],
];

export function listToolchains(machine: Machine): readonly Toolchain[] {
  const trees = machine.at(TREES);
  if (!existsSync(trees)) return [];
  return readdirSync(trees)
    .filter((name) => !name.startsWith(".") && existsSync(join(trees, name, LIST)))
    .sort()
    .map((name) => ({
      name,
      packages: readFileSync(join(trees, name, LIST), "utf8")
        .trim()
        .split("\n"),
    }));
}

/**
 * The Debian package `name` and what it needs that the image has not, from the archives that the image was made of, whose signatures
 * apt checks. No script of a package runs. In the place of an older one of that name; agentd is started again, so that it sees the programs.
 */
export async function addToolchain(name: string, context: VerbContext): Promise<Toolchain> {
  const { machine, progress, signal } = context;
  mustHaveVolume(machine, name);
  mendFolders(machine.at(TREES));
  progress(`asking the archives for ${name}`);
  const apt = (...args: string[]) => mustRun(machine, "apt-get", ["-q", ...args], { signal });
  await apt("clean");
  await apt("-o", "APT::Update::Error-Mode=any", "update");
  await apt("install", "--download-only", "--yes", "--no-install-recommends", name);
  const files = readdirSync(machine.at(ARCHIVES)).filter((file) => file.endsWith(".deb"));
  if (files.length === 0)
    throw new AgentdError("usage", "add toolchain", `the image has ${name} already`, {
      hint: "Name it in a role: `exec: PROGRAM`.",
    });
  const tree = machine.at(join(TREES, name));
  const part = partOf(tree);
  mkdirSync(part, { recursive: true, mode: 0o755 });
  progress(`unpacking ${files.length} packages`);
  for (const file of files)
    await mustRun(machine, "dpkg-deb", ["-x", machine.at(join(ARCHIVES, file)), part], { signal });
  const packages = files.map((file) => file.replace(/_[^_]*\.deb$/, "")).sort();
  finishTree(part, name, packages);
  // What was acknowledged outlasts a power cut.
  await mustRun(machine, "sync", ["--file-system", part], { signal });
  replaceFolder(part, tree);
  await apt("clean");
  await mergeAgain(context);
  return { name, packages };
}

export async function removeToolchain(name: string, context: VerbContext): Promise<void> {
  const { machine } = context;
  mendFolders(machine.at(TREES));
  if (!listToolchains(machine).some((it) => it.name === name))
    throw new AgentdError("usage", "remove toolchain", `there is no toolchain ${name}`, {
      hint: "`agentd system toolchain list` shows them.",
    });
  removeFolder(machine.at(join(TREES, name)));
  await mergeAgain(context);
}

function mustHaveVolume(machine: Machine, name: string): void {
  if (readKernelArguments(machine).slot !== undefined) return;
  throw new AgentdError(
    "unavailable",
    "add toolchain",
    "this is no installed appliance: there is no data volume for it",
    { hint: `The root can be changed here: sudo apt-get install ${name}` },
  );
}

/** Only /usr is laid over; what belongs elsewhere would be hidden from nobody, and used by nobody. */
function finishTree(tree: string, name: string, packages: readonly string[]): void {
  for (const entry of readdirSync(tree)) {
    if (entry === "usr") continue;
    // Older packages carry /bin and /lib beside /usr: one directory on Debian.
    if (["bin", "sbin", "lib"].includes(entry))
      cpSync(join(tree, entry), join(tree, "usr", entry), {
        recursive: true,
        verbatimSymlinks: true,
      });
    rmSync(join(tree, entry), { recursive: true, force: true });
  }
  const programs = join(tree, "usr/bin");
  for (const [link, program] of ALTERNATIVES)
    if (existsSync(join(programs, program)) && !existsSync(join(programs, link)))
      symlinkSync(program, join(programs, link));
  writeFileWhole(join(tree, LIST), `${packages.join("\n")}\n`, { mode: 0o644 });
  // systemd-sysext(8): fits every system, because every system here is Debian 13.
  const release = join(tree, `usr/lib/extension-release.d/extension-release.${name}`);
  writeFileWhole(release, "ID=_any\n", { mode: 0o644 });
}

async function mergeAgain(context: VerbContext): Promise<void> {
  await mustRun(context.machine, "systemd-sysext", ["refresh"], { signal: context.signal });
  await controlDaemon({ action: "restart" }, context);
}
