import { posix } from "node:path";

/** Where everything lies on this machine; all absolute. Contract, "Names and places". */
export interface Places {
  /** `--root`; `/` for the machine itself. */
  readonly root: string;
  readonly settingsFile: string;
  readonly providersFile: string;
  readonly policyFile: string;
  readonly mcpServersFile: string;
  /** One secret a file, 0600. */
  readonly credentialsDir: string;
  /** The operator's own catalog; a name here shadows the vendor's. */
  readonly operatorRolesDir: string;
  readonly operatorSkillsDir: string;
  readonly operatorManifestsDir: string;
  /** `/etc/aaos` as a whole: never grantable to an agent. */
  readonly configDir: string;
  readonly shareDir: string;
  readonly vendorRolesDir: string;
  readonly vendorSkillsDir: string;
  readonly vendorManifestsDir: string;
  readonly stateDir: string;
  readonly databaseFile: string;
  /** Made of the database, and made anew where it is missing. */
  readonly memoryIndexFile: string;
  /** Skills that were added while the daemon ran. */
  readonly addedSkillsDir: string;
  /** Runs that were written out before their content was erased. */
  readonly exportsDir: string;
  /** A run's scratch is the folder of its id in here. */
  readonly workspaceDir: string;
  readonly runtimeDir: string;
  readonly socketPath: string;
  /** Where the root service listens; the group `aaos-admin` may connect (aaos-system.socket). */
  readonly systemSocketPath: string;
  /** MCP over HTTP on a Unix socket. */
  readonly mcpSocketPath: string;
  /** The bearer token of the loopback listener, 0600; made when first needed. */
  readonly mcpTokenFile: string;
}

interface PlaceOptions {
  /** `--root` or `AAOS_ROOT`, absolute: `/etc`, `/var/lib` and `/run` lie under it. */
  readonly root?: string | undefined;
  /** `AAOS_SHARE`, or what `findShare` found; not moved by `root`. */
  readonly share?: string | undefined;
  /** `--socket`, absolute; not moved by `root`. */
  readonly socket?: string | undefined;
}

const INSTALLED_SHARE = "/usr/share/aaos";
const INSTALLED_NATIVE = "/usr/lib/aaos/native";

/** All places from the three options. Pure: nothing is looked at or made. */
export function places({ root = "/", share = INSTALLED_SHARE, socket }: PlaceOptions = {}): Places {
  const config = posix.join(root, "etc/aaos");
  const state = posix.join(root, "var/lib/aaos");
  const runtime = posix.join(root, "run/agentd");
  return {
    root: posix.normalize(root),
    settingsFile: posix.join(config, "agentd.yaml"),
    providersFile: posix.join(config, "providers.yaml"),
    policyFile: posix.join(config, "policy.yaml"),
    mcpServersFile: posix.join(config, "mcp-servers.yaml"),
    credentialsDir: posix.join(config, "credentials"),
    operatorRolesDir: posix.join(config, "roles"),
    operatorSkillsDir: posix.join(config, "skills"),
    operatorManifestsDir: posix.join(config, "manifests"),
    configDir: config,
    shareDir: share,
    vendorRolesDir: posix.join(share, "roles"),
    vendorSkillsDir: posix.join(share, "skills"),
    vendorManifestsDir: posix.join(share, "manifests"),
    stateDir: state,
    databaseFile: posix.join(state, "aaos.db"),
    memoryIndexFile: posix.join(state, "memory-index.db"),
    addedSkillsDir: posix.join(state, "skills"),
    exportsDir: posix.join(state, "exports"),
    workspaceDir: posix.join(state, "workspace"),
    runtimeDir: runtime,
    socketPath: socket ?? posix.join(runtime, "agentd.sock"),
    systemSocketPath: posix.join(root, "run/aaos-system.sock"),
    mcpSocketPath: posix.join(runtime, "mcp.sock"),
    mcpTokenFile: posix.join(state, "mcp.token"),
  };
}

/** True for the machine's own daemon; false for one under `--root`. */
export function isInstalled(at: Places): boolean {
  return at.configDir === "/etc/aaos";
}

/** What no policy can ever open to an agent, beside what `policy/ceiling.ts` knows: the same places under `--root`. */
export function neverGrantable(at: Places): readonly string[] {
  return [at.configDir, at.stateDir, at.runtimeDir, at.socketPath];
}

/**
 * The vendor catalog's folder: `AAOS_SHARE` where it is set; else `packaging/` beside the compiled program's folder, as in a
 * checkout; else the installed one. `programDir` is the folder of the running main.
 */
export function findShare(
  override: string | undefined,
  programDir: string,
  exists: (path: string) => boolean,
): string {
  if (override !== undefined && override !== "") return override;
  const checkout = posix.join(programDir, "..", "packaging");
  return exists(posix.join(checkout, "roles")) ? checkout : INSTALLED_SHARE;
}

/** What `native/` builds: `native/build` beside the compiled program's folder, as in a checkout; else the installed one. */
export function findNative(programDir: string, exists: (path: string) => boolean): string {
  const checkout = posix.join(programDir, "..", "native", "build");
  return exists(posix.join(programDir, "..", "native", "Makefile")) ? checkout : INSTALLED_NATIVE;
}
