import { mkdirSync, readFileSync } from "node:fs";
import { readdir, rm, stat, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { download as fetchFile } from "../../appliance/upgrade/download.js";
import { mayStart, parseWindow } from "../../appliance/upgrade/maintenance.js";
import { readSettings } from "../../catalog/settings.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { Release } from "../../protocol/channel.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { RestartAt, type SystemResult } from "../../protocol/system-verbs.js";
import { askSystem } from "../ask-system.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { type Progress, progressLine } from "../progress-line.js";

export interface UpgradeOptions {
  readonly check?: boolean;
  readonly download?: boolean;
  readonly apply?: boolean;
  /** Does what the setting `upgrade.automatic` says, when it says: for the timer. */
  readonly scheduled?: boolean;
  readonly sha256?: string;
  readonly allowDowngrade?: boolean;
  readonly rebootAt?: string;
}

/** A bundle is a system: nothing larger is one. */
const MAX_BUNDLE_BYTES = 2 ** 32;
/** What one request to the root service can carry, in base64. */
const MAX_INDEX_BYTES = 45_000;
/** What a download leaves free: the daemon writes to the same volume. */
const RESERVE_BYTES = 256 * 2 ** 20;
const OP = "upgrade";

/**
 * Puts the bundle FILE (a path, a URL, `usb:LABEL[/NAME]`) into the other slot; the machine starts it when it is started again, now or at
 * `--reboot-at`. Without FILE the channel says what there is: `--check` looks, `--download` has it ready, `--apply` installs it.
 */
export async function systemUpgrade(
  command: Command,
  file: string | undefined,
  options: UpgradeOptions,
): Promise<ExitCode> {
  const { check = false, download = false, apply = false, scheduled = false, rebootAt } = options;
  // Before a slot is written that would then wait for its start.
  if (rebootAt !== undefined && !RestartAt.safeParse(rebootAt).success)
    throw usage(`--reboot-at ${rebootAt} is no time`, "now, +MINUTES, or HH:MM.");
  if (file !== undefined) {
    if (check || download || apply || scheduled)
      throw usage(
        "FILE and the channel at once",
        "Give FILE, or one of --check, --download, --apply.",
      );
    return fromFile(command, file, options);
  }
  if (scheduled) return asScheduled(command);
  const offer = await look(command);
  if (offer.release === null || !(download || apply)) return told(command, offer);
  const bundle = await ready(command, offer.release, offer.url);
  if (apply) return installCached(command, { file: bundle, automatic: false }, options);
  if (command.json) printJson(command, { ...offer, file: bundle });
  else
    printLine(command, `version ${offer.release.version} is here: agentd system upgrade --apply`);
  return 0;
}

async function fromFile(
  command: Command,
  file: string,
  options: UpgradeOptions,
): Promise<ExitCode> {
  if (file.startsWith("usb:")) {
    const [usb = "", ...name] = file.slice("usb:".length).split("/");
    return install(command, { file: name.join("/") || "*", usb, automatic: false }, options);
  }
  if (/^https?:\/\//.test(file)) {
    const target = cacheFile(basename(new URL(file).pathname) || "bundle");
    const { sha256 } = options;
    await fetched(command, { url: file, file: target, sha256, maxBytes: MAX_BUNDLE_BYTES });
    return install(command, { file: target, automatic: false }, options).finally(() =>
      rm(target, { force: true }),
    );
  }
  const path = resolve(command.io.cwd, file);
  if (/^\/(var\/)?tmp\//.test(path))
    throw usage(
      `${file} lies where the root service does not look`,
      "Its /tmp and /var/tmp are its own: move the bundle to your home folder or to /data.",
    );
  return install(command, { file: path, automatic: false }, options);
}

type Offer = SystemResult<"read-channel"> & { readonly channel: string; readonly url: string };

/** Fetches the channel's index and has the root service judge it. */
async function look(command: Command): Promise<Offer> {
  const { upgrade } = readSettings(command.places.settingsFile);
  const { channel, url } = upgrade;
  if (url === undefined)
    throw usage(
      "no channel is set up",
      "`upgrade: {url: https://…}` in /etc/aaos/agentd.yaml names one.",
    );
  const indexUrl = `${url.replace(/\/$/, "")}/${channel}.index`;
  const file = cacheFile(`${channel}.index`);
  for (const old of [file, `${file}.part`]) await rm(old, { force: true });
  await fetched(command, { url: indexUrl, file, maxBytes: MAX_INDEX_BYTES });
  const index = readFileSync(file).toString("base64");
  const socketPath = command.places.systemSocketPath;
  const found = await askSystem("read-channel", { channel, index }, { socketPath });
  return { ...found, channel, url: indexUrl };
}

function told(command: Command, offer: Offer): ExitCode {
  const { release, running, channel, failed } = offer;
  if (command.json) printJson(command, offer);
  else if (release === null)
    printLine(command, `${running} runs, and ${channel} has nothing newer`);
  else {
    const mib = (release.size_bytes / 2 ** 20).toFixed(0);
    printLine(command, `${channel} has version ${release.version} (${mib} MiB); ${running} runs`);
    if (failed !== null) printLine(command, `it was left here before: ${failed}`);
    printLine(command, "install it: agentd system upgrade --apply");
  }
  return 0;
}

/** The release's bundle, in the caller's own folder, alone; fetched only where it is not there yet, from beside the index. */
async function ready(
  command: Command,
  { url, sha256, size_bytes, version }: Release,
  index: string,
): Promise<string> {
  const file = cacheFile(`${version}-${sha256.slice(0, 16)}.raucb`);
  for (const name of await readdir(dirname(file)))
    if (!name.endsWith(".index") && !name.startsWith(basename(file)))
      await rm(join(dirname(file), name), { recursive: true, force: true });
  const here = await stat(file).catch(() => undefined);
  if (here?.size === size_bytes) return file;
  await fetched(command, { url: new URL(url, index).href, file, sha256, maxBytes: size_bytes });
  return file;
}

/** What the timer does: as far as the setting says, the start only in the window. A version that failed here is left alone. */
async function asScheduled(command: Command): Promise<ExitCode> {
  const { upgrade } = readSettings(command.places.settingsFile);
  if (upgrade.automatic === "off" || upgrade.url === undefined) return 0;
  const offer = await look(command);
  const { release, failed } = offer;
  if (release === null || failed !== null || upgrade.automatic === "check")
    return told(command, offer);
  const file = await ready(command, release, offer.url);
  const machineId = readFileSync("/etc/machine-id", "utf8").trim();
  const window = parseWindow(upgrade.window);
  const seed = `${machineId} ${release.version}`;
  if (
    upgrade.automatic !== "apply" ||
    !mayStart(new Date(), window, upgrade.random_delay_minutes, seed)
  )
    return told(command, offer);
  return installCached(command, { file, automatic: true }, { rebootAt: "+1" });
}

/** A bundle that is in its slot is needed no more. */
async function installCached(
  command: Command,
  bundle: { readonly file: string; readonly automatic: boolean },
  options: UpgradeOptions,
): Promise<ExitCode> {
  const code = await install(command, bundle, options);
  await rm(bundle.file, { force: true });
  return code;
}

async function install(
  command: Command,
  {
    file,
    usb = null,
    automatic,
  }: { readonly file: string; readonly usb?: string | null; readonly automatic: boolean },
  { allowDowngrade = false, rebootAt }: UpgradeOptions,
): Promise<ExitCode> {
  const progress = progressLine(command);
  const onProgress = (text: string) => progress.show(text, STAGES[text.split(" ")[0] ?? ""] ?? 0);
  const socketPath = command.places.systemSocketPath;
  const params = { file, usb, automatic, allow_downgrade: allowDowngrade };
  const done = await askSystem("install-bundle", params, { socketPath, onProgress }).finally(
    progress.end,
  );
  if (rebootAt !== undefined) await askSystem("restart-machine", { at: rebootAt }, { socketPath });
  if (command.json) printJson(command, { ...done, reboot_at: rebootAt ?? null });
  else {
    printLine(
      command,
      `version ${done.version} is in slot ${done.slot} and starts next; it is kept when it has proved that it works`,
    );
    if (rebootAt === undefined) printLine(command, "start it: sudo systemctl reboot");
  }
  return 0;
}

/** How far each stage of an upgrade is, by its first word. */
const STAGES: Readonly<Record<string, number>> = {
  checking: 0.1,
  copying: 0.25,
  writing: 0.3,
  reading: 0.9,
};

function cacheFile(name: string): string {
  const dir = join(homedir(), ".cache/aaos/upgrades");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return join(dir, name);
}

/** Goes on with what an earlier call left. */
async function fetched(
  command: Command,
  wanted: {
    readonly url: string;
    readonly file: string;
    readonly maxBytes: number;
    readonly sha256?: string | undefined;
  },
): Promise<void> {
  const progress: Progress = progressLine(command);
  const { bavail, bsize } = await statfs(homedir());
  const request = await command.io.outbound(command.places);
  const came = await stat(`${wanted.file}.part`).catch(() => ({ size: 0 }));
  const reserve = wanted.maxBytes > MAX_INDEX_BYTES ? RESERVE_BYTES : 0;
  const room = Math.max(0, bavail * bsize + came.size - reserve);
  const maxBytes = Math.min(wanted.maxBytes, room);
  const limits = { stallMs: 30_000, attempts: 5, maxBytes };
  const onBytes = (done: number, total: number | undefined) =>
    progress.show("downloading", total === undefined ? 0 : done / total);
  await fetchFile({ ...wanted, ...limits, request, onBytes, signal: command.signal }).finally(
    progress.end,
  );
}

function usage(message: string, hint: string): AgentdError {
  return new AgentdError("usage", OP, message, { hint });
}
