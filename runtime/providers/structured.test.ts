import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { JsonObject } from "../protocol/json.js";
import type { ModelEvent } from "../protocol/model.js";
import { acceptSeedWords, Plan } from "../protocol/plan.js";
import { ProvidersFile } from "../protocol/providers-file.js";
import {
  type ScriptedModel,
  type ScriptedOptions,
  startScriptedModel,
} from "../test/scripted-model.js";
import type { ScriptedRule } from "../test/scripted-script.js";
import { openModels } from "./directory.js";
import type { ResolvedModel } from "./models.js";
import { askJson } from "./structured.js";

const PLAN = {
  steps: [
    { id: "fetch-1", role: "fetcher", params: { url: "https://a.org/{x}", output: "{run}/a.md" } },
    { id: "w", role: "writer", params: { inputs: ["{run}/a.md"] }, depends_on: ["fetch-1"] },
  ],
  final_output: "/output/a.md",
};
const PLAN_SCHEMA = z.toJSONSchema(Plan, { io: "input" }) as JsonObject;
const PLANNER = z.preprocess(acceptSeedWords, Plan);

const servers: ScriptedModel[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function modelOf(
  rules: readonly ScriptedRule[],
  options: Omit<ScriptedOptions, "rules"> = {},
  api: "openai" | "anthropic" = "openai",
): Promise<{ server: ScriptedModel; model: () => ResolvedModel }> {
  const server = await startScriptedModel({ rules, ...options });
  servers.push(server);
  const directory = openModels({
    file: ProvidersFile.parse({
      default: "scripted",
      providers: { scripted: { api, base_url: api === "openai" ? server.openai_url : server.url } },
    }),
    defaultSlots: 3,
    credential: () => undefined,
    sleep: () => Promise.resolve(),
    random: () => 0,
    now: () => 0,
  });
  return { server, model: () => directory.resolve("m-1") };
}

function planQuestion(model: ResolvedModel, onEvent: (event: ModelEvent) => void = () => {}) {
  return {
    model,
    request: {
      messages: [{ role: "user" as const, text: "Plan the goal." }],
      max_output_tokens: 4_000,
    },
    schema: PLANNER,
    jsonSchema: PLAN_SCHEMA,
    name: "plan",
    onEvent,
    signal: new AbortController().signal,
  };
}

describe.each(["openai", "anthropic"] as const)("askJson over %s", (api) => {
  it("a plan comes back by the strongest means, in one call", async () => {
    const { model, server } = await modelOf([{ reply: JSON.stringify(PLAN) }], {}, api);
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok && answer.value.steps.map((step) => step.id)).toEqual(["fetch-1", "w"]);
    expect(server.requests.map((request) => request.structured?.by)).toEqual(["json_schema"]);
    expect(answer.usage).toMatchObject({ input_tokens: 10, output_tokens: 5 });
  });

  it("a means that the server does not know is left for the next, and is not asked for again", async () => {
    const { model, server } = await modelOf(
      [{ reply: JSON.stringify(PLAN) }],
      { structured: ["tool"] },
      api,
    );
    expect((await askJson(planQuestion(model()))).ok).toBe(true);
    expect((await askJson(planQuestion(model()))).ok).toBe(true);
    expect(server.requests.map((request) => request.structured?.by)).toEqual([
      "json_schema",
      "tool",
      "tool",
    ]);
  });

  it("a server without any structured mode is asked in words, and prose around the JSON does no harm", async () => {
    const prose = `Here it is:\n\`\`\`json\n${JSON.stringify(PLAN, null, 2)}\n\`\`\`\nHope it helps {really}.`;
    const { model, server } = await modelOf([{ reply: prose }], { structured: [] }, api);
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok).toBe(true);
    expect(server.requests.at(-1)?.structured).toBeUndefined();
    expect(server.requests.at(-1)?.last).toContain("JSON Schema");
  });

  it("an answer that is not valid goes back with its errors; the third may be right", async () => {
    const { model, server } = await modelOf(
      [
        { times: 1, reply: '{"steps": [], "final_output": ""}' },
        { times: 1, match: { last: "steps" }, reply: '{"steps": "none"}' },
        { match: { last: "final_output" }, reply: JSON.stringify(PLAN) },
      ],
      {},
      api,
    );
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok).toBe(true);
    expect(answer.usage.input_tokens).toBe(30);
    expect(server.requests.length).toBe(3);
  });

  it("after two corrections it ends with the problems named", async () => {
    const { model, server } = await modelOf(
      [{ reply: '{"steps": 1, "final_output": "/x"}' }],
      {},
      api,
    );
    const answer = await askJson(planQuestion(model()));
    expect(server.requests.length).toBe(3);
    expect(answer).toMatchObject({ ok: false });
    expect(!answer.ok && answer.problems.join()).toContain("steps");
    expect(!answer.ok && answer.failure).toBeUndefined();
  });

  it("a blank reply and one cut off in the middle count as answers that are not valid", async () => {
    const { model, server } = await modelOf(
      [
        { times: 1, reply: { fault: "blank" } },
        { times: 1, match: { last: "empty" }, reply: { text: '{"steps": [', finish: "length" } },
        { match: { last: "cut off" }, reply: JSON.stringify(PLAN) },
      ],
      {},
      api,
    );
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok).toBe(true);
    expect(server.requests.length).toBe(3);
  });

  it("a provider that fails is a failure, with its kind", async () => {
    const { model } = await modelOf([{ reply: "x" }], { requireKey: "k" }, api);
    const answer = await askJson(planQuestion(model()));
    expect(answer).toMatchObject({ ok: false, failure: { kind: "auth", status: 401 } });
  });

  it("the seed's words are accepted in an answer", async () => {
    const seed = { subtasks: PLAN.steps, final_output: PLAN.final_output };
    const { model } = await modelOf([{ reply: JSON.stringify(seed) }], {}, api);
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok && answer.value.steps.length).toBe(2);
  });
});

