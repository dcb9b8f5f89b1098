import { spawn } from "node:child_process";
import { createWriteStream, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { errnoOf, errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { agrees } from "../agrees.js";
import { askSystem } from "../ask-system.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { type PassphraseOptions, readPassphrase } from "../read-passphrase.js";

/** Where a backup lies: a file, a USB volume (`usb:LABEL`, `usb:LABEL/FILE`), or what rclone knows (`REMOTE:PATH`). */
type Place =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "usb"; readonly volume: string; readonly name: string }
  | { readonly kind: "remote"; readonly path: string };

/** One encrypted file of configuration, secrets and database, made while everything runs. */
export async function systemBackup(
  command: Command,
  target: string,
  options: PassphraseOptions,
): Promise<ExitCode> {
  const place = placeOf(command, target);
  const socketPath = command.places.systemSocketPath;
  const passphrase = await readPassphrase(command, options, true);
  if (passphrase === undefined) return 4;
  const done =
    place.kind === "usb"
      ? await askSystem("make-backup", { passphrase, usb: place.volume }, { socketPath })
      : await received(place, passphrase, socketPath);
  const file = done.file ?? target;
  if (command.json) printJson(command, { ...done, file });
  else
    printLine(
      command,
      `${file}: ${done.size_bytes} bytes, SHA-256 ${done.sha256}; the passphrase alone opens it`,
    );
  return 0;
}

/** The file bears its name when it is whole. */
async function received(
  place: Exclude<Place, { kind: "usb" }>,
  passphrase: string,
  socketPath: string,
) {
  const target = place.kind === "file" ? fileTarget(place.path) : remoteTarget(place.path);
  try {
    const done = await askSystem(
      "make-backup",
      { passphrase, usb: null },
      {
        socketPath,
        onData: (bytes) =>
          new Promise((taken, failed) => {
            target.stream.write(bytes, (error) => (error == null ? taken() : failed(error)));
          }),
      },
    );
    await target.finish();
    return done;
  } catch (thrown) {
    await target.discard();
    throw thrown instanceof AgentdError ? thrown : failure(place.path, errorText(thrown));
  }
}

interface Target {
  readonly stream: Writable;
  readonly finish: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

function fileTarget(path: string): Target {
  const part = `${path}.part`;
  // What an earlier call left goes, a link too: in a folder of everybody's it may be somebody's trap.
  rmSync(part, { force: true });
  const stream = createWriteStream(part, { flags: "wx", mode: 0o600, flush: true });
  stream.on("error", () => {}); // told by the write that failed
  return {
    stream,
    finish: async () => {
      stream.end();
      await finished(stream);
      await rename(part, path);
      await syncFolder(dirname(path));
    },
    discard: async () => {
      stream.destroy();
      await rm(part, { force: true });
    },
  };
}

/** The name outlasts a power cut, too; a folder that the caller may write but not read says nothing of it. */
async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle;
  try {
    folder = await open(path, "r");
  } catch (thrown) {
    if (errnoOf(thrown) === "EACCES") return;
    throw thrown;
  }
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** `rclone rcat` stores what it reads when its input ends; killed before, it stores nothing. */
function remoteTarget(path: string): Target {
  const rclone = spawn("rclone", ["rcat", path], { stdio: ["pipe", "ignore", "pipe"] });
  const ended = endOf(rclone, path);
  rclone.stdin.on("error", () => {}); // rclone's own words are told
  ended.catch(() => {});
  return {
    stream: rclone.stdin,
    finish: async () => {
      rclone.stdin.end();
      await ended;
    },
    discard: async () => {
      rclone.kill("SIGKILL");
      await ended.catch(() => {});
    },
  };
}

/** Makes this machine what the backup holds, after a question. */
export async function systemRestore(
  command: Command,
  source: string,
  { yes = false, ...options }: PassphraseOptions & { readonly yes?: boolean },
): Promise<ExitCode> {
  const place = placeOf(command, source);
  const socketPath = command.places.systemSocketPath;
  if (place.kind === "usb" && place.name === "")
    throw new AgentdError("usage", "restore", "it does not say which file of the volume", {
      hint: "usb:LABEL/FILE, or usb:/FILE where there is one volume.",
    });
  const question =
    "Configuration, secrets and database become those of the backup; what is here is kept in /var/lib/aaos/before-restore. Go on?";
  if (!yes && !(await agrees(command, question))) return 4;
  const passphrase = await readPassphrase(command, options, false);
  if (passphrase === undefined) return 4;
  const onProgress = (text: string) => {
    if (!command.json) command.io.stderr.write(`${text}\n`);
  };
  const fetched = place.kind === "remote" ? await fetch(place.path) : undefined;
  try {
    const params =
      place.kind === "usb"
        ? { file: place.name, passphrase, usb: place.volume }
        : { file: fetched ?? place.path, passphrase, usb: null };
    const done = await askSystem("restore-backup", params, { socketPath, onProgress });
    if (command.json) printJson(command, done);
    else {
      const { hostname, time, version, events } = done.about;
      printLine(
        command,
        `this machine is now as ${hostname} was at ${time} (version ${version}): ${done.files} files, ${done.credentials.length} secrets, ${events} events`,
      );
    }
    return 0;
  } finally {
    if (fetched !== undefined) await rm(fetched, { force: true });
  }
}

/** By `rclone cat`, into a folder of the caller's that the root service can read. */
async function fetch(path: string): Promise<string> {
  const file = join(homedir(), ".cache/aaos/restore", `${process.pid}.backup`);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const rclone = spawn("rclone", ["cat", path], { stdio: ["ignore", "pipe", "pipe"] });
  const stream = createWriteStream(file, { mode: 0o600 });
  rclone.stdout.pipe(stream);
  try {
    await Promise.all([endOf(rclone, path), finished(stream)]);
    return file;
  } catch (thrown) {
    await rm(file, { force: true });
    throw thrown;
  }
}

function endOf(rclone: ReturnType<typeof spawn>, path: string): Promise<void> {
  let said = "";
  rclone.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
  });
  return new Promise((resolve, reject) => {
    rclone.once("error", (error) =>
      reject(
        "code" in error && error.code === "ENOENT"
          ? failure(path, "rclone is not installed", "`apt install rclone`, then `rclone config`.")
          : failure(path, errorText(error)),
      ),
    );
    rclone.once("close", (status) => {
      if (status === 0) resolve();
      else reject(failure(path, `rclone ended with ${status ?? "a signal"}: ${said.trim()}`));
    });
  });
}

function failure(
  path: string,
  message: string,
  hint = "`rclone lsd REMOTE:` shows whether it can be reached.",
) {
  return new AgentdError("unavailable", "backup", `${path}: ${message}`, { hint });
}

function placeOf({ io }: Command, text: string): Place {
  if (text.startsWith("usb:")) {
    const [volume = "", ...name] = text.slice("usb:".length).split("/");
    return { kind: "usb", volume, name: name.join("/") };
  }
  // As rclone tells a remote from a path: a colon before any slash.
  if (/^[\w .+@-]+:/.test(text)) return { kind: "remote", path: text };
  return { kind: "file", path: resolve(io.cwd, text) };
}
