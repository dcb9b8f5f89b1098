import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";
import type { ScriptedRequest, ScriptedTurn } from "../test/scripted-script.js";
import { DOWN, ENTER, onTerminal } from "./terminal.js";
import { waitFor } from "./wait.js";
import { makeWorld, useModel, type World } from "./world.js";

const TIMEOUT = 120_000;

interface Pending {
  readonly id: string;
  readonly agent_name: string;
  readonly subject: string;
  readonly tool: string;
  readonly capability: string | null;
  readonly input: unknown;
  readonly description: string;
}

let world: World;
let model: ScriptedModel;

beforeEach(async () => {
  world = await makeWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await model.close();
});

/** An agent that carries out its calls one after another, then answers with the last result. */
function clerk(calls: readonly NonNullable<ScriptedTurn["tool_calls"]>[number][]) {
  return (request: ScriptedRequest): ScriptedTurn => {
    const next = calls[request.tool_results.length];
    return next === undefined
      ? { text: request.tool_results.at(-1) ?? "" }
      : { tool_calls: [next] };
  };
}

const write = (path: string, content = "written\n") => ({
  name: "file_write",
  input: { path, content },
});
const read = (path: string) => ({ name: "file_read", input: { path } });

async function startWith(
  calls: readonly NonNullable<ScriptedTurn["tool_calls"]>[number][],
  role: string,
  settings = "",
): Promise<void> {
  world.put(
    "etc/aaos/roles/clerk.yaml",
    `name: clerk\nsystem_prompt: You are a clerk.\nmessage_template: Work.\n${role}\n`,
  );
  world.put("etc/aaos/agentd.yaml", settings);
  model = await startScriptedModel({
    rules: [{ match: { system: /^You are a clerk/ }, reply: clerk(calls) }],
  });
  useModel(world, "openai", model.openai_url);
  await world.start();
}

async function submit(): Promise<string> {
  const { stdout } = await world.cli(["submit", "Work", "--role", "clerk", "--detach"]);
  return stdout.trim();
}

const pending = async () => (await world.json<{ pending: Pending[] }>(["approvals"])).pending;

const firstPending = () => waitFor("an approval", async () => (await pending())[0]);

interface Run {
  readonly state: string;
  readonly final_text: string | null;
}

async function runOf(id: string): Promise<Run> {
  return (await world.json<{ run: Run }>(["status", id])).run;
}

async function ended(id: string): Promise<Run> {
  return waitFor("the run's end", async () => {
    const run = await runOf(id);
    return ["succeeded", "failed", "cancelled"].includes(run.state) ? run : undefined;
  });
}

const kindsOf = async (id: string) => (await world.events(id)).map(({ kind }) => kind);

