import { assertNever } from "../base/assert-never.js";
import type { ConfinementPlan, RootEntry, SeccompRule } from "./confinement.js";

/** What `aaos-spawn` takes at most, in bytes of one plan. */
export const MAX_PLAN_BYTES = 160 * 1_024;

/** First line of every plan; the launcher refuses another number. */
const FORMAT = "aaos-plan 1";

/**
 * The plan as `aaos-spawn` reads it: lines of fields, each line ended by a newline, fields separated by exactly one space,
 * bytes outside `!`–`~` and `%` itself written `%XX`. Lists keep their order; the same plan always gives the same bytes.
 */
export function encodePlan(plan: ConfinementPlan): string {
  const lines: string[] = [
    FORMAT,
    line("kind", plan.kind),
    line("hostname", plan.hostname),
    line("ids", plan.uid, plan.gid),
    line("namespaces", ...plan.namespaces),
    line("root-size", plan.root_size_bytes),
    ...plan.root.map(rootLine),
    ...(plan.dev ? ["dev"] : []),
    line("proc", plan.proc),
    line("landlock", plan.landlock.abi),
    line("landlock-fs", ...plan.landlock.handled_fs),
    line("landlock-net", ...plan.landlock.handled_net),
    line("landlock-scopes", ...plan.landlock.scopes),
    ...plan.landlock.fs_rules.map((rule) => line("allow-path", rule.path, ...rule.rights)),
    ...plan.landlock.net_rules.map((rule) => line("allow-port", rule.port, ...rule.rights)),
    line("seccomp", plan.seccomp.arch, plan.seccomp.default_action),
    ...plan.seccomp.rules.map(syscallLine),
    ...Object.entries(plan.rlimits).map(([name, value]) => line("rlimit", name, value)),
    ...cgroupLines(plan),
    ...plan.listeners.map((at) => line("listen", at.protocol, at.address, at.port)),
    ...(plan.exec_limit === null ? [] : [line("exec-limit", plan.exec_limit)]),
    line("executable", plan.executable),
    ...plan.argv.map((argument) => line("arg", argument)),
    ...Object.entries(plan.env).map(([name, value]) => line("env", name, value)),
    line("cwd", plan.cwd),
    line("umask", plan.umask),
  ];
  return `${lines.join("\n")}\n`;
}

/** One field as it stands in a line; throws on NUL, which no path, argument or name of the kernel can hold. */
export function encodeField(value: string | number): string {
  if (typeof value === "number") return String(value);
  if (/^[!-$&-~]*$/.test(value)) return value;
  let out = "";
  for (const byte of Buffer.from(value, "utf8")) {
    if (byte === 0) throw new RangeError("a NUL byte cannot be passed to the kernel");
    out +=
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return out;
}

/** The inverse of `encodeField`, for the launcher's answers. */
export function decodeField(field: string): string {
  if (!field.includes("%")) return field;
  return Buffer.from(
    field.replace(/%([0-9a-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    "latin1",
  ).toString("utf8");
}

function line(verb: string, ...fields: readonly (string | number)[]): string {
  return [verb, ...fields.map(encodeField)].join(" ");
}

function rootLine(entry: RootEntry): string {
  switch (entry.type) {
    case "bind":
      return line("bind", entry.mode, entry.path);
    case "protect":
      return line("protect", entry.path);
    case "tmpfs":
      return line(
        "tmpfs",
        entry.path,
        entry.size_bytes,
        entry.inodes,
        entry.executable ? "exec" : "noexec",
      );
    case "dir":
      return line("dir", entry.path);
    case "symlink":
      return line("symlink", entry.path, entry.target);
    case "file":
      return line("file", entry.path, entry.content);
    default:
      return assertNever(entry);
  }
}

function syscallLine(rule: SeccompRule): string {
  const checks = rule.checks.flatMap((check) => [check.arg, check.mask, check.value]);
  return line("syscall", rule.name, rule.nr, rule.action, ...checks);
}

/** `-` stands for a limit whose controller is not there. */
function cgroupLines(plan: ConfinementPlan): readonly string[] {
  if (plan.cgroup === null) return [];
  const { parent, group, name, memory_max_bytes, pids_max, cpu_max_millis, io_weight } =
    plan.cgroup;
  const limits = [memory_max_bytes, pids_max, cpu_max_millis, io_weight];
  const together =
    group === null
      ? []
      : [group.name, group.memory_max_bytes, group.pids_max, group.cpu_weight, group.io_weight];
  return [line("cgroup", parent, name, ...[...limits, ...together].map((limit) => limit ?? "-"))];
}
