import { lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, errorText } from "../../base/error-text.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { ProvidersFile } from "../../protocol/providers-file.js";
import { bad, good, poor } from "./check.js";

const OPEN_TO_OTHERS = 0o077;

/** The owner and mode of every secret on disk: they belong to whom the folder above them belongs to, and to nobody else. */
export function secretModeChecks(dir: string): readonly DoctorCheck[] {
  const name = "credentials";
  const ownerUid = lstatSync(dirname(dir), { throwIfNoEntry: false })?.uid ?? 0;
  let names: readonly string[];
  try {
    names = readdirSync(dir);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === "ENOENT") return [good(name, `no secrets in ${dir}`)];
    if (errno === "EACCES")
      return [good(name, `${dir} can be seen by root alone, as it should be`)];
    return [bad(name, errorText(thrown), `Make ${dir} a folder of root's, mode 0700.`)];
  }
  const faults = [dir, ...names.map((each) => join(dir, each))].flatMap((path) =>
    modeFault(path, ownerUid),
  );
  return faults.length > 0 ? faults : [good(name, `${names.length} in ${dir}, private`)];
}

function modeFault(path: string, ownerUid: number): readonly DoctorCheck[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  const mode = stat.mode & 0o777;
  const fix = `chown ${ownerUid}:0 ${path}; chmod ${stat.isDirectory() ? "0700" : "0600"} ${path}`;
  if (stat.isSymbolicLink())
    return [bad("credentials", `${path} is a link`, "Put the secret itself into a file there.")];
  if ((mode & OPEN_TO_OTHERS) !== 0)
    return [bad("credentials", `${path} has mode 0${mode.toString(8)}: others may use it`, fix)];
  if (stat.uid !== ownerUid)
    return [poor("credentials", `${path} belongs to uid ${stat.uid}`, fix)];
  return [];
}

/** Whether each provider that needs a key has one, as whoever calls can tell. */
export function keyChecks(
  providers: ProvidersFile["providers"],
  has: (credential: string) => boolean,
): readonly DoctorCheck[] {
  return Object.entries(providers).flatMap(([provider, entry]) => {
    if (entry.api === "builtin" || entry.credential === undefined) return [];
    const name = `credential ${entry.credential}`;
    if (has(entry.credential)) return [good(name, `provider ${provider} has its key`)];
    const remedy = `Run \`agentd configure --provider ${provider}\`.`;
    return [bad(name, `provider ${provider} has no key`, remedy)];
  });
}
