import { resolve } from "node:path";
import { mustRun, openMachine } from "../../appliance/machine.js";
import { applyProvision } from "../../appliance/provision/apply.js";
import { provisionAtBoot } from "../../appliance/provision/at-boot.js";
import { misfits } from "../../appliance/provision/misfits.js";
import type { VerbContext } from "../../appliance/verb.js";
import { controlDaemon } from "../../appliance/verbs/control-daemon.js";
import { type FileProblem, formatProblem } from "../../catalog/file-problem.js";
import { readProvision } from "../../catalog/provision.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { ProvisionFile } from "../../protocol/provision-file.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";
import { readTextFile } from "../read-text-file.js";

/** Every fault of the file with its line and field; exit code 2 where there is one. */
export function provisionValidate(command: Command, path: string): ExitCode {
  const { notes } = readWhole(command, path);
  const file = resolve(command.io.cwd, path);
  if (command.json) printJson(command, { ok: true, file, notes });
  else for (const line of [`${file} is valid`, ...notes]) printLine(command, line);
  return 0;
}

/** Applies it by this process, which must be root's. */
export async function provisionApply(command: Command, path: string): Promise<ExitCode> {
  const { file, notes } = readWhole(command, path);
  const context = contextOf(command);
  const did = await applyProvision(file, context, fetch);
  const restarted = await restartDaemon(command, context);
  if (command.json) printJson(command, { applied: did, notes, restarted });
  else if (!restarted)
    printLine(command, "Restart agentd, where it runs: it reads its files at its start.");
  return 0;
}

/** What the unit of the first boot calls. A refused file is exit code 1: the boot goes on, and the screen says what is wrong. */
export async function provisionBoot(command: Command): Promise<ExitCode> {
  const outcome = await provisionAtBoot(contextOf(command), fetch);
  if (command.json) printJson(command, outcome);
  else {
    const { state, source, problems, notes } = outcome;
    printLine(
      command,
      `provisioning: ${state.replace("_", " ")}${source === null ? "" : `, from ${source}`}`,
    );
    for (const line of [...problems, ...notes]) printLine(command, line);
  }
  // The disk starts next; a medium that is still in then erases nothing.
  if (outcome.state === "installed") await mustRun(openMachine(), "systemctl", ["reboot"]);
  return outcome.state === "refused" ? 1 : 0;
}

function readWhole(
  command: Command,
  path: string,
): { readonly file: ProvisionFile; readonly notes: readonly string[] } {
  const file = resolve(command.io.cwd, path);
  const read = readProvision(readTextFile(file), file);
  if (!read.ok) throw broken(file, read.problems);
  const { root } = command.places;
  const machine = root === "/" ? openMachine() : openMachine(root, []);
  const unfit = misfits(read.file, machine).map(read.problemAt);
  if (unfit.length > 0) throw broken(file, unfit);
  return read;
}

function broken(file: string, problems: readonly FileProblem[]): AgentdError {
  return new AgentdError("invalid_file", `read ${file}`, problems.map(formatProblem).join("\n"), {
    hint: "Correct the lines named; nothing was changed.",
  });
}

function contextOf(command: Command): VerbContext {
  const { places, io, signal } = command;
  const isMachine = places.root === "/";
  if (isMachine && io.uid !== 0)
    throw new AgentdError("not_permitted", "provision", "only root may change the machine", {
      hint: "Run it with sudo.",
    });
  const progress = (text: string): void => {
    if (!command.json) printLine(command, text);
  };
  return { machine: isMachine ? openMachine() : openMachine(places.root, []), signal, progress };
}

async function restartDaemon({ places }: Command, context: VerbContext): Promise<boolean> {
  if (places.root !== "/" || !context.machine.has("systemctl")) return false;
  await controlDaemon({ action: "restart" }, context);
  return true;
}
