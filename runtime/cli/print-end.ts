import { formatDuration } from "../base/duration.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { DocumentReport } from "../protocol/control-results.js";
import type { Client } from "./client.js";
import type { Command } from "./command.js";
import { formatUsage } from "./format.js";
import { plainLine, plainText } from "./plain-text.js";
import type { EndFrame } from "./run-view.js";

const PREVIEW_LINES = 12;
const PREVIEW_BYTES = 8_192;

/** How a run ended: its time and cost, the document's path and first lines, or what went wrong and what to do next. */
export async function printEnd(command: Command, client: Client, end: EndFrame): Promise<void> {
  const { io, style } = command;
  const tally = `${formatDuration(end.elapsed_ms)}, ${formatUsage(end)}`;
  if (end.exit_code !== 0) {
    io.stdout.write(`${style.bad(`✗ ${plainLine(end.state ?? "failed")}`)} after ${tally}\n`);
    printFailure(command, end);
    return;
  }
  io.stdout.write(`${style.good("✓ done")} in ${tally}\n`);
  const document = await finalDocument(client, end, command.signal);
  const path = document?.path ?? end.final_output;
  if (path !== undefined) io.stdout.write(`\n${style.bold(plainLine(path))}\n`);
  if (document?.text !== undefined && document.text !== null)
    printPreview(command, document, end.run_id ?? "ID");
}

function printFailure({ io }: Command, end: EndFrame): void {
  if (end.error !== undefined) {
    const kind = end.error_kind === undefined ? "" : ` (${plainLine(end.error_kind)})`;
    io.stderr.write(`agentd: ${plainLine(end.error)}${kind}\n`);
  }
  if (end.hint !== undefined) {
    io.stderr.write(`${plainLine(end.hint).replaceAll(/\bID\b/g, end.run_id ?? "ID")}\n`);
  }
}

/** The document that the run was for. A result that cannot be had now is no failure of the run: its path is shown alone. */
async function finalDocument(
  client: Client,
  { run_id, final_output }: EndFrame,
  signal: AbortSignal,
): Promise<DocumentReport | undefined> {
  if (run_id === undefined) return undefined;
  try {
    const result = await client.call("run.result", { run_id, max_bytes: PREVIEW_BYTES }, signal);
    return result.documents.find(({ path }) => path === final_output) ?? result.documents.at(0);
  } catch (thrown) {
    if (thrown instanceof AgentdError) return undefined;
    throw thrown;
  }
}

function printPreview({ io, style }: Command, document: DocumentReport, runId: string): void {
  const lines = plainText(document.text ?? "")
    .trimEnd()
    .split("\n");
  for (const line of lines.slice(0, PREVIEW_LINES)) io.stdout.write(`  ${line}\n`);
  if (lines.length > PREVIEW_LINES || document.truncated) {
    io.stdout.write(`${style.dim(`  … all of it: agentd result ${plainLine(runId)}`)}\n`);
  }
}
