import type { Command as Commander } from "commander";
import { shapeOf } from "./command-tree.js";
import { registerApprovals } from "./register-approvals.js";
import { registerAudit } from "./register-audit.js";
import { type Act, registerRuns } from "./run-verbs.js";
import { registerSystem } from "./system-verbs.js";
import { collect, withRunOptions } from "./verb-options.js";
import type { ConfigureOptions } from "./verbs/configure.js";
import type { SubmitOptions } from "./verbs/submit.js";
import { registerAgentVerbs } from "./verbs-agents.js";
import { registerKnowledge } from "./verbs-knowledge.js";

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
  registerCompletion(program, act);
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
    .command("selftest")
    .description(
      "a real goal, and ten attempts that must be refused; exit code 0 is a healthy machine",
    )
    .action(() => act(async (command) => (await import("./verbs/selftest.js")).selftest(command)));
  program
    .command("doctor")
    .description("what works and what does not on this host, each line with its remedy")
    .option("--bundle <FILE>", "write a redacted report for support to FILE")
    .action((options: { bundle?: string }) =>
      act(async (command) => (await import("./verbs/doctor.js")).doctor(command, options)),
    );
}

function registerCompletion(program: Commander, act: Act): void {
  program
    .command("completion")
    .description(
      "print what teaches a shell to complete agentd's words: source <(agentd completion bash)",
    )
    .argument("<SHELL>", "bash, zsh or fish")
    .argument("[WORDS...]", "after `words`: the words so far, for the scripts themselves")
    .action((shell: string, words: string[]) =>
      act(async (command) => {
        const verbs = await import("./verbs/completion.js");
        return shell === "words"
          ? verbs.completeWords(command, words, shapeOf(program))
          : verbs.completion(command, shell);
      }),
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
