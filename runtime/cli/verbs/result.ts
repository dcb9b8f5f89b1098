import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { DocumentReport, ResultReport } from "../../protocol/control-results.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { checkId } from "../find.js";
import { plainText } from "../plain-text.js";
import { printJson } from "../print.js";

const MAX_BYTES = 16_777_216;

/** A run's document, to the terminal, a pipe or a file. Without a document, its final text. */
export async function result(
  command: Command,
  id: string,
  { output }: { readonly output?: string },
): Promise<ExitCode> {
  checkId(id);
  const client = connectTo(command.places.socketPath, command.heard);
  const found = await client.call("run.result", { run_id: id, max_bytes: MAX_BYTES });
  if (command.json) {
    printJson(command, found);
    return 0;
  }
  const content = contentOf(found);
  if (output === undefined) printContent(command, content);
  else save(resolve(command.io.cwd, output), content);
  return 0;
}

/** As it lies on the disk, but without what a terminal would obey where it goes to one. */
function printContent({ io }: Command, content: string | Uint8Array): void {
  const text = typeof content === "string" ? content : Buffer.from(content).toString("utf8");
  io.stdout.write(io.stdout.isTTY === true ? plainText(text) : text);
  if (!text.endsWith("\n")) io.stdout.write("\n");
}

function contentOf(found: ResultReport): string | Uint8Array {
  const document =
    found.documents.find(({ path }) => path === found.final_output) ?? found.documents.at(0);
  if (document !== undefined)
    return document.truncated ? ownCopy(document) : (document.text ?? ownCopy(document));
  if (found.final_text !== null && found.final_text !== "") return found.final_text;
  throw new AgentdError(
    "unavailable",
    "result",
    `run ${found.run_id} has no result: it is ${found.state}`,
    {
      hint: `\`agentd status ${found.run_id}\` tells how far it came.`,
    },
  );
}

/** What the daemon could not give, read with the operator's own rights. */
function ownCopy({ path, problem, truncated }: DocumentReport): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const why = truncated ? "it is larger than 16 MiB" : (problem ?? "the daemon gave no text");
    throw new AgentdError(
      "unavailable",
      "result",
      `cannot read ${path}: ${why}; ${errorText(cause)}`,
      {
        cause,
        hint: "Read the file where it lies, as a user who may.",
      },
    );
  }
}

function save(file: string, content: string | Uint8Array): void {
  try {
    writeFileSync(file, content);
  } catch (cause) {
    throw new AgentdError("usage", "result", `cannot write ${file}: ${errorText(cause)}`, {
      cause,
      hint: "Give -o a file in a folder that you may write to.",
    });
  }
}
