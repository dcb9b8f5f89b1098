import type { z } from "zod";
import { suggest } from "../base/suggest.js";
import { normaliseGlob } from "../policy/glob-syntax.js";
import { parseGrant } from "../policy/grammar.js";
import { parseNetworkRule } from "../policy/hosts.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { WELL_KNOWN } from "../protocol/known-providers.js";
import { McpFile } from "../protocol/mcp-file.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { ProvidersFile } from "../protocol/providers-file.js";
import { Settings } from "../protocol/settings.js";
import { type FieldPath, type FileProblem, formatField, formatProblem } from "./file-problem.js";
import { parseYaml } from "./parse-file.js";
import { readText } from "./read-text.js";

/** A check that the schema cannot make. */
interface Finding {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** agentd.yaml. Absent or empty gives the defaults; broken throws `invalid_file` with every problem. */
export function readSettings(file: string): Settings {
  return readConfig(Settings, file, () => []);
}

/** providers.yaml, as `readSettings`; every name in it leads somewhere. */
export function readProviders(file: string): ProvidersFile {
  return readConfig(ProvidersFile, file, checkProviders);
}

/** policy.yaml, as `readSettings`; its paths, hosts and programs are well-formed. */
export function readPolicy(file: string): PolicyFile {
  return readConfig(PolicyFile, file, checkPolicy);
}

/** mcp-servers.yaml, as `readSettings`; absent turns both halves off. Its capabilities are well-formed, its names its own. */
export function readMcpServers(file: string): McpFile {
  return readConfig(McpFile, file, checkMcpServers);
}

function readConfig<T>(
  schema: z.ZodType<T>,
  file: string,
  check: (value: T) => readonly Finding[],
): T {
  const read = readText(file);
  if (!read.ok && !read.absent) {
    const { message, hint } = read;
    throw broken(file, [{ file, line: 1, column: 1, field: "", message, hint }]);
  }
  const parsed = parseYaml(schema, read.ok ? read.text : "", file);
  if (!parsed.ok) throw broken(file, parsed.problems);
  const problems = check(parsed.value).map(({ path, message, hint }) => ({
    file,
    ...parsed.document.at(path),
    field: formatField(path),
    message,
    hint: hint ?? null,
  }));
  if (problems.length > 0) throw broken(file, problems);
  return parsed.value;
}

function broken(file: string, problems: readonly FileProblem[]): AgentdError {
  return new AgentdError("invalid_file", `read ${file}`, problems.map(formatProblem).join("\n"), {
    hint: "Correct the lines named, then `agentd doctor`.",
  });
}

function checkProviders(file: ProvidersFile): readonly Finding[] {
  const entries = Object.keys(file.providers);
  // Without an entry of the operator's the well-known ones are there, as soon as their keys are.
  const known = entries.length > 0 ? entries : WELL_KNOWN.map(({ name }) => name);
  const names = new Set([...known, "builtin"]);
  const findings: Finding[] = [];
  const unknown = (path: FieldPath, name: string): void => {
    if (names.has(name)) return;
    findings.push({
      path,
      message: `names the provider '${name}', which is not there`,
      hint: near(name, names),
    });
  };
  if (file.default !== undefined) unknown(["default"], file.default);
  for (const [id, model] of Object.entries(file.models))
    unknown(["models", id, "provider"], model.provider);
  const { builtin } = file.providers;
  if (builtin !== undefined && builtin.api !== "builtin") {
    findings.push({
      path: ["providers", "builtin"],
      message: "is the name of the provider inside aaOS",
      hint: "choose another name",
    });
  }
  return [...findings, ...checkAliases(file)];
}

/** An alias leads to a model: one that is described, or any other where a default provider takes it. */
function checkAliases(file: ProvidersFile): readonly Finding[] {
  const models = new Set(Object.keys(file.models));
  const findings: Finding[] = [];
  for (const [alias, model] of Object.entries(file.aliases)) {
    const path = ["aliases", alias];
    if (models.has(model)) continue;
    if (Object.hasOwn(file.aliases, model)) {
      findings.push({ path, message: `leads to the alias '${model}'`, hint: "name a model" });
    } else if (file.default === undefined) {
      const message = `names '${model}', which is not in models, and there is no default provider to take it`;
      findings.push({ path, message, hint: near(model, models) });
    }
  }
  return findings;
}

function checkMcpServers({ client }: McpFile): readonly Finding[] {
  const names = client.servers.map(({ name }) => name);
  return client.servers.flatMap(({ name, capabilities }, i) => [
    ...(names.indexOf(name) === i
      ? []
      : [{ path: ["client", "servers", i, "name"], message: `'${name}' is there twice` }]),
    ...capabilities.flatMap((source, at) => {
      const parsed = parseGrant(source);
      const path = ["client", "servers", i, "capabilities", at];
      return parsed.ok ? [] : [{ path, message: parsed.problem }];
    }),
  ]);
}

export function checkPolicy({ read, write, network, exec }: PolicyFile): readonly Finding[] {
  return [
    ...checkEach(["read", "allow"], read.allow, rootProblem),
    ...checkEach(["read", "deny"], read.deny, rootProblem),
    ...checkEach(["write", "allow"], write.allow, rootProblem),
    ...checkEach(["write", "deny"], write.deny, rootProblem),
    ...checkEach(["network", "allow"], network.allow, hostProblem),
    ...checkEach(["network", "deny"], network.deny, hostProblem),
    ...checkEach(["exec", "allow"], exec.allow, programProblem),
  ];
}

function checkEach(
  list: FieldPath,
  entries: readonly string[],
  problem: (entry: string) => string | undefined,
): readonly Finding[] {
  return entries.flatMap((entry, i) => {
    const message = problem(entry);
    return message === undefined ? [] : [{ path: [...list, i], message }];
  });
}

function rootProblem(root: string): string | undefined {
  const normal = normaliseGlob(root);
  return normal.ok ? undefined : normal.problem;
}

function hostProblem(entry: string): string | undefined {
  const rule = parseNetworkRule(entry);
  return rule.ok ? undefined : rule.problem;
}

function programProblem(program: string): string | undefined {
  const parsed = parseGrant({ exec: program });
  if (!parsed.ok) return parsed.problem;
  const isBare =
    parsed.grant.capability.kind === "exec" && parsed.grant.capability.subcommands === null;
  return isBare ? undefined : `'${program}': name one program, without subcommands`;
}

function near(name: string, known: ReadonlySet<string>): string | undefined {
  const word = suggest(name, [...known]);
  if (word !== undefined) return `did you mean ${word}?`;
  return known.size === 0 ? undefined : `known are ${[...known].join(", ")}`;
}
