import { describe, expect, it } from "vitest";
import type { Capability } from "../protocol/capability.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { agentLimits } from "./agent-limits.js";
import { makeCeiling } from "./ceiling.js";
import { limitsOf } from "./compile-limits.js";
import { parseGrant } from "./grammar.js";

const ceiling = makeCeiling(PolicyFile.parse({ exec: { allow: ["cargo", "jq"] } }), {
  workspace: null,
  never: [],
});

function limits(...texts: readonly string[]) {
  return agentLimits({ capabilities: texts.map(capability), ceiling });
}

function capability(text: string): Capability {
  const parsed = parseGrant(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.grant.capability;
}

describe("what all processes of an agent may use together", () => {
  const [files, small, build, web] = (["files", "small", "build", "web"] as const).map(limitsOf);

  it("is a file worker's where it has no grants", () => {
    expect(limits()).toEqual({
      memory_bytes: files?.memory_bytes,
      processes: files?.processes,
      weight: files?.io_weight,
    });
  });

  it("grows with the network, and with the largest program that it may start, whatever the order", () => {
    const all = limits("exec: cargo", "exec: jq", "file_read: /data/*", "web_search");
    const sum = (key: "memory_bytes" | "processes") =>
      (files?.[key] ?? 0) + (web?.[key] ?? 0) + (build?.[key] ?? 0);
    expect(all).toEqual({
      memory_bytes: sum("memory_bytes"),
      processes: sum("processes"),
      weight: build?.io_weight,
    });
    expect(limits("web_search", "file_read: /data/*", "exec: jq", "exec: cargo")).toEqual(all);
  });

  it("counts no program that the operator's ceiling refuses", () => {
    expect(limits("exec: node", "exec: jq").memory_bytes).toBe(
      (files?.memory_bytes ?? 0) + (small?.memory_bytes ?? 0),
    );
  });
});
