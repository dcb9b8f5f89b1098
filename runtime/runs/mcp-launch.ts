import type { Sandbox } from "../sandbox/open-sandbox.js";

/** What launching a server needs of the machine. */
export interface McpLaunch {
  readonly launch: Sandbox["launch"];
  readonly relay: {
    readonly script: string;
    readonly args: readonly string[];
    readonly trees: readonly string[];
  };
  readonly credential: (name: string) => string | undefined;
}