describe("askJson", () => {
  it("gives on what the stream gives, so that a caller can record it", async () => {
    const { model } = await modelOf([{ reply: JSON.stringify(PLAN) }]);
    const seen: string[] = [];
    await askJson(planQuestion(model(), (event) => seen.push(event.type)));
    expect(seen.at(-1)).toBe("reply");
    expect(seen).toContain("text");
  });

  it("json_object is asked for with the word JSON in the prompt, without which servers refuse it", async () => {
    const { model, server } = await modelOf([{ reply: JSON.stringify(PLAN) }], {
      structured: ["json_object"],
    });
    expect((await askJson(planQuestion(model()))).ok).toBe(true);
    expect(server.requests.map((request) => request.structured?.by)).toEqual([
      "json_schema",
      "tool",
      "json_object",
    ]);
  });

  it("an answer in the strict dialect comes back in the plan's own form", async () => {
    const strict = {
      steps: [
        {
          id: "f",
          role: "fetcher",
          params: [
            { name: "url", value: "https://a.org" },
            { name: "inputs", value: ["a", "b"] },
          ],
          depends_on: [],
          ttl: null,
        },
      ],
      final_output: "/output/a.md",
    };
    const { model } = await modelOf([{ reply: JSON.stringify(strict) }]);
    const answer = await askJson(planQuestion(model()));
    expect(answer.ok && answer.value.steps[0]).toEqual({
      id: "f",
      role: "fetcher",
      params: { url: "https://a.org", inputs: ["a", "b"] },
      depends_on: [],
    });
  });

  it("the builtin provider answers a plan's question too", async () => {
    const directory = openModels({
      file: ProvidersFile.parse({}),
      defaultSlots: 3,
      credential: () => undefined,
      sleep: () => Promise.resolve(),
      random: () => 0,
      now: () => 0,
    });
    const question = planQuestion(directory.resolve("planner"));
    const goal = "Summarise /data/a.md and write /output/s.md";
    const task = { kind: "plan", goal, roles: ["writer"] } as const;
    const answer = await askJson({ ...question, request: { ...question.request, task } });
    expect(answer.ok && answer.value.final_output).toBe("/output/s.md");
  });
});
