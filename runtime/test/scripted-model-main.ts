import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type ScriptedOptions, startScriptedModel } from "./scripted-model.js";

/**
 * `node dist/test/scripted-model-main.js SCRIPT.json [--port N]` serves a script until it is killed and prints its base URL as the
 * first line. The file holds the options of `startScriptedModel`, or only the list of rules; a matcher written `/…/i` is a pattern.
 */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { port: { type: "string", default: "0" } },
  });
  const [file] = positionals;
  if (file === undefined) {
    process.stderr.write("usage: scripted-model-main.js SCRIPT.json [--port N]\n");
    process.exitCode = 2;
    return;
  }
  const script = JSON.parse(readFileSync(file, "utf8"), withPatterns) as
    | ScriptedOptions
    | ScriptedOptions["rules"];
  const options = "rules" in script ? script : { rules: script };
  const server = await startScriptedModel({ ...options, port: Number(values.port) });
  process.stdout.write(`${server.url}\n`);
  const stop = (): void => void server.close();
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

const MATCHERS = new Set(["system", "last", "any", "tool_result", "model"]);

function withPatterns(key: string, value: unknown): unknown {
  if (!MATCHERS.has(key) || typeof value !== "string") return value;
  const pattern = /^\/(.+)\/([imsu]*)$/s.exec(value);
  return pattern === null ? value : new RegExp(pattern[1] ?? "", pattern[2]);
}

await main();
