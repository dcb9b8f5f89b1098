// The package as it is made: in a clean Debian 13 root without a network, twice the same, small enough, and as lintian wants it.
import { join } from "node:path";
import { test } from "node:test";
import { command, missingPrograms } from "./host.mjs";
import { missingForRoot } from "./root.mjs";

const checkout = join(import.meta.dirname, "../..");
const notThere = missingPrograms(["dpkg-deb", "git", "unshare", "xz", "mmdebstrap"]);
const missing =
  missingForRoot() ?? (notThere.length > 0 ? `not installed: ${notThere.join(", ")}` : undefined);
const options = {
  skip: missing === undefined ? false : `skipped: ${missing}`,
  timeout: 1_800_000,
};

/** A test that is skipped, with the reason and counted by itself, where nothing can be built. @param {string} rule @param {() => Promise<void>} check */
function it(rule, check) {
  test(rule, options, check);
}

it("A22-6 the package is built twice byte for byte, is below 25 MB, and lintian has nothing against it", async () => {
  await command(join(checkout, "packaging/build-deb"), ["--check"]);
});
