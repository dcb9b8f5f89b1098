import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Access, AccessKind, AccessOf, Denial, Granted } from "../protocol/access.js";
import { openPorts } from "../sandbox/open-ports.js";
import { resolvePath } from "../sandbox/resolve-path.js";
import type { GrantResult, ToolContext } from "../tools/tool.js";

export interface TestPlace extends AsyncDisposable {
  /** A directory of this test alone, without symbolic links in its path. */
  readonly dir: string;
  readonly context: ToolContext;
  /** Every access that was asked for, resolved, in order. */
  readonly asked: readonly Access[];
}

export interface TestPlaceOptions {
  /** Which accesses are refused; none by default. */
  readonly refuses?: (access: Access) => boolean;
  readonly signal?: AbortSignal;
  /** Directories of programs before the system's own. */
  readonly path?: string;
  /** Addresses of a host name; by default every name is this machine. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly judgeAddress?: (host: string, port: number, address: string) => Denial | undefined;
  readonly max_redirects?: number;
}

/** A tool's context over real ports in a new directory, with a check that grants what it is not told to refuse. */
export async function openTestPlace(options: TestPlaceOptions = {}): Promise<TestPlace> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "aaos-tools-")));
  const asked: Access[] = [];
  const grant = async <K extends AccessKind>(access: AccessOf<K>): Promise<GrantResult<K>> => {
    const resolved = await resolveAccess(access);
    asked.push(resolved);
    if (options.refuses?.(resolved) !== true) return { ok: true, granted: resolved as Granted<K> };
    const subject = Object.values(resolved).slice(1).join(" ");
    const capability = `${resolved.kind}: ${subject}`;
    return {
      ok: false,
      denial: { layer: "token", message: `no token grants ${capability}`, capability },
    };
  };
  const ports = openPorts({
    home: dir,
    tmp: dir,
    path: `${options.path ?? ""}:/usr/local/bin:/usr/bin:/bin`,
    ca_files: [],
    judgeAddress: options.judgeAddress ?? (() => undefined),
    lookup: options.lookup ?? (() => Promise.resolve(["127.0.0.1"])),
  });
  return {
    dir,
    asked,
    context: {
      ports,
      grant,
      workspace: dir,
      web: { timeout_ms: 5_000, max_redirects: options.max_redirects ?? 5 },
      signal: options.signal ?? new AbortController().signal,
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

async function resolveAccess<A extends Access>(access: A): Promise<A> {
  if ("path" in access) return { ...access, path: await resolvePath(access.path) };
  return "dir" in access ? { ...access, dir: await resolvePath(access.dir) } : access;
}

/** The proof of a check that no test makes: what `policy/decide.ts` alone may do outside tests. */
export function granted<A extends Access>(access: A): Granted<A["kind"]> {
  return access as unknown as Granted<A["kind"]>;
}
