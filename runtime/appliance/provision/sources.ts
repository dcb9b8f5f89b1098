import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../../base/error-text.js";
import { textIfThere } from "../if-there.js";
import type { Machine } from "../machine.js";
import type { VerbContext } from "../verb.js";
import { readUrl } from "./read-url.js";
import { eraseSourceFile, MAX_BYTES, readSourceFile, wipeSourceFile } from "./source-file.js";

/** Texts that were found at one place. */
export interface ProvisionSource {
  /** As a person would name it. */
  readonly name: string;
  readonly text: string;
  /** NoCloud's network-config, beside user-data. */
  readonly network?: string;
  /** Takes what is secret out of the source, where it can be written; says so where it cannot. */
  readonly wipe: (withoutSecrets: string) => Promise<string | undefined>;
}

export type FoundSource =
  | { readonly ok: true; readonly source: ProvisionSource }
  /** There is one, and it cannot be used. The ones behind it are not asked: somebody meant this one. */
  | { readonly ok: false; readonly name: string; readonly problem: string };

const LABELS = ["AAOS-CONFIG", "aaos-config", "CIDATA", "cidata"];
const SEED = "/mnt/data/seed/aaos.yaml";
const MOUNT = "/run/aaos/config";
const CREDENTIAL = "/run/credentials/@system/aaos.config";
const FW_CFG = "/sys/firmware/qemu_fw_cfg/by_name/opt/aaos/config/raw";

/** The first source that is there: the kernel's command line, the installer's seed, a volume by its label, the VM's firmware. Undefined where none is. */
export async function findSource(
  context: VerbContext,
  request: typeof fetch,
): Promise<FoundSource | undefined> {
  return (
    (await onCommandLine(context, request)) ??
    fromInstaller(context) ??
    (await onVolume(context)) ??
    inFirmware(context)
  );
}

/** `aaos.config=URL` or `aaos.config=/path`, with `#sha256=HEX` behind either. */
async function onCommandLine(
  { machine, signal }: VerbContext,
  request: typeof fetch,
): Promise<FoundSource | undefined> {
  const line = textIfThere(machine.at("/proc/cmdline")) ?? "";
  const value = /(?:^|\s)aaos\.config=(\S+)/.exec(line)?.[1];
  if (value === undefined) return undefined;
  const [where = "", fragment = ""] = value.split("#", 2);
  const digest = /^sha256=([0-9a-f]{64})$/i.exec(fragment)?.[1]?.toLowerCase();
  const name = `aaos.config=${where}`;
  const fail = (problem: string): FoundSource => ({ ok: false, name, problem });
  if (fragment !== "" && digest === undefined)
    return fail("the digest must be sha256= and 64 hexadecimal digits");
  const isUrl = /^https?:\/\//i.test(where);
  if (isUrl && !/^https:/i.test(where) && digest === undefined)
    return fail("a URL is https or carries its digest: http://…#sha256=HEX");
  if (!isUrl && !where.startsWith("/")) return fail("it must be a URL or an absolute path");
  try {
    const text = isUrl
      ? await readUrl(where, MAX_BYTES, request, signal)
      : readSourceFile(machine.at(where));
    if (text === undefined) return fail("there is no such file");
    const actual = createHash("sha256").update(text).digest("hex");
    if (digest !== undefined && digest !== actual)
      return fail(`its SHA-256 is ${actual}, not ${digest}`);
    return {
      ok: true,
      source: {
        name,
        text,
        wipe: (clean) =>
          Promise.resolve(isUrl ? undefined : wipeSourceFile(machine.at(where), clean)),
      },
    };
  } catch (thrown) {
    return fail(errorText(thrown));
  }
}

/** What the installer left on the data volume. Of its secrets nothing stays: the file goes. */
function fromInstaller({ machine }: VerbContext): FoundSource | undefined {
  const name = "the seed of the installer";
  return foundFile(machine.at(SEED), name, () => Promise.resolve(dropSeed(machine)));
}

/** Says what is left where it cannot go. */
export function dropSeed(machine: Machine): string | undefined {
  return eraseSourceFile(machine.at(SEED));
}

function foundFile(
  file: string,
  name: string,
  wipe: ProvisionSource["wipe"],
): FoundSource | undefined {
  try {
    const text = readSourceFile(file);
    return text === undefined ? undefined : { ok: true, source: { name, text, wipe } };
  } catch (thrown) {
    return { ok: false, name, problem: errorText(thrown) };
  }
}

/** A file system labelled AAOS-CONFIG with aaos.yaml, or CIDATA with that or NoCloud's user-data. Mounted read-only to look. */
async function onVolume(context: VerbContext): Promise<FoundSource | undefined> {
  const { machine, signal } = context;
  const label = LABELS.find((each) => existsSync(machine.at(`/dev/disk/by-label/${each}`)));
  if (label === undefined) return undefined;
  const device = `/dev/disk/by-label/${label}`;
  const name = `the volume ${label}`;
  const at = machine.at(MOUNT);
  mkdirSync(at, { recursive: true, mode: 0o700 });
  const mounted = await machine.run(
    "mount",
    ["-o", "ro,nosuid,nodev,noexec", machine.at(device), at],
    { signal },
  );
  if (mounted.status !== 0)
    return { ok: false, name, problem: `cannot be mounted: ${mounted.stderr.trim()}` };
  try {
    const file = ["aaos.yaml", "user-data"].find((each) => existsSync(join(at, each)));
    if (file === undefined)
      return { ok: false, name, problem: "holds neither aaos.yaml nor user-data" };
    const text = readSourceFile(join(at, file)) ?? "";
    const network = readSourceFile(join(at, "network-config"));
    const wipe = (clean: string) => wipeOnVolume(context, device, file, clean);
    return {
      ok: true,
      source: {
        name: `${file} on ${name}`,
        text,
        ...(network === undefined ? {} : { network }),
        wipe,
      },
    };
  } catch (thrown) {
    return { ok: false, name, problem: errorText(thrown) };
  } finally {
    await machine.run("umount", [at], { signal });
  }
}

async function wipeOnVolume(
  { machine, signal }: VerbContext,
  device: string,
  file: string,
  clean: string,
): Promise<string | undefined> {
  const at = machine.at(MOUNT);
  // With -o rw alone, mount makes do with read-only where the device cannot be written.
  const options = ["--rw", "-o", "nosuid,nodev,noexec", machine.at(device), at];
  const mounted = await machine.run("mount", options, { signal });
  if (mounted.status !== 0)
    return `its secrets are still on the volume, which cannot be written: remove ${device}`;
  try {
    return wipeSourceFile(join(at, file), clean);
  } finally {
    await machine.run("umount", [at], { signal });
  }
}

/** What the hypervisor hands in: a system credential (SMBIOS type 11, fw_cfg) as systemd imported it, or a fw_cfg file of ours. */
function inFirmware({ machine }: VerbContext): FoundSource | undefined {
  const note = "its secrets are still in the VM's firmware settings: take them out there";
  const told = () => Promise.resolve(note);
  return (
    foundFile(machine.at(CREDENTIAL), "the system credential aaos.config", told) ??
    foundFile(machine.at(FW_CFG), "fw_cfg opt/aaos/config", told)
  );
}
