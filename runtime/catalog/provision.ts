import { stringify } from "yaml";
import { z } from "zod";
import {
  HostName,
  ProvisionFile,
  ProvisionNetwork,
  withoutSecrets,
} from "../protocol/provision-file.js";
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

/** The operator's login, which keys without a user are for. */
const OPERATOR = "aaos";

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

const CloudUser = z.looseObject({
  name: z.string(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  passwd: z.string().optional(),
  groups: z.union([z.string(), z.array(z.string())]).optional(),
});
const CloudFile = z.looseObject({
  path: z.string(),
  content: z.string().default(""),
  encoding: z.enum(["b64", "base64", "text/plain"]).default("text/plain"),
  permissions: z.string().optional(),
});
/** What is understood of cloud-init's user-data. Everything else in it is told and left alone. */
const UserData = z.looseObject({
  hostname: HostName.optional(),
  timezone: z.string().optional(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  users: z.array(z.union([z.literal("default"), CloudUser])).default([]),
  write_files: z.array(CloudFile).default([]),
  network: ProvisionNetwork.optional(),
  aaos: z.record(z.string(), z.unknown()).default({}),
});
const KNOWN = new Set(Object.keys(UserData.shape));

function readUserData(text: string, file: string): ReadProvision {
  const parsed = parseYaml(UserData, text, file);
  if (!parsed.ok) return parsed;
  const { aaos, ...data } = parsed.value;
  const named = data.users.filter((user) => user !== "default");
  const users = named.map(({ name, ssh_authorized_keys, passwd }) => ({
    name,
    ssh_keys: ssh_authorized_keys,
    ...(passwd === undefined ? {} : { password_hash: passwd }),
  }));
  const own = data.ssh_authorized_keys;
  const whole = {
    ...(data.hostname === undefined ? {} : { hostname: data.hostname }),
    ...(data.timezone === undefined ? {} : { timezone: data.timezone }),
    ...(data.network === undefined ? {} : { network: data.network }),
    users: own.length === 0 ? users : [...users, { name: OPERATOR, ssh_keys: own }],
    files: data.write_files.map(({ path, content, encoding, permissions }) => ({
      path,
      content:
        encoding === "text/plain" ? content : Buffer.from(content, "base64").toString("utf8"),
      ...(permissions === undefined ? {} : { permissions }),
    })),
    ...aaos,
  };
  const checked = ProvisionFile.safeParse(whole);
  const faults = checked.success
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
  const problems = faults.map(({ path, message }) => problemAt({ path, message, hint: null }));
  if (problems.length > 0 || !checked.success) return { ok: false, problems };
  const ignored = Object.keys(parsed.value).filter((key) => !KNOWN.has(key));
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

/** One role as a file of its own, one policy as its file. */
export function yamlText(value: object): string {
  return stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0 });
}
