import type { Command as Commander } from "commander";
import { type Act, ID_HELP } from "./run-verbs.js";
import { withRunOptions } from "./verb-options.js";
import type { ScheduleOptions } from "./verbs/schedule.js";

/** The verbs of manifests, of the agents that are made of them, and of the clock that writes to them. */
export function registerAgentVerbs(program: Commander, act: Act): void {
  registerManifests(program, act);
  registerAgents(program, act);
  registerSchedule(program, act);
}

function registerAgents(program: Commander, act: Act): void {
  const agents = program
    .command("agents")
    .description("agents that live until they are stopped (see also list, status, logs, stop)");
  agents
    .command("spawn")
    .description("a new agent of a manifest; prints its id")
    .argument("<MANIFEST>", "a name of the catalog, or a file")
    .action((manifest: string) =>
      act(async (command) => (await import("./verbs/agents.js")).agentsSpawn(command, manifest)),
    );
  agents
    .command("send")
    .description("a message to an agent; prints its answer")
    .argument("<AGENT>", "its name, its id, or a part of that")
    .argument("[MESSAGE...]", "what it is to do")
    .option("-f, --file <FILE>", "read the message from FILE, - for standard input")
    .option("--no-wait", "print the message's id and leave")
    .action((agent: string, words: string[], options: { file?: string; wait?: boolean }) =>
      act(async (command) =>
        (await import("./verbs/agents.js")).agentsSend(command, agent, words, options),
      ),
    );
  agents
    .command("clear")
    .description("let an agent forget what was said to it; the journal keeps it")
    .argument("<AGENT>", "its name, its id, or a part of that")
    .action((agent: string) =>
      act(async (command) => (await import("./verbs/agents.js")).agentsClear(command, agent)),
    );
}

function registerManifests(program: Commander, act: Act): void {
  const manifests = program
    .command("manifests")
    .description("the catalog of agents, read from its files");
  manifests
    .command("list")
    .description("every manifest; files that disabled themselves, and why")
    .action(() =>
      act(async (command) => (await import("./verbs/manifests.js")).manifestsList(command)),
    );
  manifests
    .command("show")
    .description("one manifest whole")
    .argument("<NAME>")
    .action((name: string) =>
      act(async (command) => (await import("./verbs/manifests.js")).manifestsShow(command, name)),
    );
  manifests
    .command("validate")
    .description("check a manifest's file, or a folder of them")
    .argument("<PATH>")
    .action((path: string) =>
      act(async (command) =>
        (await import("./verbs/manifests.js")).manifestsValidate(command, path),
      ),
    );
}

function registerSchedule(program: Commander, act: Act): void {
  const schedule = program
    .command("schedule")
    .description(
      "goals and messages by cron expression or time; what was missed is caught up once",
    );
  withRunOptions(
    schedule
      .command("add")
      .description("carry out a goal later, or again and again")
      .argument("<WHEN>", 'a cron expression ("0 8 * * 1-5"), a time ("2026-12-01 08:00") or +10m')
      .argument("[GOAL...]", "what is to be done"),
  )
    .option(
      "--agent <NAME>",
      "the text is a message to this agent, or to a new one of that manifest",
    )
    .option("--timezone <ZONE>", "of the cron expression; the machine's own without it")
    .action((when: string, words: string[], options: ScheduleOptions) =>
      act(async (command) =>
        (await import("./verbs/schedule.js")).scheduleAdd(command, when, words, options),
      ),
    );
  schedule
    .command("list")
    .description("what is to come, and what came of it the last time")
    .option("--all", "those that are done or removed, too")
    .action((options: { all?: boolean }) =>
      act(async (command) => (await import("./verbs/schedule.js")).scheduleList(command, options)),
    );
  schedule
    .command("remove")
    .description("nothing more comes of it; what it has started goes on")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/schedule.js")).scheduleRemove(command, id)),
    );
}
