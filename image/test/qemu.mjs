// QEMU's command line for a test VM. The machine is emulated in software, so that it runs where KVM does not.
import { quote } from "./host.mjs";

/**
 * @typedef {object} Share a directory tree handed in on a disk of its own; the VM works on a copy
 * @property {string} from folder of the host
 * @property {string} to where the VM mounts it
 * @property {boolean} [writable] default read-only
 */

/**
 * @typedef {object} Forward a TCP port of the host's loopback that leads into the VM
 * @property {number} hostPort
 * @property {number} guestPort
 */

/**
 * @typedef {object} VmSpec
 * @property {string} name names the logs: build/vm/logs/NAME.serial.log
 * @property {string} image raw disk image with the root; written to never, an overlay takes the writes
 * @property {string} [kernel] without one the firmware boots the disk
 * @property {string} [initrd]
 * @property {number} [memoryMb] default 1024
 * @property {number} [cpus] default 2
 * @property {readonly string[]} [disks] raw images, written in place; the VM sees /dev/nvme0n2, n3, …
 * @property {readonly Share[]} [shares]
 * @property {"none" | "isolated" | "open"} [net] no card (default); a card without a way out; a card that reaches what the host reaches, 10.0.2.2 being its loopback
 * @property {readonly Forward[]} [forwards]
 * @property {readonly string[]} [append] further kernel arguments
 * @property {readonly string[]} [qemuArgs] further QEMU arguments
 * @property {"agent" | "running"} [until] what power-on waits for: the guest agent's first word, or (default) systemd "running" with no failed unit
 * @property {number} [timeoutMs] for power-on, default 240 s
 */

/**
 * @typedef {object} Places
 * @property {string} dir short path of a folder for the sockets
 * @property {readonly string[]} drives disk images in order: root, disks, shares
 * @property {string} serialLog
 */

const KERNEL_ARGS = [
  ["root=/dev/nvme0n1", "rw", "console=ttyS0,115200", "panic=-1"],
  // Time, not behaviour: no mitigations inside an emulation, no search for partitions.
  ["mitigations=off", "systemd.gpt_auto=0", "nowatchdog", "random.trust_cpu=on"],
  // Drivers that udev would load for what QEMU emulates and no test uses.
  ["module_blacklist=ahci,libahci,kvm,kvm_amd"],
].flat();

/** Commas separate a QEMU option's fields; a doubled one is a comma. @param {string} path */
const field = (path) => path.replaceAll(",", ",,");

/** @param {VmSpec} spec */
function networkArgs(spec) {
  if (spec.net === undefined || spec.net === "none") return ["-nic", "none"];
  const forwards = (spec.forwards ?? []).map(
    (it) => `,hostfwd=tcp:127.0.0.1:${it.hostPort}-:${it.guestPort}`,
  );
  const restrict = spec.net === "isolated" ? "on" : "off";
  return [
    ...["-netdev", `user,id=net0,restrict=${restrict},ipv6=off${forwards.join("")}`],
    ...["-device", "virtio-net-pci,netdev=net0,romfile="],
  ];
}

/** All disks are namespaces of one NVMe controller: the driver is built into Debian's cloud kernel, and their order is certain. @param {readonly string[]} drives */
function driveArgs(drives) {
  // writeback, not unsafe: a flush of the guest reaches the host's file, so what it synced survives a killed QEMU.
  const args = drives.flatMap((file, index) => [
    ...[
      "-drive",
      `file=${field(file)},format=${file.endsWith(".qcow2") ? "qcow2" : "raw"},if=none,id=d${index},cache=writeback,discard=unmap`,
    ],
    ...["-device", `nvme-ns,drive=d${index},bus=nvme0,nsid=${index + 1}`],
  ]);
  return ["-device", "nvme,id=nvme0,serial=aaos", ...args];
}

/** @param {VmSpec} spec */
function bootArgs(spec) {
  if (spec.kernel === undefined) return [];
  const mask =
    spec.net === undefined || spec.net === "none"
      ? ["systemd.mask=systemd-networkd.service", "systemd.mask=systemd-networkd.socket"]
      : [];
  const append = [...KERNEL_ARGS, ...mask, ...(spec.append ?? [])].join(" ");
  return [
    "-kernel",
    spec.kernel,
    "-append",
    append,
    ...(spec.initrd === undefined ? [] : ["-initrd", spec.initrd]),
  ];
}

/** @param {VmSpec} spec @param {Places} places @returns {string[]} */
export function qemuArgs(spec, { dir, drives, serialLog }) {
  return [
    ...[
      "-name",
      `aaos-${field(spec.name)}`,
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-vga",
      "none",
    ],
    // The translation cache is bounded, or it grows past 2 GB.
    ...["-machine", "q35", "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max"],
    ...["-smp", `${spec.cpus ?? 2}`, "-m", `${spec.memoryMb ?? 1024}`],
    ...[
      "-chardev",
      `socket,id=serial,path=${dir}/serial,logfile=${field(serialLog)},logappend=on`,
      "-serial",
      "chardev:serial",
    ],
    ...["-chardev", `socket,id=qmp,path=${dir}/qmp`, "-mon", "chardev=qmp,mode=control"],
    ...["-device", "virtio-serial-pci", "-chardev", `socket,id=agent,path=${dir}/agent`],
    ...["-device", "virtserialport,chardev=agent,name=aaos.agent", "-device", "virtio-rng-pci"],
    ...driveArgs(drives),
    ...networkArgs(spec),
    ...bootArgs(spec),
    ...(spec.qemuArgs ?? []),
  ];
}

/** A shell command that runs another as a user of the VM, in their home, with nothing of root's environment. @param {string} user @param {string} shellCommand */
export function asUser(user, shellCommand) {
  const name = quote(user);
  const inner = quote(`cd || exit 126\n${shellCommand}`);
  return `exec setpriv --reuid ${name} --regid ${name} --init-groups --reset-env -- /bin/sh -c ${inner}`;
}
