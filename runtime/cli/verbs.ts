import type { Command as Commander } from "commander";
import { registerApprovals } from "./register-approvals.js";
import { registerAudit } from "./register-audit.js";
import { type Act, registerRuns } from "./run-verbs.js";
import { registerSystem } from "./system-verbs.js";
import { collect, withRunOptions } from "./verb-options.js";
import type { SubmitOptions } from "./verbs/submit.js";
import { registerAgentVerbs } from "./verbs-agents.js";
import { registerKnowledge } from "./verbs-knowledge.js";
import { registerMachine } from "./verbs-machine.js";

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
  registerAgentVerbs(program, act);
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
