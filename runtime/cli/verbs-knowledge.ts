import type { Command as Commander } from "commander";
import { type Act, ID_HELP } from "./run-verbs.js";
import type { MemoryOptions } from "./verbs/memory.js";

/** What agents know: `skills` and `memory`. */
export function registerKnowledge(program: Commander, act: Act): void {
  registerSkills(program, act);
  registerMemory(program, act);
}

function registerSkills(program: Commander, act: Act): void {
  const skills = program
    .command("skills")
    .description("written instructions for kinds of work, which agents read when they need them");
  skills
    .command("list")
    .description("every skill; those that disabled themselves, and why")
    .action(() => act(async (command) => (await import("./verbs/skills.js")).skillsList(command)));
  skills
    .command("show")
    .description("one skill whole")
    .argument("<NAME>")
    .action((name: string) =>
      act(async (command) => (await import("./verbs/skills.js")).skillsShow(command, name)),
    );
  skills
    .command("validate")
    .description("check a skill's folder, or a folder of them, by the Agent Skills specification")
    .argument("<PATH>")
    .action((path: string) =>
      act(async (command) => (await import("./verbs/skills.js")).skillsValidate(command, path)),
    );
  skills
    .command("add")
    .description("give a skill to the daemon, which keeps it; the next agent has it")
    .argument("<DIR>")
    .action((dir: string) =>
      act(async (command) => (await import("./verbs/skills.js")).skillsAdd(command, dir)),
    );
}

function registerMemory(program: Commander, act: Act): void {
  const memory = program.command("memory").description("what agents remember");
  const of = (command: Commander): Commander =>
    command
      .option("--owner <NAME>", "of this role or manifest alone")
      .option("--category <NAME>", "fact, observation, decision or preference");
  of(memory.command("list").description("memories, the newest first"))
    .option("--limit <N>", "at most N (100)")
    .action((options: MemoryOptions) =>
      act(async (command) => (await import("./verbs/memory.js")).memoryList(command, options)),
    );
  of(memory.command("query").description("find memories by meaning and by words, as agents do"))
    .argument("<TEXT...>")
    .option("--limit <N>", "at most N (10)")
    .action((words: string[], options: MemoryOptions) =>
      act(async (command) =>
        (await import("./verbs/memory.js")).memoryQuery(command, words, options),
      ),
    );
  memory
    .command("forget")
    .description("erase memories for good, from the journal too; its chain still verifies")
    .argument("[ID...]", ID_HELP)
    .option("--owner <NAME>", "all that this role or manifest remembers")
    .action((ids: string[], options: { owner?: string }) =>
      act(async (command) =>
        (await import("./verbs/memory.js")).memoryForget(command, ids, options),
      ),
    );
}
