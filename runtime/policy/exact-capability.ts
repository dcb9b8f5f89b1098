import { assertNever } from "../base/assert-never.js";
import type { Access } from "../protocol/access.js";
import type { Capability } from "../protocol/capability.js";
import { escapeGlob } from "./glob-syntax.js";

/** The smallest capability that grants this one access: what a denial offers. */
export function exactCapability(access: Access): Capability {
  switch (access.kind) {
    case "file_read":
    case "file_write":
      return { kind: access.kind, glob: escapeGlob(access.path) };
    case "exec": {
      const [first] = access.args;
      const isSubcommand = first !== undefined && /^[A-Za-z][A-Za-z0-9-]*$/.test(first);
      return {
        kind: "exec",
        program: access.program,
        subcommands: isSubcommand ? [first] : null,
      };
    }
    case "network":
      return { kind: "network", hosts: [{ host: access.host, port: access.port }] };
    case "tool":
      return { kind: "tool", name: access.name };
    case "spawn_child":
      return { kind: "spawn_child", roles: [access.role] };
    case "cargo_run":
    case "git_commit":
      return { kind: access.kind, dir: access.dir };
    case "message_send":
      return { kind: "message_send", agents: [access.agent] };
    default:
      return assertNever(access);
  }
}
