import type { Command as Commander } from "commander";
import type { InstallOptions } from "./verbs/system-install.js";
import type { Act } from "./verbs.js";

/** `agentd system …`: the machine itself. */
export function registerSystem(program: Commander, act: Act): void {
  const system = program.command("system").description("the machine: install, upgrade, go back");
  system
    .command("install")
    .description("put the system on a disk, which is erased; without DISK, list the disks")
    .argument("[DISK]", "a device, serial:TEXT, auto, or a file that is to be a disk")
    .option("--yes", "do not ask")
    .option("--seed <FILE>", "the aaos.yaml of the first start")
    .option("--from <FILE>", "the system's squashfs (the one that this medium started)")
    .option("--boot-files <DIR>", "the boot loader's files (/usr/lib/aaos/boot)")
    .action((disk: string | undefined, options: InstallOptions) =>
      act(async (command) =>
        (await import("./verbs/system-install.js")).systemInstall(command, disk, options),
      ),
    );
}
