import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { editYaml } from "../../catalog/edit-yaml.js";
import { formatField } from "../../catalog/file-problem.js";
import { appliedText, yamlText } from "../../catalog/provision.js";
import { readText } from "../../catalog/read-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { type Places, places } from "../../protocol/places.js";
import {
  KEPT,
  OPERATOR,
  type ProvisionFile,
  type ProvisionUser,
  secretsOf,
} from "../../protocol/provision-file.js";
import { syncDirectory } from "../../store/sync-directory.js";
import { applyProvider } from "../configure/apply-provider.js";
import { type Machine, mustRun } from "../machine.js";
import type { VerbContext } from "../verb.js";
import { setCredential } from "../verbs/set-credential.js";
import { writeFileWhole } from "../write-file.js";
import { groupsOf } from "./accounts.js";
import { fetchKeys } from "./fetch-keys.js";
import { misfits, ZONES } from "./misfits.js";
import { networkFiles } from "./network-files.js";

const KEYS_DIR = "/etc/aaos/ssh/authorized_keys.d";
const ADMINS = "aaos-admin";

/**
 * Makes the machine what the file says. Everything that can be refused is refused before anything is changed; key lists are read
 * before, too. `/etc/aaos/aaos.yaml` comes last: where it is, the file was applied whole.
 */
export async function applyProvision(
  file: ProvisionFile,
  context: VerbContext,
  request: typeof fetch,
  /** False for one answer of the dialog: then `aaos.yaml` is not written, and the machine does not count as provisioned. */
  { keep }: { readonly keep: boolean } = { keep: true },
): Promise<readonly string[]> {
  const { machine, signal } = context;
  const [misfit] = misfits(file, machine);
  if (misfit !== undefined)
    throw new AgentdError(
      "invalid_file",
      "apply aaos.yaml",
      `${formatField(misfit.path)}: ${misfit.message}`,
      { hint: misfit.hint },
    );
  const keys = await fetchKeys(file, request, signal);
  const at = places({ root: machine.at("/") });
  const did: string[] = [];
  const say = (what: string): void => {
    did.push(what);
    context.progress(what);
  };
  if (file.hostname !== undefined) await setHostName(file.hostname, context, say);
  if (file.timezone !== undefined) setTimeZone(file.timezone, context, say);
  for (const [i, user] of file.users.entries()) await setUser(user, keys[i] ?? [], context, say);
  if (file.network !== undefined) await setNetwork(file.network, context, say);
  for (const { path, content, permissions } of file.files) {
    writeFileWhole(machine.at(path), content, { mode: Number.parseInt(permissions, 8) });
    say(`file ${path}`);
  }
  if (file.policy !== undefined) {
    writeFileWhole(at.policyFile, yamlText(file.policy), { mode: 0o644 });
    say("policy.yaml");
  }
  for (const role of file.roles) {
    writeFileWhole(join(at.operatorRolesDir, `${role.name}.yaml`), yamlText(role), { mode: 0o644 });
    say(`role ${role.name}`);
  }
  for (const { name, secret } of secretsOf(file)) {
    if (secret === KEPT) continue; // there is one already
    await setCredential({ name, secret }, context);
    say(`credential ${name}`);
  }
  if (file.provider !== undefined) {
    await applyProvider(at, file.provider, context);
    say(`provider ${file.provider.provider}`);
  }
  if (file.upgrade !== undefined) {
    setUpgrade(at.settingsFile, file.upgrade);
    say(`upgrades from ${file.upgrade.channel}`);
  }
  if (keep) await keepApplied(file, at, context);
  return did;
}

/** What programs wrote (the folders of users) is on the disk before the file says that all of it is. */
async function keepApplied(
  file: ProvisionFile,
  { configDir }: Places,
  { machine, signal }: VerbContext,
): Promise<void> {
  if (machine.has("sync"))
    await mustRun(machine, "sync", ["--file-system", machine.at("/etc")], { signal });
  writeFileWhole(join(configDir, "aaos.yaml"), appliedText(file), { mode: 0o644 });
}

/** Beside what agentd.yaml says already. */
function setUpgrade(file: string, upgrade: NonNullable<ProvisionFile["upgrade"]>): void {
  const changes = Object.entries(upgrade).flatMap(([key, value]) =>
    value === undefined ? [] : [{ path: ["upgrade", key], value }],
  );
  const read = readText(file);
  writeFileWhole(file, editYaml(read.ok ? read.text : "", changes), { mode: 0o644 });
}

async function setHostName(
  name: string,
  { machine, signal }: VerbContext,
  say: (what: string) => void,
): Promise<void> {
  writeFileWhole(machine.at("/etc/hostname"), `${name}\n`, { mode: 0o644 });
  if (machine.has("hostname")) await mustRun(machine, "hostname", [name], { signal });
  say(`host name ${name}`);
}

function setTimeZone(zone: string, { machine }: VerbContext, say: (what: string) => void): void {
  const link = machine.at("/etc/localtime");
  const part = `${link}.aaos`;
  rmSync(part, { force: true });
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join(ZONES, zone), part);
  renameSync(part, link);
  syncDirectory(dirname(link));
  say(`time zone ${zone}`);
}

/** Makes the user where there is none. Keys belong to root and to no slot: sshd's AuthorizedKeysFile looks here. */
async function setUser(
  { name, admin, password_hash }: ProvisionUser,
  keys: readonly string[],
  { machine, signal }: VerbContext,
  say: (what: string) => void,
): Promise<void> {
  const groups = admin ? `aaos,${ADMINS}` : "aaos";
  const exists =
    machine.has("id") && (await machine.run("id", ["-u", name], { signal })).status === 0;
  if (!exists)
    await mustRun(
      machine,
      "useradd",
      ["--create-home", "--shell", "/bin/bash", "--groups", groups, name],
      { signal },
    );
  // The operator's own account is the daemon's too, and gets its groups at its login (pam_group).
  else if (name !== OPERATOR)
    await mustRun(machine, "usermod", ["--append", "--groups", groups, name], { signal });
  if (!admin && groupsOf(machine.at).get(ADMINS)?.includes(name) === true)
    await mustRun(machine, "gpasswd", ["--delete", name, ADMINS], { signal });
  setKeys(name, keys, machine);
  if (password_hash !== undefined)
    await mustRun(machine, "chpasswd", ["--encrypted"], {
      stdin: `${name}:${password_hash}\n`,
      signal,
    });
  say(`user ${name} with ${keys.length} keys`);
}

/** The keys by which a user may come in, in place of those before; none is no file. */
export function setKeys(name: string, keys: readonly string[], machine: Machine): void {
  const file = machine.at(join(KEYS_DIR, name));
  if (keys.length > 0) writeFileWhole(file, `${keys.join("\n")}\n`, { mode: 0o644 });
  else rmSync(file, { force: true });
}

async function setNetwork(
  network: NonNullable<ProvisionFile["network"]>,
  { machine, signal }: VerbContext,
  say: (what: string) => void,
): Promise<void> {
  for (const [file, text] of networkFiles(network)) {
    writeFileWhole(machine.at(file), text, { mode: 0o644 });
    say(file);
  }
  // Where systemd-networkd does not run yet it reads them at its start.
  if (machine.has("networkctl")) await machine.run("networkctl", ["reload"], { signal });
}
