import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { loadManifests } from "../../catalog/manifests.js";
import { loadRoles } from "../../catalog/roles.js";
import { readProviders } from "../../catalog/settings.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { EVENT_KINDS } from "../../protocol/event.js";
import { WELL_KNOWN } from "../../protocol/known-providers.js";
import { type Places, places } from "../../protocol/places.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import type { CommandShape } from "../command-tree.js";
import { type Candidate, complete, type Known } from "../complete.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine } from "../print.js";
import { SHELL_SCRIPTS } from "../shell-scripts.js";

/** The script that teaches a shell to complete agentd's words. It asks this program at every TAB, so it never grows old. */
export function completion(command: Command, shell: string): ExitCode {
  const script = SHELL_SCRIPTS[shell];
  if (script === undefined)
    throw new AgentdError("usage", "completion", `there is none for ${shell}`, {
      hint: `Known are ${Object.keys(SHELL_SCRIPTS).join(", ")}.`,
    });
  if (command.json) printJson(command, { shell, script });
  else printLine(command, script.trimEnd());
  return 0;
}

/**
 * What the last of `words` may become: `:files` on the first line where it may be a file's name, else a line for each candidate, the
 * word and what it is, a tab between. Never fails: a TAB at a machine without a daemon gives what is known without it.
 */
export async function completeWords(
  command: Command,
  words: readonly string[],
  tree: CommandShape,
): Promise<ExitCode> {
  const { completion: what, root, socket } = complete(words, tree);
  const last = words.at(-1) ?? "";
  if (what.files) printLine(command, ":files");
  const { cwd, share } = command.io;
  const at = {
    ...command.places,
    ...(root === undefined ? {} : places({ share, root: resolve(cwd, root) })),
    ...(socket === undefined ? {} : { socketPath: resolve(cwd, socket) }),
  };
  const asked = await Promise.all(what.ask.map((known) => candidates(known, at).catch(() => [])));
  for (const { word, about } of [...what.words, ...asked.flat()])
    if (word.startsWith(last)) printLine(command, `${plainLine(word)}\t${plainLine(about)}`);
  return 0;
}

/** The names that are known under this head, as the daemon or the files have them. */
async function candidates(known: Known, at: Places): Promise<readonly Candidate[]> {
  const client = connectTo(at.socketPath);
  switch (known) {
    case "runs": {
      const { runs } = await client.call("run.list", { all: true });
      return runs.slice(0, 100).map(({ run_id, state, goal }) => ({
        word: run_id,
        about: `${state}: ${goal.slice(0, 60)}`,
      }));
    }
    case "agents": {
      const { agents } = await client.call("agent.list", {});
      return agents.map(({ agent_id, name, state }) => ({
        word: agent_id,
        about: `${name}, ${state}`,
      }));
    }
    case "schedules": {
      const { schedules } = await client.call("schedule.list", {});
      return named(schedules.map(({ schedule_id }) => schedule_id));
    }
    case "roles": {
      const { roles } = await client.call("role.list", {}).catch(() => ({ roles: roleFiles(at) }));
      return roles.map(({ role }) => ({
        word: role.name,
        about: role.system_prompt.split("\n")[0] ?? "",
      }));
    }
    case "manifests":
      return named([
        ...loadManifests(catalog(at.vendorManifestsDir, at.operatorManifestsDir)).manifests.keys(),
      ]);
    case "skills":
      return named([...foldersIn(at.vendorSkillsDir), ...foldersIn(at.operatorSkillsDir)]);
    case "providers": {
      const own = Object.keys(readProviders(at.providersFile).providers);
      return named([...new Set([...own, ...WELL_KNOWN.map(({ name }) => name), "builtin"])]);
    }
    case "kinds":
      return named(EVENT_KINDS);
    case "approvals":
      return [];
  }
}

function named(words: readonly string[]): readonly Candidate[] {
  return words.map((word) => ({ word, about: "" }));
}

function catalog(vendor: string, operator: string) {
  return [
    { dir: vendor, origin: "vendor" as const },
    { dir: operator, origin: "operator" as const },
  ];
}

function roleFiles({ vendorRolesDir, operatorRolesDir }: Places) {
  return [...loadRoles(catalog(vendorRolesDir, operatorRolesDir)).roles.values()];
}

function foldersIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
