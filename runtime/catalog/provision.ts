import { stringify } from "yaml";
import { z } from "zod";
import {
  OPERATOR,
  ProvisionFile,
  ProvisionNetwork,
  withoutSecrets,
} from "../protocol/provision-file.js";
import { inOurWords, leftAlone, UserData, untakable } from "./cloud-config.js";
import { type FileProblem, formatField } from "./file-problem.js";
import { parseYaml } from "./parse-file.js";
import { checkRole } from "./role-checks.js";
import { checkPolicy } from "./settings.js";

export type ReadProvision =
  | {
      readonly ok: true;
      readonly file: ProvisionFile;
      readonly notes: readonly string[];
      /** A fault that only the machine can see, as a fault of the text. */
      readonly problemAt: (fault: Fault) => FileProblem;
    }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string | null;
}

/** aaos.yaml, or cloud-init's user-data, which begins with `#cloud-config`. One wrong line refuses the whole. */
export function readProvision(text: string, file: string): ReadProvision {
  if (/^#cloud-config\s*$/m.test(text.split("\n", 1)[0] ?? "")) return readUserData(text, file);
  const parsed = parseYaml(ProvisionFile, text, file);
  if (!parsed.ok) return parsed;
  const { value, document } = parsed;
  const problemAt = ({ path, message, hint }: Fault): FileProblem => ({
    ...{ file, ...document.at(path), field: formatField(path), message, hint },
  });
  const problems = findings(value).map((fault) =>
    problemAt({ ...fault, hint: fault.hint ?? null }),
  );
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, file: value, notes: [], problemAt };
}

/** What the schema cannot see: roles and policy as their own files are judged, and names given twice. */
function findings(value: ProvisionFile) {
  const { policy, roles, users } = value;
  const twice = users.flatMap(({ name }, i) =>
    users.findIndex((user) => user.name === name) < i
      ? [{ path: ["users", i, "name"], message: `'${name}' is there twice`, hint: null }]
      : [],
  );
  const notAdmin = users.flatMap(({ name, admin }, i) =>
    name === OPERATOR && !admin
      ? [
          {
            path: ["users", i, "admin"],
            message: `'${name}' is the operator, who is an admin`,
            hint: null,
          },
        ]
      : [],
  );
  const ofRoles = roles.flatMap((role, i) =>
    checkRole(role).map((fault) => ({ ...fault, path: ["roles", i, ...fault.path] })),
  );
  const ofPolicy = (policy === undefined ? [] : checkPolicy(policy)).map((fault) => ({
    ...fault,
    path: ["policy", ...fault.path],
  }));
  return [...twice, ...notAdmin, ...ofRoles, ...ofPolicy];
}

function readUserData(text: string, file: string): ReadProvision {
  const parsed = parseYaml(UserData, text, file);
  if (!parsed.ok) return parsed;
  const { aaos } = parsed.value;
  const checked = ProvisionFile.safeParse(inOurWords(parsed.value));
  const judged = checked.success
    ? findings(checked.data)
    : checked.error.issues.map((issue) => ({
        path: issue.path.map((key) => (typeof key === "number" ? key : String(key))),
        message: issue.message,
        hint: null,
      }));
  const problemAt = ({ path, message, hint }: Fault): FileProblem => ({
    file,
    // Our own key holds the fields by their names; the others have cloud-init's.
    ...parsed.document.at(
      Object.hasOwn(aaos, String(path[0])) ? ["aaos", ...path] : cloudPath(path),
    ),
    ...{ field: formatField(path), message, hint },
  });
  const faults = [...untakable(parsed.value), ...judged];
  const problems = faults.map(({ path, message }) => problemAt({ path, message, hint: null }));
  if (problems.length > 0 || !checked.success) return { ok: false, problems };
  const ignored = leftAlone(parsed.value);
  const notes =
    ignored.length === 0 ? [] : [`left alone, for it is cloud-init's: ${ignored.join(", ")}`];
  return { ok: true, file: checked.data, notes, problemAt };
}

const CLOUD_NAMES: Readonly<Record<string, string>> = {
  files: "write_files",
  ssh_keys: "ssh_authorized_keys",
  password_hash: "passwd",
};

function cloudPath(path: readonly (string | number)[]): readonly (string | number)[] {
  return path.map((key) => CLOUD_NAMES[String(key)] ?? key);
}

/** network-config of a NoCloud volume: version 2, with or without the key `network` around it. */
export function readNetworkConfig(text: string, file: string) {
  const Wrapped = z.strictObject({ network: ProvisionNetwork });
  const isWrapped = /^network:/m.test(text);
  const parsed = isWrapped
    ? parseYaml(Wrapped, text, file)
    : parseYaml(ProvisionNetwork, text, file);
  if (!parsed.ok) return parsed;
  const network = "network" in parsed.value ? parsed.value.network : parsed.value;
  return { ok: true as const, network };
}

/** The YAML of what was applied, without its secrets. */
export function appliedText(file: ProvisionFile): string {
  const kept = JSON.parse(JSON.stringify(withoutSecrets(file))) as object;
  return `# What this machine was given at its first boot, or by \`agentd provision apply\`, without its secrets.\n${stringify(kept, { lineWidth: 0 })}`;
}

export function holdsSecrets(file: ProvisionFile): boolean {
  return yamlText(file) !== yamlText(withoutSecrets(file));
}

/** One role as a file of its own, one policy as its file. */
export function yamlText(value: object): string {
  return stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0 });
}
