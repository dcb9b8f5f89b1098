import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { ModelEvent, ModelRequest } from "../protocol/model.js";
import { ProvidersFile } from "../protocol/providers-file.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import { openModels } from "./directory.js";
import type { ModelDirectory, ResolvedModel } from "./models.js";
import { providerFetch } from "./network.js";

const servers: ScriptedModel[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function directory(file: unknown, keys: Readonly<Record<string, string>> = {}): ModelDirectory {
  return openModels({
    file: ProvidersFile.parse(file),
    defaultSlots: 3,
    credential: (name) => keys[name],
    sleep: () => Promise.resolve(),
    random: () => 0,
    now: () => 0,
  });
}

async function endOf(
  model: ResolvedModel,
  more: Partial<ModelRequest> = {},
): Promise<ModelEvent | undefined> {
  const request = {
    model: model.model,
    messages: [{ role: "user", text: "hi" }],
    tools: [],
    max_output_tokens: 10,
    ...more,
  } as const;
  let end: ModelEvent | undefined;
  for await (const event of model.stream(request, new AbortController().signal)) end = event;
  return end;
}

const FILE = {
  default: "local",
  providers: {
    local: { api: "openai", base_url: "http://127.0.0.1:1/v1", slots: 7 },
    far: { api: "anthropic", credential: "far" },
  },
  models: {
    "small-1": { provider: "local", context: 32_000, max_output: 1_000, structured: ["text"] },
    "big-1": { provider: "far" },
    lost: { provider: "nowhere" },
  },
  aliases: { fast: "small-1", cheap: "fast", round: "about", about: "round" },
};

describe("openModels", () => {
  it("an alias leads to its model, also over another alias, and the model to its provider", () => {
    const { resolve } = directory(FILE, { far: "k" });
    expect(resolve("cheap")).toMatchObject({
      provider: "local",
      model: "small-1",
      context_tokens: 32_000,
      max_output_tokens: 1_000,
      structured: ["text"],
      slots: 7,
    });
    expect(resolve("big-1")).toMatchObject({ provider: "far", slots: 3 });
  });

  it("an unknown id goes to the default provider, and aliases in a circle end", () => {
    const { default_provider, resolve } = directory(FILE);
    expect(default_provider).toBe("local");
    expect(resolve("brand-new")).toMatchObject({ provider: "local", model: "brand-new" });
    expect(resolve("round").provider).toBe("local");
  });

  it("a standard alias that the file does not name gets a model of the default provider", () => {
    expect(directory(FILE).resolve("planner").model).toBe("small-1");
  });

  it("A22-3 a provider without its credential says which is missing and how to set it", async () => {
    const end = await endOf(directory(FILE).resolve("big-1"));
    expect(end).toMatchObject({ type: "failed", failure: { kind: "auth" } });
    const message = end?.type === "failed" ? end.failure.message : "";
    expect(message).toContain('"far"');
    expect(message).toContain("agentd configure");
  });

  it("a model of a provider that nobody defines says so, and so does a default that nobody defines", async () => {
    const end = await endOf(directory(FILE).resolve("lost"));
    expect(end?.type === "failed" && end.failure.message).toContain('"nowhere"');
    const typo = await endOf(directory({ ...FILE, default: "locale" }).resolve("x"));
    expect(typo?.type === "failed" && typo.failure.message).toContain('"locale"');
  });

  it("the builtin provider stands in for a default that is absent or has no key, and only for it", () => {
    const keyless = { ...FILE, default: "far" };
    expect(directory({}).default_provider).toBe("builtin");
    expect(directory({ default: "deepseek" }).default_provider).toBe("builtin");
    expect(directory(keyless).default_provider).toBe("builtin");
    expect(directory(keyless).resolve("big-1").provider).toBe("builtin");
    expect(directory(keyless).resolve("small-1").provider).toBe("local");
    expect(directory(keyless, { far: "k" }).resolve("big-1").provider).toBe("far");
    expect(directory(keyless, { far: "" }).default_provider).toBe("builtin");
  });

  it("builtin can be asked for by name", () => {
    expect(directory(FILE).resolve("builtin")).toMatchObject({ provider: "builtin" });
    const file = { default: "own", providers: { own: { api: "builtin" } } };
    expect(directory(file).resolve("fast").provider).toBe("own");
  });

  it("A24-26 a key alone is enough: DeepSeek first, then Anthropic, then OpenAI, with current model ids", () => {
    const all = directory({}, { deepseek: "a", anthropic: "b", openai: "c" });
    expect(all.resolve("planner")).toMatchObject({ provider: "deepseek", model: "deepseek-flash" });
    expect(all.resolve("planner").model).not.toMatch(/deepseek-(chat|reasoner)/);
    const two = directory({}, { anthropic: "b", openai: "c" });
    expect(two.resolve("fast").provider).toBe("anthropic");
    expect(directory({}, { openai: "c" }).resolve("strong").provider).toBe("openai");
  });

  it("the same name gives the same model, so that what was learnt of a server is kept", () => {
    const { resolve } = directory(FILE);
    expect(resolve("cheap").stream).toBe(resolve("cheap").stream);
  });

  it("prices of the file are the prices of the replies", async () => {
    const server = await startScriptedModel({
      rules: [{ reply: { text: "x", usage: { input: 1_000_000, output: 100_000 } } }],
    });
    servers.push(server);
    const model = directory({
      default: "s",
      providers: { s: { api: "openai", base_url: server.openai_url } },
      models: { m: { provider: "s", usd_per_mtok: { input: 0.5, output: 2 } } },
    }).resolve("m");
    expect(await endOf(model)).toMatchObject({ usage: { usd: 0.7 } });
  });

  it("thinking is switched off where the model's entry says so, and nowhere else", async () => {
    const server = await startScriptedModel({ rules: [{ reply: "x" }] });
    servers.push(server);
    const file = (thinking: string) => ({
      default: "s",
      providers: { s: { api: "openai", base_url: server.openai_url } },
      models: { m: { provider: "s", thinking } },
    });
    await endOf(directory(file("disabled")).resolve("m"));
    await endOf(directory(file("default")).resolve("m"));
    expect(server.requests.map((request) => request.body["thinking"])).toEqual([
      { type: "disabled" },
      undefined,
    ]);
  });
});

describe("planner calls", () => {
  it("never think at a host that knows the switch; other calls say nothing", async () => {
    const server = await startScriptedModel({ rules: [{ reply: "x" }] });
    servers.push(server);
    // A proxy that leads every host to the scripted server: the host is the real one, the network is loopback.
    const proxy = createServer();
    proxy.on("connect", (_request, socket) => {
      const inner = connect(Number(new URL(server.url).port), "127.0.0.1");
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      inner.pipe(socket).on("error", () => inner.destroy());
      socket.pipe(inner).on("error", () => socket.destroy());
    });
    await listen(proxy);
    const model = openModels({
      file: ProvidersFile.parse({
        default: "d",
        providers: { d: { api: "openai", base_url: "http://api.deepseek.com/v1" } },
      }),
      defaultSlots: 1,
      credential: () => undefined,
      proxy: addressOf(proxy),
      sleep: () => Promise.resolve(),
      random: () => 0,
      now: () => 0,
    }).resolve("m");
    const goal = "g";
    for (const task of [
      { kind: "plan", goal, roles: [] },
      { kind: "classify", goal },
      undefined,
    ] as const)
      await endOf(model, task === undefined ? {} : { task });
    expect(server.requests.map((request) => request.body["thinking"])).toEqual([
      { type: "disabled" },
      { type: "disabled" },
      undefined,
    ]);
    proxy.closeAllConnections();
    proxy.close();
  });
});

describe("providerFetch", () => {
  it("goes through the proxy for hosts outside, and around it for loopback", async () => {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    await listen(proxy);
    const server = await startScriptedModel({ rules: [{ reply: "x" }] });
    servers.push(server);
    const through = providerFetch({ proxy: addressOf(proxy) });
    await expect(through("https://api.example.invalid/v1")).rejects.toThrow();
    expect(asked).toEqual(["api.example.invalid:443"]);
    expect((await through(`${server.url}/v1/models`)).status).toBe(200);
    expect(asked.length).toBe(1);
    await new Promise((done) => proxy.close(done));
  });
});

function listen(server: Server): Promise<void> {
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done()));
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
