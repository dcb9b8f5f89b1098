import type { Command as Commander } from "commander";
import type { ExitCode } from "../protocol/error-code.js";
import type { Command } from "./command.js";
import type { AuditOptions } from "./verbs/audit.js";
import type { ConfigureOptions } from "./verbs/configure.js";
import type { ScheduleOptions } from "./verbs/schedule.js";
import type { SubmitOptions } from "./verbs/submit.js";

/** Runs one verb with what the global options say. */
type Act = (verb: (command: Command) => Promise<ExitCode>) => Promise<void>;

const ID_HELP = "the id, or at least 4 characters of its beginning or end";

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

/** Every verb with its arguments, on one screen. A verb's own file is loaded when it is called, so that the start is quick. */
export function registerVerbs(program: Commander, act: Act): void {
  program
    .command("run")
    .description("the daemon")
    .action(() => act(({ io, places }) => io.runDaemon(places)));
  registerSubmit(program, act);
  registerRuns(program, act);
  registerRoles(program, act);
  registerManifests(program, act);
  registerAgents(program, act);
  registerSchedule(program, act);
  registerAudit(program, act);
  program
    .command("tools")
    .description("what models can call")
    .command("list")
    .description("every tool with its input")
    .action(() => act(async (command) => (await import("./verbs/tools.js")).toolsList(command)));
  program
    .command("learn")
    .description("run a program once, observed, and propose the smallest capabilities for it")
    .argument("<PROGRAM>", "it runs as you and is not confined; put -- before it")
    .argument("[ARGS...]")
    .option("--trace <FILE>", "write every observation to FILE, one JSON object a line")
    .action((file: string, args: string[], options: { trace?: string }) =>
      act(async (command) =>
        (await import("./verbs/learn.js")).learn(command, [file, ...args], options),
      ),
    );
  program
    .command("configure")
    .description(
      "choose the provider that carries goals out and keep its key; a dialog, or by options",
    )
    .option(
      "--provider <NAME>",
      "its name in providers.yaml, or deepseek, anthropic, openai, builtin",
    )
    .option("--key-from-env <VARIABLE>", "the key is in this variable of the environment")
    .option("--base-url <URL>", "where its API is")
    .option("--api <KIND>", "openai (Chat Completions) or anthropic (Messages)")
    .option("--model <ID>", "the model for planner, fast and strong")
    .option("--no-check", "do not ask the provider whether key and model are right")
    .action((options: ConfigureOptions) =>
      act(async (command) => (await import("./verbs/configure.js")).configure(command, options)),
    );
  program
    .command("doctor")
    .description("what works and what does not on this host, each line with its remedy")
    .option("--bundle <FILE>", "write a redacted report for support to FILE")
    .action((options: { bundle?: string }) =>
      act(async (command) => (await import("./verbs/doctor.js")).doctor(command, options)),
    );
}

