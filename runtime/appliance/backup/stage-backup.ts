import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AgentdError } from "../../protocol/agentd-error.js";
import { BackupAbout } from "../../protocol/system-verbs.js";
import { type Entry, unpackEntries } from "./archive.js";

/** A backup, laid down in a folder. */
export interface Staged {
  readonly about: BackupAbout;
  readonly files: readonly StagedFile[];
  readonly credentials: ReadonlyMap<string, string>;
  readonly database: string | undefined;
}

export interface StagedFile {
  readonly place: "config" | "environment" | "state";
  /** Below its place. */
  readonly name: string;
  /** Where it lies now. */
  readonly file: string;
  readonly mode: number;
}

/** Lays the whole backup down below `folder`, which is new and root's. Throws `invalid_file` where it is not one from beginning to end. */
export async function stage(packed: AsyncIterable<Buffer>, folder: string): Promise<Staged> {
  let about: BackupAbout | undefined;
  let database: string | undefined;
  const files: StagedFile[] = [];
  const credentials = new Map<string, string>();
  for await (const [entry, content] of unpackEntries(packed)) {
    const { place, name, mode } = entry;
    switch (place) {
      case "about":
        about = parseAbout(await textOf(content));
        break;
      case "credential":
        credentials.set(name, await textOf(content));
        break;
      case "database":
        database = await write(content, folder, entry);
        break;
      case "end":
        await textOf(content);
        break;
      case "config":
      case "environment":
      case "state":
        files.push({ place, name, mode, file: await write(content, folder, entry) });
    }
  }
  if (about === undefined) throw notWhole();
  return { about, files, credentials, database };
}

async function write(
  content: AsyncIterable<Buffer>,
  folder: string,
  { place, name }: Entry,
): Promise<string> {
  const file = join(folder, place, name === "" ? "it" : name);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  await pipeline(Readable.from(content), createWriteStream(file, { flags: "wx", mode: 0o600 }));
  return file;
}

async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

function parseAbout(text: string): BackupAbout {
  try {
    return BackupAbout.parse(JSON.parse(text));
  } catch {
    throw notWhole();
  }
}

function notWhole(): AgentdError {
  return new AgentdError("invalid_file", "read backup", "it does not say what it is", {
    hint: "It was made by a newer aaOS; nothing was changed.",
  });
}
