import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const REPO = join(import.meta.dirname, "../..");
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-packaging-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(program: string, args: readonly string[]) {
  return promisify(execFile)(program, args, { cwd: REPO, maxBuffer: 64 * 1_048_576 });
}

const has = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

describe("man pages", () => {
  it("every setting of every file has its text, and every text its setting", async () => {
    await run(process.execPath, ["packaging/man/build.mjs", "--check"]);
  });

  it("name every verb and option of the program, and man finds no fault in them", async () => {
    const pages = join(dir, "man");
    await run(process.execPath, ["packaging/man/build.mjs", pages]);
    expect(readdirSync(pages)).toEqual(
      expect.arrayContaining([
        ...["agentd.1", "agentd.yaml.5", "providers.yaml.5", "policy.yaml.5"],
        ...["aaos-roles.5", "aaos-capabilities.7", "mcp-servers.yaml.5", "aaos.yaml.5"],
      ]),
    );
    const agentd = readFileSync(join(pages, "agentd.1"), "utf8").replaceAll("\\-", "-");
    const { stdout: help } = await run(process.execPath, ["dist/agentd.js", "--help"]);
    const verbs = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, verb]) => verb ?? "");
    expect(verbs.length).toBeGreaterThan(12);
    for (const verb of verbs.filter((each) => each !== "help"))
      expect(agentd).toMatch(new RegExp(`\\\\fB${verb}[\\\\ ]`));
    expect(agentd).toContain("--key-from-env");
    for (const page of readdirSync(pages)) {
      if (!has("man")) continue;
      const { stderr, stdout } = await run("man", [
        "--warnings=w",
        "-E",
        "UTF-8",
        "-l",
        join(pages, page),
      ]);
      expect(stderr).toBe("");
      expect(stdout.length).toBeGreaterThan(500);
    }
  });
});

describe("the bill of materials", () => {
  it("names every module that ships with version, licence and digest, twice the same", async () => {
    const args = ["packaging/sbom.mjs", "package-lock.json", "node_modules"];
    const { stdout } = await run(process.execPath, args);
    expect((await run(process.execPath, args)).stdout).toBe(stdout);
    const bom = JSON.parse(stdout) as {
      bomFormat: string;
      components: {
        name: string;
        purl: string;
        licenses: unknown[];
        hashes?: unknown[];
        "bom-ref": string;
      }[];
      dependencies: { ref: string; dependsOn: string[] }[];
    };
    expect(bom.bomFormat).toBe("CycloneDX");
    const { dependencies } = JSON.parse(readFileSync(join(REPO, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const names = bom.components.map(({ name }) => name);
    for (const name of Object.keys(dependencies)) expect(names).toContain(name);
    for (const { licenses } of bom.components) expect(licenses).toHaveLength(1);
    const refs = new Set(bom.components.map((component) => component["bom-ref"]));
    for (const { dependsOn } of bom.dependencies)
      for (const ref of dependsOn) expect(refs).toContain(ref);
    const { stdout: list } = await run(process.execPath, [...args, "--licences"]);
    expect(list.trim().split("\n")).toHaveLength(bom.components.length);
  });

  it("a licence that nobody has read stops it", async () => {
    mkdirSync(join(dir, "modules/x"), { recursive: true });
    writeFileSync(
      join(dir, "modules/x/package.json"),
      '{"name":"x","version":"1.0.0","license":"SSPL-1.0"}',
    );
    const lock = join(dir, "lock.json");
    writeFileSync(
      lock,
      '{"packages":{"":{"version":"1.0.0","dependencies":{"x":"1"}},"node_modules/x":{"version":"1.0.0"}}}',
    );
    const refused = run(process.execPath, ["packaging/sbom.mjs", lock, join(dir, "modules")]);
    await expect(refused).rejects.toThrow(/SSPL-1.0 is not on the list/);
  });
});

describe("the apt repository", () => {
  it.skipIf(!has("apt-ftparchive"))("apt takes its index and finds the package in it", async () => {
    const tree = join(dir, "pkg");
    mkdirSync(join(tree, "DEBIAN"), { recursive: true });
    writeFileSync(
      join(tree, "DEBIAN/control"),
      "Package: aaos-sample\nVersion: 1.2-1\nArchitecture: amd64\nMaintainer: x <x@x.invalid>\nDescription: sample\n",
    );
    const deb = join(dir, "aaos-sample_1.2-1_amd64.deb");
    await run("dpkg-deb", ["--build", "--root-owner-group", tree, deb]);
    const repository = join(dir, "repository");
    await run("packaging/apt-repository", [repository, deb]);
    // The second call keeps what is there.
    await run("packaging/apt-repository", [repository, deb]);
    for (const folder of ["lists/partial", "archives/partial", "etc/sources.list.d"])
      mkdirSync(join(dir, "apt", folder), { recursive: true });
    const list = join(dir, "apt/sources.list");
    writeFileSync(list, `deb [trusted=yes arch=amd64] file:${repository} trixie main\n`);
    writeFileSync(join(dir, "apt/status"), "");
    const options = [
      ...[
        "-o",
        `Dir::Etc::sourcelist=${list}`,
        "-o",
        `Dir::Etc::sourceparts=${dir}/apt/etc/sources.list.d`,
      ],
      ...["-o", `Dir::State::lists=${dir}/apt/lists`, "-o", `Dir::State::status=${dir}/apt/status`],
      ...["-o", `Dir::Cache=${dir}/apt`, "-o", "APT::Sandbox::User="],
    ];
    const updated = await run("apt-get", [...options, "update", "--error-on=any"]);
    expect(updated.stderr).not.toMatch(/^[EW]:/m);
    const { stdout } = await run("apt-cache", [...options, "policy", "aaos-sample"]);
    expect(stdout).toMatch(/Candidate: 1\.2-1/);
  });
});
