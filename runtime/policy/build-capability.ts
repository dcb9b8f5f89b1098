import { assertNever } from "../base/assert-never.js";
import type { Capability, CapabilityKind, HostPattern } from "../protocol/capability.js";
import { normaliseGlob, splitPath } from "./glob-syntax.js";
import { parseHostEntry } from "./host-pattern.js";
import { WRITTEN } from "./source.js";

export type BuiltCapability =
  | { readonly ok: true; readonly capability: Capability }
  | { readonly ok: false; readonly problem: string };

const AGENT = /^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$/;
const TOOL = /^(\*|[A-Za-z][A-Za-z0-9_-]{0,127}|mcp\.[A-Za-z0-9_-]+\.(\*|[A-Za-z0-9_.-]+))$/;
const PROGRAM = /^([A-Za-z0-9][A-Za-z0-9._+-]*|\/[^\s*\\]+)$/;
const SUBCOMMAND = /^[A-Za-z0-9_./:@+][^\s|,*\\]*$/;

function refuse(problem: string): BuiltCapability {
  return { ok: false, problem };
}

/**
 * One capability of its items. The items are final: none is split any further, so that one item can never become two hosts
 * or two names.
 */
export function buildCapability(kind: CapabilityKind, items: readonly string[]): BuiltCapability {
  const [item = ""] = items;
  switch (kind) {
    case "file_read":
    case "file_write":
      return buildFile(kind, item);
    case "exec":
      return buildExec(item);
    case "network":
      return buildNetwork(items);
    case "web_search":
      return { ok: true, capability: { kind } };
    case "tool":
      return TOOL.test(item)
        ? { ok: true, capability: { kind, name: item } }
        : refuse(
            `tool: '${item}' is no tool name; write '${WRITTEN.tool}' or 'tool: mcp.SERVER.TOOL'`,
          );
    case "spawn_child": {
      const problem = listProblem(kind, items);
      return problem ?? { ok: true, capability: { kind, roles: [...items] } };
    }
    case "message_send": {
      const problem = listProblem(kind, items);
      return problem ?? { ok: true, capability: { kind, agents: [...items] } };
    }
    case "cargo_run":
    case "git_commit":
      return buildDir(kind, item);
    default:
      return assertNever(kind);
  }
}

function buildFile(kind: "file_read" | "file_write", item: string): BuiltCapability {
  const normal = normaliseGlob(item);
  if (!normal.ok) return refuse(`${kind}: ${normal.problem}`);
  return { ok: true, capability: { kind, glob: normal.glob } };
}

function buildDir(kind: "cargo_run" | "git_commit", item: string): BuiltCapability {
  const normal = normaliseGlob(item);
  if (!normal.ok) return refuse(`${kind}: ${normal.problem}`);
  if (/[*\\]/.test(normal.glob)) {
    return refuse(`${kind}: name the directory itself, without a star: '${WRITTEN[kind]}'`);
  }
  return { ok: true, capability: { kind, dir: normal.glob } };
}

function buildExec(item: string): BuiltCapability {
  const [program = "", subcommands, ...rest] = item.replace(/\s*\|\s*/g, "|").split(/\s+/);
  const isPath = program.startsWith("/");
  if (!PROGRAM.test(program) || (isPath && splitPath(program) === undefined)) {
    return refuse(`exec: '${program}' is no program name; write '${WRITTEN.exec}'`);
  }
  if (rest.length > 0) {
    return refuse(`exec: separate subcommands by '|', as in '${WRITTEN.exec}'`);
  }
  if (subcommands === undefined) {
    return { ok: true, capability: { kind: "exec", program, subcommands: null } };
  }
  const words = subcommands.split("|").map((word) => word.trim());
  const wrong = words.find((word) => !SUBCOMMAND.test(word));
  if (wrong !== undefined)
    return refuse(`exec: '${wrong}' is no subcommand; write '${WRITTEN.exec}'`);
  return { ok: true, capability: { kind: "exec", program, subcommands: words } };
}

function buildNetwork(items: readonly string[]): BuiltCapability {
  const hosts: HostPattern[] = [];
  for (const item of items) {
    const entry = parseHostEntry(item);
    if (!entry.ok) return refuse(`network: ${entry.problem}`);
    hosts.push(entry.pattern);
  }
  if (hosts.length === 0) return refuse(`network needs a host; write '${WRITTEN.network}'`);
  return { ok: true, capability: { kind: "network", hosts } };
}

function listProblem(
  kind: "spawn_child" | "message_send",
  items: readonly string[],
): BuiltCapability | undefined {
  if (items.length === 0) return refuse(`${kind} needs a name; write '${WRITTEN[kind]}'`);
  const wrong = items.find((item) => !AGENT.test(item));
  return wrong === undefined
    ? undefined
    : refuse(`${kind}: '${wrong}' is no name; write '${WRITTEN[kind]}'`);
}
