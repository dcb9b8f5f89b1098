import type { ProgramRequest } from "../protocol/compile.js";
import { isWithin } from "./path-grants.js";
import type { Profile } from "./profiles/profile.js";

/**
 * Where the private directory for temporary files stands: `/tmp`, unless something below it is granted. Landlock's rights go down, so
 * that a grant there would get those of the scratch directory around it.
 */
export function tmpBeside(granted: readonly string[]): string {
  return granted.some((path) => isWithin(path, "/tmp")) ? "/run/tmp" : "/tmp";
}

/** Names by which an environment loads code into a process or leads it to other files. Never passed on from a call. */
const LOADS_CODE =
  /^(LD_|DYLD_|GIT_|GCONV_PATH$|NODE_OPTIONS$|NODE_PATH$|NODE_EXTRA_CA_CERTS$|BASH_ENV$|ENV$|BASH_FUNC|PROMPT_COMMAND$|PS4$|IFS$|SHELLOPTS$|PYTHON|PERL|RUBY|JAVA_TOOL_OPTIONS$|_JAVA_OPTIONS$|RUSTC|RUSTFLAGS$|CARGO_(BUILD|TARGET|ENCODED|HOME)|npm_config_|NPM_CONFIG_|MAKEFLAGS$|GLIBC_TUNABLES$|LOCPATH$|HOSTALIASES$|RES_OPTIONS$|LOCALDOMAIN$|TERMINFO|PATH$|HOME$|TMPDIR$|TEMP$|TMP$|SHELL$|XDG_|SSL_|CURL_|.*_proxy$|.*_PROXY$)/;

/**
 * The whole environment of a program: what every one has, what the call adds, what its profile fixes, and where the egress proxy is.
 * Later wins, so that a call changes nothing that is fixed. Sorted.
 */
export function programEnvironment(
  request: ProgramRequest,
  profile: Profile,
  options: {
    readonly path: readonly string[];
    readonly home: string;
    readonly tmp: string;
    readonly proxy: Readonly<Record<string, string>> | null;
  },
): Readonly<Record<string, string>> {
  const passed = Object.entries(request.env).filter(([name]) => !LOADS_CODE.test(name));
  const fixed = { ...profile.env, ...(options.proxy === null ? profile.offline_env : {}) };
  const env = {
    LANG: "C.UTF-8",
    TZ: "UTC",
    TERM: "dumb",
    ...Object.fromEntries(passed),
    USER: "agent",
    LOGNAME: "agent",
    SHELL: "/bin/sh",
    PATH: options.path.join(":"),
    HOME: options.home,
    TMPDIR: options.tmp,
    ...Object.fromEntries(
      Object.entries(fixed).map(([name, value]) => [
        name,
        value.replaceAll("{home}", options.home).replaceAll("{tmp}", options.tmp),
      ]),
    ),
    ...options.proxy,
  };
  return Object.fromEntries(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)));
}
