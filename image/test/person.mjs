// What a person at a machine has: keys to press, and a model to carry goals out.
import { join } from "node:path";

export const ENTER = "\r";
export const DOWN = "\u001b[B";

const compiled = join(import.meta.dirname, "../../dist");

/** A scripted model on the host's loopback, which a VM with an open card reaches; it plans, reads and writes what it is asked for. */
export async function scriptedModel() {
  const { startScriptedModel } = await import(join(compiled, "test/scripted-model.js"));
  const { scriptedTeam } = await import(join(compiled, "e2e/scripted-team.js"));
  const key = "sk-scripted-0123456789";
  const rules = [...scriptedTeam(), { reply: { text: "ready" } }];
  const model = await startScriptedModel({ rules, requireKey: key });
  return {
    key,
    urlInVm: model.openai_url.replace("127.0.0.1", "10.0.2.2"),
    calls: () => Number(model.requests.length),
    close: () => model.close(),
  };
}
