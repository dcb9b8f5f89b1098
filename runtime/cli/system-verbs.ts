import type { Command as Commander } from "commander";
import type { PassphraseOptions } from "./read-passphrase.js";
import type { Act } from "./run-verbs.js";
import type { SystemConsoleOptions } from "./verbs/system-console.js";
import type { InstallOptions } from "./verbs/system-install.js";
import type { UpgradeOptions } from "./verbs/system-upgrade.js";

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
  registerMachineViews(system, act);
  registerSlots(system, act);
  registerToolchain(system, act);
  registerBackup(system, act);
}

function registerSlots(system: Commander, act: Act): void {
  system
    .command("upgrade")
    .description(
      "put a signed bundle into the slot that does not run: FILE, or what the channel has",
    )
    .argument("[FILE]", "the bundle: a path, a URL, usb:LABEL (usb: for the only stick)")
    .option("--check", "say what the channel has; nothing else")
    .option("--download", "have the channel's bundle ready")
    .option("--apply", "install the channel's bundle")
    .option("--reboot-at <TIME>", "start it: now, +MINUTES or HH:MM")
    .option("--sha256 <HEX>", "take nothing else from the URL")
    .option("--allow-downgrade", "an older version, or the same again")
    .option("--scheduled", "what upgrade: of agentd.yaml says, for the timer")
    .action((file: string | undefined, options: UpgradeOptions) =>
      act(async (command) =>
        (await import("./verbs/system-upgrade.js")).systemUpgrade(command, file, options),
      ),
    );
  system
    .command("rollback")
    .description("start the other slot next")
    .option("--yes", "do not ask")
    .action((options: { yes?: boolean }) =>
      act(async (command) => (await import("./verbs/system.js")).systemRollback(command, options)),
    );
  system
    .command("factory-reset")
    .description("erase the data volume at the next start")
    .option("--keep-access", "spare the network's settings and the SSH keys")
    .option("--yes", "do not ask")
    .action((options: { yes?: boolean; keepAccess?: boolean }) =>
      act(async (command) =>
        (await import("./verbs/system.js")).systemFactoryReset(command, options),
      ),
    );
}

/** What is shown of the machine. */
function registerMachineViews(system: Commander, act: Act): void {
  system
    .command("status")
    .description(
      "version, slot, uptime, disk, memory, temperature, network, selftest; on slots what starts next",
    )
    .option("--verify", "read both slots whole and compare with what was written")
    .action((options: { verify?: boolean }) =>
      act(async (command) => (await import("./verbs/system.js")).systemStatus(command, options)),
    );
  system
    .command("console")
    .description("the screen of tty1 and the serial line; Enter leaves it, l shows the log")
    .option(
      "--calm <TIME>",
      "end when nothing has changed for so long, and leave the screen as it is",
    )
    .option("--key <KEY>", "begin as if this key had been pressed")
    .action((options: SystemConsoleOptions) =>
      act(async (command) =>
        (await import("./verbs/system-console.js")).systemConsole(command, options),
      ),
    );
}

/** Programs for agents that the image does not carry. */
function registerToolchain(system: Commander, act: Act): void {
  const verbs = () => import("./verbs/system-toolchain.js");
  const toolchain = system
    .command("toolchain")
    .description("Debian packages for agents, on the data volume: cargo, npm, pandoc, python3");
  toolchain
    .command("list")
    .description("what was added")
    .action(() => act(async (command) => (await verbs()).toolchainList(command)));
  toolchain
    .command("add")
    .description("fetch a Debian package with what it needs; roles name its programs by exec")
    .argument("<NAME>")
    .action((name: string) => act(async (command) => (await verbs()).toolchainAdd(command, name)));
  toolchain
    .command("remove")
    .description("take it away again")
    .argument("<NAME>")
    .action((name: string) =>
      act(async (command) => (await verbs()).toolchainRemove(command, name)),
    );
}

function registerBackup(system: Commander, act: Act): void {
  system
    .command("backup")
    .description("configuration, secrets and database as one encrypted file, while everything runs")
    .argument("<TARGET>", "a file, usb:LABEL (usb: for the only stick), or REMOTE:PATH of rclone")
    .option("--passphrase-file <FILE>", "its first line")
    .option("--passphrase-from-env <VARIABLE>", "it is in this variable of the environment")
    .action((target: string, options: PassphraseOptions) =>
      act(async (command) =>
        (await import("./verbs/system-backup.js")).systemBackup(command, target, options),
      ),
    );
  system
    .command("restore")
    .description("make this machine what a backup holds")
    .argument("<SOURCE>", "a file, usb:LABEL/FILE, or REMOTE:PATH of rclone")
    .option("--passphrase-file <FILE>", "its first line")
    .option("--passphrase-from-env <VARIABLE>", "it is in this variable of the environment")
    .option("--yes", "do not ask")
    .action((source: string, options: PassphraseOptions & { yes?: boolean }) =>
      act(async (command) =>
        (await import("./verbs/system-backup.js")).systemRestore(command, source, options),
      ),
    );
}