describe("a tool that needs approval", () => {
  it(
    "A13 A24-21 waits, durably and with nobody attached, over a daemon that is killed, and goes on when it is approved",
    async () => {
      const file = join(world.out, "a.txt");
      await startWith(
        [write(file)],
        `capabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]`,
      );
      const run = await submit();
      const asked = await firstPending();
      expect(asked).toMatchObject({
        agent_name: "clerk",
        subject: "tool",
        tool: "file_write",
        input: { path: file, content: "written\n" },
        capability: null,
      });
      expect((await runOf(run)).state).toBe("waiting_approval");
      expect(await kindsOf(run)).not.toContain("tool_invoked");
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      await world.start();
      expect((await firstPending()).id).toBe(asked.id);
      expect(existsSync(file)).toBe(false);
      const shown = await world.cli(["approvals"]);
      expect(shown.stdout).toContain(file);
      const approved = await world.cli(["approve", asked.id.slice(-6)]);
      expect(approved.stdout).toBe(`approved ${asked.id} once\n`);
      expect((await ended(run)).state).toBe("succeeded");
      expect(readFileSync(file, "utf8")).toBe("written\n");
      const events = await world.events(run);
      expect(events.filter(({ kind }) => kind === "human_approval_requested")).toHaveLength(1);
      const granted = events.find(({ kind }) => kind === "human_approval_granted");
      expect(granted?.actor).toMatch(/^uid:\d+$/);
      expect(
        events.filter(({ kind }) => kind === "run_state_changed").map((event) => event["to"]),
      ).toEqual(["running", "waiting_approval", "running", "succeeded"]);
      const again = await world.cli(["deny", asked.id]);
      expect(again.code).toBe(1);
      expect(again.stderr).toMatch(/was granted by uid:\d+ before/);
      expect((await world.cli(["audit", "verify"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "A13 is asked about each time, or once for the run, and a denial reaches the model with its reason",
    async () => {
      const [one, two, three] = ["1", "2", "3"].map((name) => join(world.out, name));
      await startWith(
        [write(one ?? ""), write(two ?? ""), write(three ?? "")],
        `capabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]`,
      );
      const run = await submit();
      const first = await firstPending();
      await world.json(["deny", first.id, "--reason", "not this one"]);
      const second = await waitFor("the next", async () =>
        (await pending()).find(({ id }) => id !== first.id),
      );
      await world.json(["approve", second.id, "--run"]);
      expect((await ended(run)).state).toBe("succeeded");
      expect([one, two, three].map((path) => existsSync(path ?? ""))).toEqual([false, true, true]);
      const asked = model.requests[1];
      expect(asked?.tool_results[0]).toMatch(/did not approve this call: not this one/);
      expect(await pending()).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    "A22-23 an approval times out as a denial, and while the daemon was down its time goes on",
    async () => {
      const file = join(world.out, "a.txt");
      await startWith(
        [write(file), write(file)],
        `capabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]`,
        "approvals: {timeout_s: 2}\n",
      );
      const run = await submit();
      await firstPending();
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      await world.start();
      const end = await ended(run);
      expect(end.final_text).toMatch(/approval request timed out after 2s/);
      expect(existsSync(file)).toBe(false);
      const denials = (await world.events(run)).filter(
        ({ kind }) => kind === "human_approval_denied",
      );
      expect(denials.map(({ actor }) => actor)).toEqual(["daemon", "daemon"]);
    },
    TIMEOUT,
  );

  it(
    "A22-43 no approval is orphaned in silence: what waits is denied when its run is stopped",
    async () => {
      await startWith(
        [write(join(world.out, "a.txt"))],
        `capabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]`,
      );
      const run = await submit();
      await firstPending();
      await world.cli(["pause", run]);
      expect((await pending()).length).toBe(1);
      await world.cli(["stop", run]);
      expect((await runOf(run)).state).toBe("cancelled");
      expect(await pending()).toEqual([]);
      expect(await kindsOf(run)).toContain("human_approval_denied");
    },
    TIMEOUT,
  );

  it(
    "A13 what is answered while its run is paused holds when it goes on",
    async () => {
      const file = join(world.out, "a.txt");
      await startWith(
        [write(file)],
        `capabilities: ["file_write: ${world.out}/*"]\napproval_required: [file_write]`,
      );
      const run = await submit();
      const asked = await firstPending();
      await world.cli(["pause", run]);
      await world.json(["approve", asked.id]);
      expect(existsSync(file)).toBe(false);
      await world.cli(["resume", run]);
      expect((await ended(run)).state).toBe("succeeded");
      expect(existsSync(file)).toBe(true);
    },
    TIMEOUT,
  );
});

describe("a call that is denied for want of a capability", () => {
  const ROLE = "approval_required: []\noffer_denials: always\n";

  it(
    "A13 is offered with the exact capability; granted once, it is made again by a wider worker, and that is all",
    async () => {
      const secret = world.put("out/other/secret.txt", "the secret\n");
      const near = world.put("out/mine/near.txt", "near\n");
      await startWith(
        [read(near), read(secret), read(secret)],
        `capabilities: ["file_read: ${world.out}/mine/*"]\n${ROLE}`,
      );
      const run = await submit();
      const asked = await firstPending();
      expect(asked).toMatchObject({
        subject: "capability",
        tool: "file_read",
        capability: `file_read: ${secret}`,
      });
      expect(asked.description).toMatch(/^clerk called file_read and was denied: no token grants/);
      await world.json(["approve", asked.id]);
      const second = await waitFor("the next", async () =>
        (await pending()).find(({ id }) => id !== asked.id),
      );
      await world.json(["deny", second.id]);
      const end = await ended(run);
      expect(end.final_text).toMatch(/the operator did not grant it: denied by human/);
      const results = model.requests.at(-1)?.tool_results ?? [];
      expect(results[1]).toContain("the secret");
      expect(results[2]).not.toContain("the secret");
      const events = await world.events(run);
      const granted = events.filter(
        (event) =>
          event.kind === "capability_granted" && event["capability"] === `file_read: ${secret}`,
      );
      expect(granted).toHaveLength(1);
      expect(
        events.some(
          (event) =>
            event.kind === "capability_revoked" &&
            event["reason"] === "it was granted for one call",
        ),
      ).toBe(true);
    },
    TIMEOUT,
  );

  it(
    "A13 granted for the run, it is not asked again; the wait survives a daemon that is killed",
    async () => {
      const file = join(world.out, "other/a.txt");
      await startWith(
        [write(file, "1"), write(file, "2")],
        `capabilities: ["file_write: ${world.out}/mine/*"]\n${ROLE}`,
      );
      const run = await submit();
      const asked = await firstPending();
      world.daemon().kill("SIGKILL");
      await world.daemon().ended;
      await world.start();
      await world.json(["approve", asked.id, "--run"]);
      expect((await ended(run)).state).toBe("succeeded");
      expect(readFileSync(file, "utf8")).toBe("2");
      const kinds = await kindsOf(run);
      expect(kinds.filter((kind) => kind === "human_approval_requested")).toHaveLength(1);
      expect((await world.cli(["audit", "verify"])).code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "A13 is not offered where policy.yaml forbids it, nor to nobody: an unattended run does not wait",
    async () => {
      const elsewhere = world.put("elsewhere.txt", "x");
      const other = world.put("out/other/a.txt", "x");
      await startWith(
        [read(elsewhere), read(other)],
        `capabilities: ["file_read: ${world.out}/mine/*"]\noffer_denials: always`,
      );
      const run = await submit();
      const asked = await firstPending();
      expect(asked.capability).toBe(`file_read: ${other}`);
      // Under a policy that is narrower after a restart nothing is offered any more, and what waits is denied.
      await world.stop();
      world.put("etc/aaos/policy.yaml", `read: {allow: [${world.out}/mine]}\n`);
      await world.start();
      await ended(run);
      expect(await pending()).toEqual([]);
      expect((await world.cli(["approve", asked.id])).stderr).toMatch(
        /was denied by daemon before/,
      );
      world.put(
        "etc/aaos/roles/clerk.yaml",
        `name: clerk\nsystem_prompt: You are a clerk.\nmessage_template: Work.\ncapabilities: ["file_read: ${world.out}/mine/*"]\n`,
      );
      await world.stop();
      world.put("etc/aaos/policy.yaml", `read: {allow: [${world.out}]}\n`);
      await world.start();
      const unattended = await submit();
      expect((await ended(unattended)).state).toBe("succeeded");
      expect(await kindsOf(unattended)).not.toContain("human_approval_requested");
    },
    TIMEOUT,
  );

  it(
    "A13 is asked in place where somebody sits at a terminal",
    async () => {
      const secret = world.put("out/other/secret.txt", "the secret\n");
      await startWith([read(secret)], `capabilities: ["file_read: ${world.out}/mine/*"]`);
      await using terminal = onTerminal([
        ...["--root", world.root, "submit", "Work", "--role", "clerk"],
      ]);
      await terminal.see(/was denied/);
      await terminal.see(/Allow once/);
      terminal.type(DOWN);
      terminal.type(ENTER);
      await terminal.see(/done/);
      expect(await terminal.ended).toBe(0);
      const { runs } = await world.json<{ runs: { run_id: string }[] }>(["list", "--all"]);
      const events = await world.events(runs[0]?.run_id ?? "");
      expect(events.find(({ kind }) => kind === "human_approval_granted")).toMatchObject({
        scope: "run",
      });
      expect(model.requests.at(-1)?.tool_results[0]).toContain("the secret");
    },
    TIMEOUT,
  );
});
