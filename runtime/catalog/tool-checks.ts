import { suggest } from "../base/suggest.js";
import { parseGrant } from "../policy/grammar.js";
import type { CapabilitySource } from "../protocol/capability.js";
import { TOOL_NAMES } from "../protocol/tool-names.js";
import type { FieldPath } from "./file-problem.js";

/** Something that the schema of a role or manifest cannot see. */
export interface Finding {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint: string | null;
}

/** Names of tools that do not exist, in `tool:` capabilities and under `approval_required`; an MCP server's are its own affair. */
export function checkToolNames(file: {
  readonly capabilities: readonly CapabilitySource[];
  readonly approval_required: readonly string[];
}): readonly Finding[] {
  const granted = file.capabilities.flatMap((source, i) => {
    const parsed = parseGrant(source);
    if (!parsed.ok || parsed.grant.capability.kind !== "tool") return [];
    return unknown(["capabilities", i], parsed.grant.capability.name);
  });
  const approved = file.approval_required.flatMap((name, i) =>
    unknown(["approval_required", i], name),
  );
  return [...granted, ...approved];
}

function unknown(path: FieldPath, name: string): readonly Finding[] {
  const names: readonly string[] = TOOL_NAMES;
  if (name === "*" || name.startsWith("mcp.") || names.includes(name)) return [];
  const near = suggest(name, names);
  const hint = near === undefined ? `the tools are ${names.join(", ")}` : `did you mean ${near}?`;
  return [{ path, message: `there is no tool '${name}'`, hint }];
}
