import { openMachine } from "../../appliance/machine.js";
import {
  addToolchain,
  listToolchains,
  removeToolchain,
} from "../../appliance/toolchain/toolchains.js";
import type { VerbContext } from "../../appliance/verb.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Command } from "../command.js";
import { printJson, printLine } from "../print.js";

/** A Debian package's name: deb-control(5). */
const PACKAGE = /^[a-z0-9][a-z0-9+.-]+$/;

export function toolchainList(command: Command): ExitCode {
  const toolchains = listToolchains(openMachine());
  if (command.json) printJson(command, { toolchains });
  else if (toolchains.length === 0) printLine(command, "no toolchain was added");
  else for (const { name, packages } of toolchains) printLine(command, say(name, packages));
  return 0;
}

export async function toolchainAdd(command: Command, name: string): Promise<ExitCode> {
  const added = await addToolchain(packageName(name), contextOf(command));
  if (command.json) printJson(command, added);
  else printLine(command, say(added.name, added.packages));
  return 0;
}

export async function toolchainRemove(command: Command, name: string): Promise<ExitCode> {
  await removeToolchain(packageName(name), contextOf(command));
  if (command.json) printJson(command, { removed: name });
  else printLine(command, `${name} is gone`);
  return 0;
}

function say(name: string, packages: readonly string[]): string {
  return `${name}: ${packages.length} packages, ${packages.join(" ")}`;
}

function packageName(name: string): string {
  if (PACKAGE.test(name)) return name;
  throw new AgentdError("usage", "toolchain", `${name} is no name of a Debian package`, {
    hint: "As in `agentd system toolchain add cargo`.",
  });
}

function contextOf(command: Command): VerbContext {
  const { io, signal } = command;
  if (io.uid !== 0)
    throw new AgentdError("not_permitted", "toolchain", "only root may change the machine", {
      hint: "Run it with sudo.",
    });
  const progress = (text: string): void => {
    if (!command.json) printLine(command, text);
  };
  return { machine: openMachine(), signal, progress };
}
