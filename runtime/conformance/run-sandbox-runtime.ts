import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Attempt } from "./attempt.js";
import type { World } from "./world.js";

/** The part of `@anthropic-ai/sandbox-runtime` 0.0.78 that is used here; it is no dependency of ours but installed for the comparison. */
interface SandboxManager {
  readonly initialize: (config: unknown) => Promise<void>;
  readonly wrapWithSandbox: (command: string) => Promise<string>;
  readonly updateConfig: (config: unknown) => void;
  readonly reset: () => Promise<void>;
}

const Manifest = z.object({ version: z.string() });

export interface SandboxRuntime {
  readonly version: string;
  /** The command that runs the probe under it. */
  readonly command: (
    attempt: Pick<Attempt, "tokens">,
    argv: readonly string[],
  ) => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

/** Its library, the faster way, set up as its manual shows: reading all but what is denied, writing what is allowed, one domain. */
export async function openSandboxRuntime(
  folder: string,
  world: Pick<World, "fill">,
): Promise<SandboxRuntime> {
  const require = createRequire(`${folder}/package.json`);
  const main = require.resolve("@anthropic-ai/sandbox-runtime");
  const { SandboxManager: manager } = (await import(pathToFileURL(main).href)) as {
    SandboxManager: SandboxManager;
  };
  const { version } = Manifest.parse(
    require(`${folder}/node_modules/@anthropic-ai/sandbox-runtime/package.json`),
  );
  const config = (attempt: Pick<Attempt, "tokens">) => ({
    network: {
      allowedDomains: attempt.tokens === "network" ? ["api.example.com"] : [],
      deniedDomains: [],
    },
    filesystem: {
      denyRead: [
        world.fill("{secret}"),
        ...(attempt.tokens === "nothing" ? [world.fill("{w}")] : []),
      ],
      allowWrite: attempt.tokens === "nothing" ? [] : [world.fill("{out}"), world.fill("{box}")],
      denyWrite: [],
    },
  });
  await manager.initialize(config({ tokens: "work" }));
  return {
    version,
    command: async (attempt, argv) => {
      manager.updateConfig(config(attempt));
      const quoted = [world.fill("{probe}"), ...argv].map(quote).join(" ");
      return ["/bin/bash", "-c", await manager.wrapWithSandbox(quoted)];
    },
    close: () => manager.reset(),
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
