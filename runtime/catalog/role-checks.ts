import { suggest } from "../base/suggest.js";
import { checkTemplate } from "../policy/expand.js";
import { ERROR_CODES } from "../protocol/error-code.js";
import type { Role } from "../protocol/role.js";
import type { FieldPath } from "./file-problem.js";
import { checkToolNames, type Finding } from "./tool-checks.js";

/** Everything that is wrong in a role whose shape is right: capabilities, placeholders, aliases, ladder, outputs. */
export function checkRole(role: Role): readonly Finding[] {
  return [
    ...role.capabilities.flatMap((_, i) => checkCapability(role, i)),
    ...checkToolNames(role),
    ...checkMessage(role),
    ...checkAliases(role),
    ...checkLadder(role),
    ...checkOutput(role),
    ...checkScaffold(role),
    ...checkRetry(role),
  ];
}

/** The parameters whose value is a file that the role must leave behind: those of a capability exactly `file_write: {P}`. */
export function declaredOutputs(role: Role): readonly string[] {
  const names = role.capabilities.map((source) => {
    const text =
      typeof source === "string" ? /^file_write:(.*)$/s.exec(source)?.[1] : source["file_write"];
    return typeof text === "string" ? /^\{([a-z][a-z0-9_]*)\}$/.exec(text.trim())?.[1] : undefined;
  });
  return [...new Set(names.filter((name) => name !== undefined))];
}

function checkCapability(role: Role, index: number): readonly Finding[] {
  const source = role.capabilities[index];
  if (source === undefined) return [];
  const path = ["capabilities", index];
  const checked = checkTemplate(source);
  if (!checked.ok) return [{ path, message: checked.problem, hint: null }];
  return checked.placeholders.flatMap(({ name, isEach }) => {
    const parameter = role.parameters[name];
    if (parameter === undefined) return [undeclared(role, path, name)];
    const isList = parameter.type === "string_list";
    if (isList === isEach) return [];
    const hint = isList ? `write {${name}.*}` : `write {${name}}, or make it a string_list`;
    return [{ path, message: `'${name}' is a ${parameter.type}`, hint }];
  });
}

function checkMessage(role: Role): readonly Finding[] {
  const names = [...role.message_template.matchAll(/\{([a-z][a-z0-9_]*)(?:\.\*)?\}/g)];
  const unknown = new Set(
    names.map(([, name = ""]) => name).filter((name) => !Object.hasOwn(role.parameters, name)),
  );
  return [...unknown].map((name) => undeclared(role, ["message_template"], name));
}

function undeclared(role: Role, path: FieldPath, name: string): Finding {
  const near = suggest(name, Object.keys(role.parameters));
  const hint = near === undefined ? "declare it under parameters" : `did you mean {${near}}?`;
  return { path, message: `{${name}} is no parameter of this role`, hint };
}

function checkAliases(role: Role): readonly Finding[] {
  const taken = new Map(Object.keys(role.parameters).map((name) => [name, name]));
  const findings: Finding[] = [];
  for (const [name, { aliases }] of Object.entries(role.parameters)) {
    for (const [i, alias] of aliases.entries()) {
      const owner = taken.get(alias);
      if (owner === undefined) taken.set(alias, name);
      else {
        const path = ["parameters", name, "aliases", i];
        findings.push({
          path,
          message: `'${alias}' already names '${owner}'`,
          hint: "choose another",
        });
      }
    }
  }
  return findings;
}

function checkLadder({ model, model_ladder: [first] }: Role): readonly Finding[] {
  if (first === undefined || first === model) return [];
  const message = `begins with '${first}', but model is '${model}'`;
  return [{ path: ["model_ladder", 0], message, hint: "begin the ladder with the role's model" }];
}

function checkOutput(role: Role): readonly Finding[] {
  if (!role.require_declared_output || declaredOutputs(role).length > 0) return [];
  const hint = 'add the capability "file_write: {output}" with a parameter output';
  return [{ path: ["require_declared_output"], message: "but no output is declared", hint }];
}

function checkScaffold(role: Role): readonly Finding[] {
  if (role.scaffold === undefined) return [];
  const missing = ["url", "output"].filter((name) => !Object.hasOwn(role.parameters, name));
  return missing.map((name) => ({
    path: ["scaffold"],
    message: `the fetcher needs the parameter '${name}'`,
    hint: "declare it under parameters",
  }));
}

/** `on` names kinds of errors, those of docs/errors.md; a name that is none would never come true. */
function checkRetry({ retry }: Role): readonly Finding[] {
  const kinds = Object.keys(ERROR_CODES);
  return (retry?.on ?? []).flatMap((kind, i) => {
    if (kinds.includes(kind)) return [];
    const near = suggest(kind, kinds);
    const hint = near === undefined ? "docs/errors.md has the kinds" : `did you mean ${near}?`;
    return [{ path: ["retry", "on", i], message: `'${kind}' is no kind of error`, hint }];
  });
}
