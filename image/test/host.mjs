// Programs of the host that the harness calls. Arguments are lists, never shell text; a failure carries what the program said.
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs a program to its end and returns what it printed. @param {string} program @param {readonly string[]} args @returns {Promise<string>} */
export async function output(program, args) {
  try {
    const { stdout } = await run(program, [...args], {
      maxBuffer: 64 << 20,
      timeout: 1_800_000,
      killSignal: "SIGKILL",
    });
    return stdout;
  } catch (error) {
    const said =
      error instanceof Error && "stderr" in error ? String(error.stderr).slice(-4000) : "";
    throw new Error(`${program} ${args.join(" ")} failed: ${said}`, { cause: error });
  }
}

/** The same where only the effect matters. @param {string} program @param {readonly string[]} args */
export async function command(program, args) {
  await output(program, args);
}

/** Writes a partition table. @param {string} disk @param {readonly string[]} lines as sfdisk(8) takes them */
export async function partition(disk, lines) {
  const script = 'printf "%s\\n" "$2" | sfdisk --quiet "$1"';
  await command("sh", ["-c", script, "sh", disk, lines.join("\n")]);
}

/** Those of the named programs that are not on PATH. @param {readonly string[]} programs */
export function missingPrograms(programs) {
  return programs.filter((program) => {
    try {
      execFileSync("sh", ["-c", 'command -v -- "$1"', "sh", program], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
}

/** One word of a shell command. @param {string} text */
export function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
