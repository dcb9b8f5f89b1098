import type { Command as Commander } from "commander";
import { shapeOf } from "./command-tree.js";
import type { Act } from "./run-verbs.js";
import type { ConfigureOptions } from "./verbs/configure.js";

/** The verbs that are about this machine and this program: set it up, prove it, learn from it. */
export function registerMachine(program: Commander, act: Act): void {
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
  registerProvision(program, act);
  registerCompletion(program, act);
}

function registerProvision(program: Commander, act: Act): void {
  const provision = program
    .command("provision")
    .description("make a machine what a file says: host name, users, network, provider, policy");
  provision
    .command("validate")
    .description("check aaos.yaml or a NoCloud user-data; nothing is changed")
    .argument("<FILE>")
    .action((file: string) =>
      act(async (command) =>
        (await import("./verbs/provision.js")).provisionValidate(command, file),
      ),
    );
  provision
    .command("apply")
    .description("make this machine what the file says; a wrong file changes nothing")
    .argument("<FILE>")
    .action((file: string) =>
      act(async (command) => (await import("./verbs/provision.js")).provisionApply(command, file)),
    );
  provision
    .command("boot")
    .description(
      "at the first boot: find the file on the kernel's command line, a volume or the VM, and apply it",
    )
    .action(() =>
      act(async (command) => (await import("./verbs/provision.js")).provisionBoot(command)),
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
