import { Role } from "../protocol/role.js";
import { type FileProblem, formatField } from "./file-problem.js";
import { type CatalogDir, type Loaded, loadDirs } from "./load-dirs.js";
import { parseYaml } from "./parse-file.js";
import { checkRole } from "./role-checks.js";

export type ParsedRole =
  | { readonly ok: true; readonly role: Role }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A role's YAML, whole: its shape, and that every capability, placeholder and output in it means something. */
export function parseRole(text: string, file: string): ParsedRole {
  const parsed = parseYaml(Role, text, file);
  if (!parsed.ok) return parsed;
  const problems = checkRole(parsed.value).map(({ path, message, hint }) => ({
    file,
    ...parsed.document.at(path),
    field: formatField(path),
    message,
    hint,
  }));
  return problems.length === 0 ? { ok: true, role: parsed.value } : { ok: false, problems };
}

export interface LoadedRole {
  readonly role: Role;
  readonly file: string;
  readonly origin: CatalogDir["origin"];
}

/** The roles of the directories by name; later directories shadow earlier ones, a broken file disables its own name only. */
export function loadRoles(dirs: readonly CatalogDir[]): {
  readonly roles: ReadonlyMap<string, LoadedRole>;
  readonly problems: readonly FileProblem[];
} {
  const { entries, problems } = loadDirs(dirs, (text, file) => {
    const parsed = parseRole(text, file);
    return parsed.ok ? { ok: true, value: parsed.role } : parsed;
  });
  const asRole = ({ value, file, origin }: Loaded<Role>): LoadedRole => ({
    role: value,
    file,
    origin,
  });
  return { roles: new Map([...entries].map(([name, entry]) => [name, asRole(entry)])), problems };
}
