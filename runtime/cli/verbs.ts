import type { Command as Commander } from "commander";
import { registerApprovals } from "./register-approvals.js";
import { registerAudit } from "./register-audit.js";
import { type Act, ID_HELP, registerRuns } from "./run-verbs.js";
import { registerSystem } from "./system-verbs.js";
import type { ScheduleOptions } from "./verbs/schedule.js";
import type { SubmitOptions } from "./verbs/submit.js";
import { registerKnowledge } from "./verbs-knowledge.js";
import { registerMachine } from "./verbs-machine.js";

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
  registerApprovals(program, act);
  registerRoles(program, act);
  registerManifests(program, act);
  registerSchedule(program, act);
  registerKnowledge(program, act);
  registerAudit(program, act);
  registerSystem(program, act);
  registerTools(program, act);
  registerMachine(program, act);
}

function registerTools(program: Commander, act: Act): void {
  program
    .command("tools")
    .description("what models can call")
    .command("list")
    .description("every tool with its input")
    .action(() => act(async (command) => (await import("./verbs/tools.js")).toolsList(command)));
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
