import type { Attempt } from "./attempt.js";
import type { World } from "./world.js";

/**
 * Bubblewrap as it is commonly used: the whole host read-only, the working directories writable, every namespace of its own. Where the
 * attempt has a network grant the network is shared, as bubblewrap knows no other.
 */
export function bubblewrapTypical(
  attempt: Attempt,
  world: World,
  argv: readonly string[],
): readonly string[] {
  const network = attempt.tokens === "network" ? ["--share-net"] : [];
  return [
    ...["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
    ...binds(attempt, world, "--bind"),
    ...["--unshare-all", ...network, "--die-with-parent", "--"],
    ...[world.fill("{probe}"), ...argv],
  ];
}

/** As tight as its options go without a seccomp filter of one's own: nothing but the program and what was granted. */
export function bubblewrapTight(
  attempt: Attempt,
  world: World,
  argv: readonly string[],
): readonly string[] {
  const network = attempt.tokens === "network" ? ["--share-net"] : [];
  const probe = world.fill("{probe}");
  return [
    ...["bwrap", "--unshare-user", "--unshare-all", "--disable-userns", ...network],
    ...["--tmpfs", "/tmp"],
    ...["--ro-bind", probe, probe, "--dev", "/dev", "--proc", "/proc"],
    ...binds(attempt, world, "--bind"),
    ...(attempt.tokens === "nothing" ? [] : ["--ro-bind", world.fill("{in}"), world.fill("{in}")]),
    ...[
      "--new-session",
      "--clearenv",
      "--cap-drop",
      "ALL",
      "--die-with-parent",
      "--",
      probe,
      ...argv,
    ],
  ];
}

function binds(attempt: Attempt, world: World, flag: string): readonly string[] {
  if (attempt.tokens === "nothing") return [];
  return ["{out}", "{box}"].map((name) => world.fill(name)).flatMap((path) => [flag, path, path]);
}
