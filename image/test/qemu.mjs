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
 * @property {string} [image] raw disk image with the root in a partition ROOT_PARTUUID; never written to, each VM has a copy
 * @property {string} [kernel] without one the firmware boots the disk
 * @property {string} [iso] a medium that the firmware boots, after the disks; the guest agent comes to it from outside
 * @property {"disc" | "stick"} [medium] how the machine sees the ISO, default disc
 * @property {"bios" | "uefi" | "secure-boot"} [firmware] default bios
 * @property {Readonly<Record<string, string>>} [credentials] systemd credentials, handed in by the firmware's tables (SMBIOS type 11)
 * @property {string} [initrd]
 * @property {number} [memoryMb] default 1024
 * @property {number} [cpus] default 2
 * @property {readonly string[]} [disks] raw images, written in place; the VM finds them by `diskPath`
 * @property {readonly Share[]} [shares]
 * @property {"none" | "isolated" | "open"} [net] no card (default); a card without a way out; a card that reaches what the host reaches, 10.0.2.2 being its loopback
 * @property {readonly Forward[]} [forwards]
 * @property {readonly string[]} [append] further kernel arguments
 * @property {readonly string[]} [qemuArgs] further QEMU arguments
 * @property {"menu" | "agent" | "running"} [until] what power-on waits for: the ISO's boot menu, the guest agent's first word, or (default) systemd "running" with no failed unit
 * @property {number} [timeoutMs] for power-on, default 240 s
 */

/**
 * @typedef {object} Places
 * @property {string} [agentDisk] image with the guest agent, for a system that does not bring it
 * @property {string} [efiVars] the firmware's variables, written to
 * @property {string} dir short path of a folder for the sockets
 * @property {readonly string[]} drives disk images in order: root, disks, shares
 * @property {string} serialLog
 */

/** The partition that the root lies in: the kernel finds it without an initrd, whatever the disk's name has become. */
export const ROOT_PARTUUID = "a05a05a0-0000-4000-8000-000000000001";

/**
 * Where the VM finds a disk. The kernel numbers a controller's disks in the order in which they answer, and since 6.12 asks all at once:
 * /dev/nvme0n2 is another disk in another boot.
 * @param {number} place counted from 1: root (where there is one), disks, shares
 */
export const diskPath = (place) => `/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_aaos_${place}`;

const KERNEL_ARGS = [
  [`root=PARTUUID=${ROOT_PARTUUID}`, "rw", "console=ttyS0,115200", "panic=-1"],
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

/** All disks are namespaces of one NVMe controller, whose driver is built into Debian's cloud kernel. @param {readonly string[]} drives */
function driveArgs(drives) {
  // writeback, not unsafe: a flush of the guest reaches the host's file, so what it synced survives a killed QEMU.
  const args = drives.flatMap((file, index) => [
    ...[
      "-drive",
      `file=${field(file)},format=raw,if=none,id=d${index},cache=writeback,discard=unmap`,
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

const OVMF = "/usr/share/OVMF";

/** @param {VmSpec["firmware"]} firmware the file with its first variables, or undefined where it has none */
export function efiVarsTemplate(firmware) {
  if (firmware === "uefi") return `${OVMF}/OVMF_VARS_4M.fd`;
  return firmware === "secure-boot" ? `${OVMF}/OVMF_VARS_4M.ms.fd` : undefined;
}

/** @param {VmSpec} spec @param {Places} places */
function firmwareArgs({ firmware }, { efiVars }) {
  if (efiVars === undefined) return [];
  const code = firmware === "uefi" ? "OVMF_CODE_4M.fd" : "OVMF_CODE_4M.ms.fd";
  return [
    ...["-drive", `if=pflash,unit=0,format=raw,readonly=on,file=${OVMF}/${code}`],
    ...["-drive", `if=pflash,unit=1,format=raw,file=${field(efiVars)}`],
    ...(firmware === "secure-boot"
      ? ["-global", "driver=cfi.pflash01,property=secure,value=on"]
      : []),
  ];
}

// Any systemd runs the guest agent when told so by credentials: no file of the tested system is touched. The quota limits nothing; why it
// is there, guest/tree's unit of the same name tells.
const AGENT_UNIT = `[Unit]
Description=Commands from the test host
DefaultDependencies=no
After=systemd-udevd.service

[Service]
ExecStartPre=/bin/sh -c 'until [ -b /dev/disk/by-id/virtio-aaos-agent ]; do sleep 0.1; done'
ExecStartPre=/bin/mkdir -p /run/vm-agent
ExecStartPre=/bin/mount -o ro /dev/disk/by-id/virtio-aaos-agent /run/vm-agent
ExecStart=/run/vm-agent/aaos-vm-agent
Restart=always
RestartSec=100ms
KillMode=process
OOMScoreAdjust=-900
TasksMax=infinity
LimitCORE=infinity
CPUQuota=10000%
`;
const AGENT_CREDENTIALS = {
  "systemd.extra-unit.aaos-vm-agent.service": AGENT_UNIT,
  "systemd.unit-dropin.sysinit.target~vm-agent": "[Unit]\nWants=aaos-vm-agent.service\n",
};

/** @param {VmSpec} spec @param {Places} places */
function isoArgs(spec, { agentDisk }) {
  const { iso, medium = "disc" } = spec;
  const given = { ...(agentDisk === undefined ? {} : AGENT_CREDENTIALS), ...spec.credentials };
  const credentials = Object.entries(given).flatMap(([name, text]) => [
    "-smbios",
    `type=11,value=io.systemd.credential.binary:${name}=${Buffer.from(text).toString("base64")}`,
  ]);
  const stick = ["-device", "qemu-xhci", "-device", "usb-storage,drive=iso,bootindex=9"];
  return [
    ...credentials,
    ...(iso === undefined
      ? []
      : ["-drive", `file=${field(iso)},format=raw,if=none,id=iso,readonly=on`]),
    ...(iso === undefined
      ? []
      : medium === "disc"
        ? ["-device", "ide-cd,drive=iso,bootindex=9"]
        : stick),
    ...(agentDisk === undefined
      ? []
      : [
          ...["-drive", `file=${field(agentDisk)},format=raw,if=none,id=agentdisk,readonly=on`],
          ...["-device", "virtio-blk-pci,drive=agentdisk,serial=aaos-agent"],
          ...["-device", "i6300esb", "-action", "watchdog=reset"],
        ]),
  ];
}

/** @param {VmSpec} spec @param {Places} places @returns {string[]} */
export function qemuArgs(spec, places) {
  const { dir, drives, serialLog } = places;
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
    ...[
      "-machine",
      spec.firmware === "secure-boot" ? "q35,smm=on" : "q35",
      "-accel",
      "tcg,thread=multi,tb-size=256",
      "-cpu",
      "max",
    ],
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
    ...firmwareArgs(spec, places),
    ...isoArgs(spec, places),
    ...(spec.qemuArgs ?? []),
  ];
}

/** A shell command that runs another as a user of the VM, in their home, with nothing of root's environment. @param {string} user @param {string} shellCommand */
export function asUser(user, shellCommand) {
  const name = quote(user);
  const inner = quote(`cd || exit 126\n${shellCommand}`);
  return `exec setpriv --reuid ${name} --regid ${name} --init-groups --reset-env -- /bin/sh -c ${inner}`;
}
