import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withinTime } from "../../base/duration.js";
import { errorText } from "../../base/error-text.js";
import type { VerbContext } from "../verb.js";
import { writeFileWhole } from "../write-file.js";

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
const MAX_BYTES = 1_048_576;
const TIMEOUT_MS = 60_000;
const RETRY_MS = 1_000;

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
  const line = textOr(machine.at("/proc/cmdline")) ?? "";
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
      ? await download(where, request, signal)
      : readFileSync(machine.at(where), "utf8");
    const actual = createHash("sha256").update(text).digest("hex");
    if (digest !== undefined && digest !== actual)
      return fail(`its SHA-256 is ${actual}, not ${digest}`);
    return {
      ok: true,
      source: {
        name,
        text,
        wipe: (clean) => Promise.resolve(isUrl ? undefined : wiped(machine.at(where), clean)),
      },
    };
  } catch (thrown) {
    return fail(errorText(thrown));
  }
}

async function download(url: string, request: typeof fetch, signal: AbortSignal): Promise<string> {
  const text = await withinTime(TIMEOUT_MS, signal, async (until) => {
    const answer = await answerOf(url, request, until);
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    return answer.text();
  });
  if (text.length > MAX_BYTES) throw new Error("it is larger than 1 MiB");
  return text;
}

/** What the installer left on the data volume. Of its secrets nothing stays: the file goes. */
function fromInstaller({ machine }: VerbContext): FoundSource | undefined {
  const file = machine.at(SEED);
  const text = textOr(file);
  if (text === undefined) return undefined;
  const wipe = () => {
    rmSync(dirname(file), { recursive: true });
    return Promise.resolve(undefined);
  };
  return { ok: true, source: { name: "the seed of the installer", text, wipe } };
}

/** The network of a machine that has just been started may take a while: asked again until time is up, and then says what was wrong. */
async function answerOf(url: string, request: typeof fetch, until: AbortSignal): Promise<Response> {
  for (;;) {
    try {
      return await request(url, { signal: until, redirect: "error" });
    } catch (thrown) {
      if (until.aborted) throw thrown;
      await sleep(RETRY_MS, undefined, { signal: until }).catch(() => {
        throw thrown;
      });
    }
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
    const text = readFileSync(join(at, file), "utf8");
    const network = textOr(join(at, "network-config"));
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
  const options = ["-o", "rw,nosuid,nodev,noexec", machine.at(device), at];
  const mounted = await machine.run("mount", options, { signal });
  if (mounted.status !== 0)
    return `its secrets are still on the volume, which cannot be written: remove ${device}`;
  try {
    return wiped(join(at, file), clean);
  } finally {
    await machine.run("umount", [at], { signal });
  }
}

/** What the hypervisor hands in: a system credential (SMBIOS type 11, fw_cfg) as systemd imported it, or a fw_cfg file of ours. */
function inFirmware({ machine }: VerbContext): FoundSource | undefined {
  for (const file of [CREDENTIAL, FW_CFG]) {
    const text = textOr(machine.at(file));
    if (text === undefined) continue;
    const note = "its secrets are still in the VM's firmware settings: take them out there";
    return {
      ok: true,
      source: {
        name: file === FW_CFG ? "fw_cfg opt/aaos/config" : "the system credential aaos.config",
        text,
        wipe: () => Promise.resolve(note),
      },
    };
  }
  return undefined;
}

function wiped(file: string, clean: string): string | undefined {
  try {
    writeFileWhole(file, clean, { mode: 0o600 });
    return undefined;
  } catch (thrown) {
    return `its secrets are still in ${file}: ${errorText(thrown)}`;
  }
}

function textOr(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
