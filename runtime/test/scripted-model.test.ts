import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type ScriptedModel, type ScriptedOptions, startScriptedModel } from "./scripted-model.js";

const servers: ScriptedModel[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: ScriptedOptions): Promise<ScriptedModel> {
  const server = await startScriptedModel(options);
  servers.push(server);
  return server;
}

async function post(url: string, body: object): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

const chat = (...texts: string[]) => ({
  model: "m",
  messages: texts.map((content) => ({ role: "user", content })),
});

describe("the scripted model", () => {
  it("follows the first rule that matches and is not used up", async () => {
    const server = await serve({
      rules: [
        { match: { last: "plan" }, times: 1, reply: "first" },
        { match: { last: /PLAN/i }, reply: "second" },
        { match: { any: "once upon" }, reply: (request) => `saw ${request.model}` },
      ],
    });
    const url = `${server.openai_url}/chat/completions`;
    expect((await post(url, chat("a plan"))).text).toContain("first");
    expect((await post(url, chat("a plan"))).text).toContain("second");
    expect((await post(url, chat("once upon", "a time"))).text).toContain("saw m");
    expect((await post(url, chat("nothing"))).status).toBe(400);
    expect(server.requests.length).toBe(4);
  });

  it("counts calls that are answered at the same time", async () => {
    const server = await serve({ rules: [{ delayMs: 150, reply: "x" }] });
    const url = `${server.openai_url}/chat/completions`;
    await Promise.all([1, 2, 3].map(() => post(url, chat("x"))));
    expect(server.maxInFlight()).toBe(3);
    expect(server.inFlight()).toBe(0);
  });

  it("refuses what the real APIs refuse", async () => {
    const server = await serve({ rules: [{ reply: "x" }] });
    const openai = `${server.openai_url}/chat/completions`;
    const tool = { role: "tool", tool_call_id: "c1", content: "x" };
    const call = {
      role: "assistant",
      tool_calls: [{ id: "c1", type: "function", function: { name: "echo", arguments: "{}" } }],
    };
    const user = { role: "user", content: "x" };
    const status = async (messages: object[]) => (await post(openai, { messages })).status;
    expect(await status([user, call, tool])).toBe(200);
    expect(await status([user, tool])).toBe(400);
    expect(await status([user, call])).toBe(400);
    expect(await status([user, call, user, tool])).toBe(400);
    const dotted = { type: "function", function: { name: "mcp.x", parameters: {} } };
    expect((await post(openai, { messages: [user], tools: [dotted] })).status).toBe(400);
    const messages = `${server.url}/v1/messages`;
    expect((await post(messages, { max_tokens: 5, messages: [user] })).status).toBe(200);
    expect((await post(messages, { messages: [user] })).status).toBe(400);
    const empty = { role: "user", content: [{ type: "text", text: " " }] };
    expect((await post(messages, { max_tokens: 5, messages: [empty] })).status).toBe(400);
  });

  it("lists its models, and knows no other path", async () => {
    const server = await serve({ rules: [] });
    expect((await fetch(`${server.openai_url}/models`)).status).toBe(200);
    expect((await fetch(`${server.url}/elsewhere`)).status).toBe(404);
  });

  it("runs as a program that prints its base URL, with patterns written between slashes", async () => {
    const dir = mkdtempSync(join(tmpdir(), "aaos-scripted-"));
    const file = join(dir, "script.json");
    writeFileSync(file, JSON.stringify([{ match: { last: "/HEL+O/i" }, reply: "from a file" }]));
    const main = new URL("./scripted-model-main.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [main, file], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const url = line.toString().trim();
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      const answer = await post(`${url}/v1/chat/completions`, chat("hello"));
      expect(answer.text).toContain("from a file");
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