function registerSubmit(program: Commander, act: Act): void {
  withRunOptions(
    program
      .command("submit")
      .description("carry out a goal and show it; Ctrl-C detaches, the run goes on")
      .argument("[GOAL...]", "what is to be done"),
  )
    .option("--detach", "print the run's id and leave")
    .option("-v, --verbose", "show every event")
    .action((words: string[], options: SubmitOptions) =>
      act(async (command) => (await import("./verbs/submit.js")).submit(command, words, options)),
    );
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
    .description("goals by cron expression or time; what was missed is caught up once");
  withRunOptions(
    schedule
      .command("add")
      .description("carry out a goal later, or again and again")
      .argument("<WHEN>", 'a cron expression ("0 8 * * 1-5"), a time ("2026-12-01 08:00") or +10m')
      .argument("[GOAL...]", "what is to be done"),
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

/** What says how a goal is to be carried out, now or later. */
function withRunOptions(command: Commander): Commander {
  return command
    .option("-f, --file <FILE>", "read the goal from FILE, - for standard input")
    .option("--role <NAME>", "one agent of this role, no planner")
    .option("--param <K=V>", "a parameter of that role; a list as K=a,b (repeatable)", collect)
    .option("--orchestration <MODE>", "auto, plan or direct")
    .option("--max-tokens <N>", "most tokens of this run")
    .option("--max-usd <X>", "most money of this run")
    .option("--timeout <DUR>", "longest time of this run: 90s, 10m, 1h30m");
}

function registerRuns(program: Commander, act: Act): void {
  program
    .command("list")
    .description("runs and agents now")
    .option("--all", "those that ended, too")
    .action((options: { all?: boolean }) =>
      act(async (command) => (await import("./verbs/list.js")).list(command, options)),
    );
  program
    .command("status")
    .description("one run or agent: state, steps, usage, grants, confinement in force")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/status.js")).status(command, id)),
    );
  program
    .command("stop")
    .description("end a run or an agent with all that belongs to it")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/stop.js")).stop(command, id)),
    );
  program
    .command("logs")
    .description("what has happened in a run or to an agent")
    .argument("<ID>", ID_HELP)
    .option("-f, --follow", "go on until it has ended")
    .option("-v, --verbose", "show every event")
    .action((id: string, options: { follow?: boolean; verbose?: boolean }) =>
      act(async (command) => (await import("./verbs/logs.js")).logs(command, id, options)),
    );
  program
    .command("result")
    .description("a run's document, to the terminal or a file")
    .argument("<ID>", ID_HELP)
    .option("-o, --output <FILE>", "write it to FILE")
    .action((id: string, options: { output?: string }) =>
      act(async (command) => (await import("./verbs/result.js")).result(command, id, options)),
    );
}

function registerRoles(program: Commander, act: Act): void {
  const roles = program.command("roles").description("the catalog of roles, read from its files");
  roles
    .command("list")
    .description("every role; files that disabled themselves, and why")
    .action(() => act(async (command) => (await import("./verbs/roles.js")).rolesList(command)));
  roles
    .command("show")
    .description("one role whole")
    .argument("<NAME>")
    .action((name: string) =>
      act(async (command) => (await import("./verbs/roles.js")).rolesShow(command, name)),
    );
  roles
    .command("validate")
    .description("check a role's file, or a folder of them")
    .argument("<PATH>")
    .action((path: string) =>
      act(async (command) => (await import("./verbs/roles.js")).rolesValidate(command, path)),
    );
  roles
    .command("explain")
    .description("the tokens that an agent of the role would get, and what policy.yaml keeps back")
    .argument("<NAME>")
    .option("--param <K=V>", "a parameter; a list as K=a,b (repeatable)", collect)
    .action((name: string, options: { param?: readonly string[] }) =>
      act(async (command) =>
        (await import("./verbs/roles.js")).rolesExplain(command, name, options),
      ),
    );
}

function registerAudit(program: Commander, act: Act): void {
  const audit = program.command("audit").description("the journal of everything that happened");
  filtered(audit.command("tail").description("the newest events, then each as it happens"))
    .option("--limit <N>", "how many of the past (20)")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditTail(command, options)),
    );
  filtered(audit.command("query").description("events of the past"))
    .option("--limit <N>", "at most N, the newest (100)")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditQuery(command, options)),
    );
  filtered(audit.command("export").description("every event as one JSON object a line"))
    .option("-o, --output <FILE>", "write to FILE")
    .action((options: AuditOptions) =>
      act(async (command) => (await import("./verbs/audit.js")).auditExport(command, options)),
    );
  audit
    .command("verify")
    .description("find a changed, missing, reordered or truncated event")
    .action(() => act(async (command) => (await import("./verbs/audit.js")).auditVerify(command)));
}

function filtered(command: Commander): Commander {
  return command
    .option("--run <ID>", "of this run")
    .option("--agent <ID>", "of this agent")
    .option("--kind <KIND...>", "of these kinds")
    .option("--since <TIME>", "not before TIME")
    .option("--until <TIME>", "not after TIME");
}
