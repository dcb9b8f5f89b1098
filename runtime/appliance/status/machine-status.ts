import { createHash } from "node:crypto";
import { existsSync, statfsSync, statSync } from "node:fs";
import { hostname, networkInterfaces, uptime } from "node:os";
import { join } from "node:path";
import { SelftestReport } from "../../protocol/control-results.js";
import type { Places } from "../../protocol/places.js";
import type { ProvisionOutcome } from "../../protocol/provision-file.js";
import { VERSION } from "../../version.js";
import { provisionOutcome } from "../doctor/provision-check.js";
import { namesIfThere, textIfThere } from "../if-there.js";
import { dataVolumeTrouble } from "./data-volume.js";

/** A network card; without addresses where it has none yet. */
export interface CardStatus {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/** What `agentd system status` and the console's screen tell, all of it read here and now. Sizes in bytes, temperature in °C. */
export interface MachineStatus {
  readonly product: string;
  readonly version: string;
  /** `live`, `slot A`, or `package` where aaOS is one package of a Debian. */
  readonly booted_from: string;
  readonly host: string;
  readonly uptime_s: number;
  readonly memory: { readonly total: number; readonly available: number };
  readonly disks: readonly {
    readonly path: string;
    readonly total: number;
    readonly free: number;
  }[];
  /** What is wrong with the data volume that is mounted. */
  readonly data_volume: string | null;
  readonly temperature_c: number | null;
  readonly network: readonly CardStatus[];
  readonly host_key: string | null;
  readonly provisioning: ProvisionOutcome | null;
  readonly selftest: {
    readonly ok: boolean;
    readonly elapsed_ms: number;
    readonly time: string;
  } | null;
}

/** The newest selftest of this boot, as `agentd selftest --json` printed it. */
const SELFTEST_FILE = "/run/aaos/selftest.json";

export function machineStatus(places: Places): MachineStatus {
  const at = (path: string): string => join(places.root, path);
  const release = keyValues(textIfThere(at("/etc/os-release")) ?? "");
  const booted_from = bootedFrom(textIfThere(at("/proc/cmdline")) ?? "");
  // A slot is an image that is exactly full.
  const roots = booted_from.startsWith("slot ") ? [] : ["/"];
  return {
    product:
      release.get("ID") === "aaos" ? "aaOS" : `aaOS on ${release.get("PRETTY_NAME") ?? "Linux"}`,
    version: VERSION,
    booted_from,
    host: hostname(),
    uptime_s: Math.round(uptime()),
    memory: memory(),
    disks: [...roots, "/mnt/data", places.stateDir].flatMap(diskStatus),
    data_volume: dataVolumeTrouble(at),
    temperature_c: temperature(),
    network: cards(at("/sys/class/net")),
    host_key: fingerprint([at("/etc/aaos/ssh"), at("/etc/ssh")]),
    provisioning: provisionOutcome(places.root) ?? null,
    selftest: newestSelftest(at(SELFTEST_FILE)),
  };
}

/** The words of the kernel's command line: live-boot's, or the slot that the boot chooser names. */
export function bootedFrom(commandLine: string): string {
  const slot = /(?:^|\s)rauc\.slot=(\w+)/.exec(commandLine)?.[1];
  if (slot !== undefined) return `slot ${slot}`;
  return /(?:^|\s)boot=live(?:\s|$)/.test(commandLine) ? "live" : "package";
}

function memory(): MachineStatus["memory"] {
  const text = textIfThere("/proc/meminfo") ?? "";
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { total: kib("MemTotal") * 1_024, available: kib("MemAvailable") * 1_024 };
}

function diskStatus(path: string, index: number, all: readonly string[]): MachineStatus["disks"] {
  try {
    const isSame = (other: string): boolean =>
      other !== path && statSync(other).dev === statSync(path).dev;
    if (all.slice(0, index).some(isSame)) return [];
    const { blocks, bavail, bsize } = statfsSync(path);
    return [{ path, total: blocks * bsize, free: bavail * bsize }];
  } catch {
    // Not there: a package has no data volume.
    return [];
  }
}

/** The hottest of what the kernel measures. */
function temperature(): number | null {
  const zones = namesIfThere("/sys/class/thermal").filter((name) =>
    name.startsWith("thermal_zone"),
  );
  const values = zones
    .map((zone) => Number(textIfThere(`/sys/class/thermal/${zone}/temp`) ?? Number.NaN) / 1_000)
    .filter((value) => Number.isFinite(value) && value > -50 && value < 200);
  return values.length === 0 ? null : Math.round(Math.max(...values));
}

/** Cards of metal and of VMs; what the kernel makes up (bridges, mirrors) counts once it has an address. */
function cards(dir: string): readonly CardStatus[] {
  const known = networkInterfaces();
  return namesIfThere(dir)
    .filter((name) => name !== "lo")
    .sort()
    .map((name) => ({
      name,
      mac: (textIfThere(join(dir, name, "address")) ?? "").trim(),
      addresses: (known[name] ?? []).map(({ address }) => address).filter(isReachable),
    }))
    .filter(({ name, addresses }) => addresses.length > 0 || existsSync(join(dir, name, "device")));
}

/** What a card gives itself where nobody gave it an address leads nowhere. */
export function isReachable(address: string): boolean {
  return !/^(fe80:|169\.254\.)/i.test(address);
}

/** As ssh-keygen -l prints it, so that the first connection can be compared. */
function fingerprint(dirs: readonly string[]): string | null {
  for (const dir of dirs) {
    const key = textIfThere(join(dir, "ssh_host_ed25519_key.pub"))?.split(" ")[1];
    if (key === undefined) continue;
    const hash = createHash("sha256").update(Buffer.from(key, "base64")).digest("base64");
    return `SHA256:${hash.replace(/=+$/, "")}`;
  }
  return null;
}

/** Null while there is none, or the one under way has not reported yet; a report that is none is one that failed. */
function newestSelftest(file: string): MachineStatus["selftest"] {
  const text = textIfThere(file) ?? "";
  if (text === "") return null;
  const time = statSync(file).mtime.toISOString();
  try {
    const { ok, elapsed_ms } = SelftestReport.parse(JSON.parse(text));
    return { ok, elapsed_ms, time };
  } catch {
    return { ok: false, elapsed_ms: 0, time };
  }
}

function keyValues(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key = "", value = ""]) => [key, value]),
  );
}
