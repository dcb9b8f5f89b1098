import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorText } from "./base/error-text.js";
import { type FileProblem, formatProblem } from "./catalog/file-problem.js";
import type { LoadedRole } from "./catalog/roles.js";
import type { MemoryStatus } from "./memory/memory.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import type { Places } from "./protocol/places.js";
import type { ProvidersFile } from "./protocol/providers-file.js";
import type { ModelDirectory } from "./providers/models.js";

/** What `agentd doctor` looks at; all of it as the running daemon has it. */
export interface Patient {
  readonly places: Places;
  readonly models: ModelDirectory;
  readonly catalog: {
    readonly roles: ReadonlyMap<string, LoadedRole>;
    readonly problems: readonly FileProblem[];
  };
  readonly providersFile: ProvidersFile;
  readonly credential: (name: string) => string | undefined;
  /** Directories in which programs are looked up, as in PATH. */
  readonly path: string;
}

const LOW_DISK_BYTES = 512 * 1_048_576;
const NO_REMEDY = null;

/** What works and what does not, each line with its remedy. Looks only; changes nothing. */
export function diagnose(patient: Patient): readonly DoctorCheck[] {
  return [
    nodeVersion(),
    provider(patient),
    ...credentials(patient),
    ...roles(patient),
    disk(patient.places.stateDir),
    program("rg", patient.path, "grep needs it: `apt install ripgrep`"),
  ];
}

function nodeVersion(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > 20 || (major === 20 && minor >= 19);
  return {
    name: "node",
    verdict: fits ? "ok" : "fail",
    detail: `Node ${process.versions.node}`,
    remedy: fits ? NO_REMEDY : "Install Node 20.19 or later.",
  };
}

function provider({ models }: Patient): DoctorCheck {
  const builtin = models.default_provider === "builtin";
  return {
    name: "provider",
    verdict: builtin ? "warn" : "ok",
    detail: builtin
      ? "no model is configured: the builtin rule-based provider carries goals out"
      : `default provider: ${models.default_provider}`,
    remedy: builtin
      ? "Name a provider in providers.yaml and put its key into /etc/aaos/credentials."
      : NO_REMEDY,
  };
}

function credentials({ providersFile, credential, places }: Patient): readonly DoctorCheck[] {
  return Object.entries(providersFile.providers).flatMap(([name, entry]): DoctorCheck[] => {
    if (entry.api === "builtin" || entry.credential === undefined) return [];
    const there = credential(entry.credential) !== undefined;
    return [
      {
        name: `credential ${entry.credential}`,
        verdict: there ? "ok" : "fail",
        detail: there ? `provider ${name} has its key` : `provider ${name} has no key`,
        remedy: there
          ? NO_REMEDY
          : `Put the key into ${places.credentialsDir}/${entry.credential}, mode 0600.`,
      },
    ];
  });
}

function roles({ catalog }: Patient): readonly DoctorCheck[] {
  const names = [...catalog.roles.keys()];
  return [
    {
      name: "roles",
      verdict: names.length === 0 ? "fail" : "ok",
      detail: names.length === 0 ? "no role could be loaded" : names.join(", "),
      remedy: names.length === 0 ? "Install the vendor roles, or set AAOS_SHARE." : NO_REMEDY,
    },
    ...catalog.problems.map(
      (problem): DoctorCheck => ({
        name: "catalog file",
        verdict: "fail",
        detail: formatProblem(problem),
        remedy: `Correct it, try \`agentd ${kindOf(problem.file)} validate ${problem.file}\`, and restart agentd.`,
      }),
    ),
  ];
}

/** Which part of the catalog the file belongs to, by the folder it lies in. */
function kindOf(file: string): string {
  return dirname(file).endsWith("/manifests") ? "manifests" : "roles";
}

function disk(dir: string): DoctorCheck {
  try {
    const { bavail, bsize } = statfsSync(dir);
    const free = bavail * bsize;
    const low = free < LOW_DISK_BYTES;
    return {
      name: "disk",
      verdict: low ? "warn" : "ok",
      detail: `${Math.floor(free / 1_048_576)} MB free below ${dir}`,
      remedy: low ? "Free space, or runs will fail with disk_full." : NO_REMEDY,
    };
  } catch (thrown) {
    return {
      name: "disk",
      verdict: "fail",
      detail: errorText(thrown),
      remedy: `Make ${dir} readable.`,
    };
  }
}

/** What memory can be searched by. */
export function memoryCheck(status: MemoryStatus): DoctorCheck {
  const { memories, owners, vectors, model, problem } = status;
  const waiting =
    model !== null && vectors < memories ? `, ${memories - vectors} await theirs` : "";
  const by = model === null ? "by words alone" : `by words and by vectors of ${model}${waiting}`;
  return {
    name: "memory",
    verdict: problem === null ? "ok" : "warn",
    detail: `${memories} memories of ${owners} identities, searched ${by}${problem === null ? "" : `: ${problem}`}`,
    remedy:
      problem === null
        ? NO_REMEDY
        : "Install the package aaos-embeddings, or name an OpenAI-compatible model as `embeddings` in providers.yaml's aliases.",
  };
}

function program(name: string, path: string, remedy: string): DoctorCheck {
  const found = path.split(":").find((dir) => isExecutable(`${dir}/${name}`));
  return {
    name: `program ${name}`,
    verdict: found === undefined ? "fail" : "ok",
    detail: found === undefined ? `${name} is not installed` : `${found}/${name}`,
    remedy: found === undefined ? remedy : NO_REMEDY,
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
