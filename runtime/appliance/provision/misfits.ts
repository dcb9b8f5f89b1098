import { existsSync } from "node:fs";
import { join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { places } from "../../protocol/places.js";
import { KEPT, type ProvisionFile, secretsOf } from "../../protocol/provision-file.js";
import { candidateFile } from "../configure/apply-provider.js";
import { credentialFiles } from "../credential-files.js";
import type { Machine } from "../machine.js";
import { groupsOf, usersOf } from "./accounts.js";
import { fileMisfits } from "./file-misfits.js";
import type { Misfit } from "./misfit.js";

export const ZONES = "/usr/share/zoneinfo";

/**
 * What the schema cannot know: this machine's time zones, groups and credentials, the provider beside those that it has, and where files
 * may lie. What is applied after this has no reason of the file's to stop half-way.
 */
export function misfits(file: ProvisionFile, machine: Machine): readonly Misfit[] {
  return [
    ...zoneMisfits(file, machine),
    ...userMisfits(file, machine),
    ...providerMisfits(file, machine),
    ...fileMisfits(file, machine),
    ...secretMisfits(file, machine),
  ];
}

function zoneMisfits({ timezone }: ProvisionFile, machine: Machine): readonly Misfit[] {
  if (
    timezone === undefined ||
    !existsSync(machine.at(ZONES)) ||
    existsSync(machine.at(join(ZONES, timezone)))
  )
    return [];
  return [
    {
      path: ["timezone"],
      message: `there is no ${timezone} in ${ZONES}`,
      hint: "`timedatectl list-timezones` shows them.",
    },
  ];
}

/** useradd(8) gives each user a group of the same name, and makes none where there is one. */
function userMisfits({ users }: ProvisionFile, machine: Machine): readonly Misfit[] {
  const groups = groupsOf(machine.at);
  const accounts = usersOf(machine.at);
  return users.flatMap(({ name }, i) =>
    groups.has(name) && !accounts.has(name)
      ? [
          {
            path: ["users", i, "name"],
            message: `'${name}' is a group of the system`,
            hint: "Choose another name.",
          },
        ]
      : [],
  );
}

function providerMisfits({ provider }: ProvisionFile, machine: Machine): readonly Misfit[] {
  if (provider === undefined) return [];
  const { key, ...choice } = provider;
  try {
    candidateFile(places({ root: machine.at("/") }), { ...choice, has_key: key !== undefined });
    return [];
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    return [{ path: ["provider"], message: thrown.message, hint: thrown.hint }];
  }
}

/** A file that was applied has words in the place of its secrets, which are those of the machine that has them. */
function secretMisfits(file: ProvisionFile, machine: Machine): readonly Misfit[] {
  return secretsOf(file).flatMap(({ name, secret, path }) => {
    const { plain, sealed } = credentialFiles(name);
    if (secret !== KEPT || existsSync(machine.at(plain)) || existsSync(machine.at(sealed)))
      return [];
    return [
      {
        path,
        message: `there is no credential '${name}' here that was kept`,
        hint: "Give the secret itself.",
      },
    ];
  });
}
