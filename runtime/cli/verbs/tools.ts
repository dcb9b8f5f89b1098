import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { printJson, printTable } from "../print.js";

/** What models can call. */
export async function toolsList(command: Command): Promise<ExitCode> {
  const { tools } = await connectTo(command.places.socketPath, command.heard).call("tool.list", {});
  if (command.json) {
    printJson(command, { tools });
    return 0;
  }
  const rows = tools.map(({ name, description, input_schema }) => [
    name,
    Object.keys((input_schema["properties"] as object | undefined) ?? {}).join(", "),
    description.split(/(?<=\.)\s/, 1)[0] ?? "",
  ]);
  printTable(command, ["TOOL", "INPUT", "WHAT IT DOES"], rows);
  return 0;
}
