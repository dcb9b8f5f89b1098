import { PLAIN, type Profile } from "./profile.js";

/** Never granted by itself: what recipes and scripts of the programs that run them are made of. */
export const SHELL_AND_TOOLS: readonly string[] = [
  ..."sh env".split(" "),
  ..."basename cat chmod cmp comm cp cut date diff dirname du echo expr false find grep head hostname id install".split(
    " ",
  ),
  ..."ln ls mkdir mktemp mv nproc od patch printf pwd readlink realpath rm rmdir sed seq sleep sort stat".split(
    " ",
  ),
  ..."tail tar tee test touch tr true tty uname uniq wc which whoami xargs awk gzip".split(" "),
];

/** The C toolchain as a linker and for native code. */
export const TOOLCHAIN: readonly string[] =
  "cc gcc g++ c++ cpp ld as ar ranlib strip nm objcopy pkg-config".split(" ");

/** What a C compiler reads and starts by path. */
export const TOOLCHAIN_TREES = {
  trees: [
    "/usr/include",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/share/pkgconfig",
  ],
  exec_trees: ["/usr/lib/gcc", "/usr/libexec/gcc"],
} as const;

/** Any of these as a program of its own: it may run what the tokens grant by name, because a shell is nothing without that. */
export const sh: Profile = { ...PLAIN, runs_granted: true, exec_limit: null };
