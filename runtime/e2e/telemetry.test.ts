import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { portOf } from "../test/egress-world.js";
import { startScriptedModel } from "../test/scripted-model.js";
import { makeWorld, useModel, type World } from "./world.js";

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string };
  }[];
}

let world: World;
let collector: Server;
let bodies: string[];

beforeEach(async () => {
  world = await makeWorld();
  bodies = [];
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString("utf8"));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  collector.close();
});

async function spansOfOneRun(content: boolean): Promise<readonly SentSpan[]> {
  const model = await startScriptedModel({
    rules: [
      { times: 1, reply: { tool_calls: [{ name: "echo", input: { message: "hello" } }] } },
      { reply: "The secret word is xyzzy." },
    ],
  });
  useModel(world, "openai", model.openai_url);
  const endpoint = `http://127.0.0.1:${portOf(collector)}`;
  world.put(
    "etc/aaos/agentd.yaml",
    `telemetry: {otlp_endpoint: "${endpoint}", capture_content: ${content}}\n`,
  );
  world.put(
    "etc/aaos/roles/talks.yaml",
    "name: talks\nsystem_prompt: Talks.\nmessage_template: Talk.\ncapabilities: ['tool: echo']\n",
  );
  await world.start();
  await world.cli(["submit", "Say plugh", "--role", "talks"]);
  await world.stop();
  await model.close();
  type Sent = { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] };
  return bodies
    .flatMap((body) => (JSON.parse(body) as Sent).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

it("a run is a tree of spans: workflow, agent, model calls, tool call; nothing of its content is in them", async () => {
  const spans = await spansOfOneRun(false);
  const one = (name: string) => {
    const found = spans.filter((span) => span.name === name);
    expect(found.length, name).toBeGreaterThan(0);
    return found[0] as SentSpan;
  };
  const workflow = one("invoke_workflow aaos");
  const agent = one("invoke_agent talks");
  expect(agent.parentSpanId).toBe(workflow.spanId);
  for (const name of ["chat scripted-1", "execute_tool echo"]) {
    expect(one(name).parentSpanId).toBe(agent.spanId);
    expect(one(name).traceId).toBe(workflow.traceId);
    expect(BigInt(one(name).endTimeUnixNano)).toBeGreaterThanOrEqual(
      BigInt(one(name).startTimeUnixNano),
    );
  }
  const operations = spans.map(
    ({ attributes }) =>
      attributes.find(({ key }) => key === "gen_ai.operation.name")?.value.stringValue,
  );
  expect(operations).not.toContain(undefined);
  expect(bodies.join("")).not.toMatch(/plugh|xyzzy/);
}, 120_000);

it("with capture_content the goal and the final words are there", async () => {
  await spansOfOneRun(true);
  expect(bodies.join("")).toMatch(/plugh/);
  expect(bodies.join("")).toMatch(/xyzzy/);
}, 120_000);
