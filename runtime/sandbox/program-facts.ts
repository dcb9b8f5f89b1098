import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import type { LinkFact, ProgramFacts, ProgramWanted } from "../protocol/compile.js";
import { type ElfFile, readElf, readShebang } from "./elf.js";
import { type Followed, followLinks } from "./follow-links.js";
import type { LibraryCache } from "./library-cache.js";

/** Files of a program's trees that are looked at for the libraries they need. */
const MAX_TREE_FILES = 4_000;
/** Loaded by name at run time wherever threads are cancelled or stacks unwound. */
const ALWAYS = ["libgcc_s.so.1"];
const MAX_INTERPRETERS = 3;

export interface ProgramSearch {
  /** Directories, as of PATH. */
  readonly path: readonly string[];
  readonly libraries: LibraryCache;
  /** What was found out of files, shared by the programs that are looked up together. */
  readonly memory: FileMemory;
}

export interface FileMemory {
  readonly elf: Map<string, Promise<ElfFile | null>>;
  readonly links: Map<string, Promise<Followed>>;
}

/** What a program consists of; undefined where it is not installed, or is neither a 64-bit ELF file nor a script of one. */
export async function programFacts(
  wanted: ProgramWanted,
  search: ProgramSearch,
): Promise<ProgramFacts | undefined> {
  const found = await findProgram(wanted.name, search.path);
  if (found === undefined) return undefined;
  const parts = new Parts(search);
  const start = await parts.addProgram(found, search.path, 0);
  if (start === undefined) return undefined;
  const prefix = dirname(dirname(start.program));
  const inPlace = (tree: string) =>
    tree.replace("{prefix}", prefix).replace("{name}", basename(start.program));
  const trees = await parts.addTrees(wanted.trees.map(inPlace), /\.so(\.|$)|\.node$/);
  const execTrees = await parts.addTrees(wanted.exec_trees.map(inPlace), /\.so(\.|$)|^[^.]+$/);
  return {
    name: wanted.name,
    found,
    executable: start.executable,
    prefix_args: start.prefixArgs,
    exec_files: [...parts.execFiles].sort(),
    read_files: [...parts.readFiles].filter((file) => !parts.execFiles.has(file)).sort(),
    trees: trees.filter((tree) => !execTrees.includes(tree)),
    exec_trees: execTrees,
    links: [...parts.links.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

async function findProgram(name: string, path: readonly string[]): Promise<string | undefined> {
  const candidates = isAbsolute(name)
    ? [name]
    : name.includes("/")
      ? []
      : path.filter(isAbsolute).map((dir) => join(dir, name));
  for (const candidate of candidates) {
    const isThere = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere && (await stat(candidate)).isFile()) return candidate;
  }
  return undefined;
}

interface Start {
  /** The file that was named, links resolved. */
  readonly program: string;
  readonly executable: string;
  readonly prefixArgs: readonly string[];
}

/** Collects the files of one program. */
class Parts {
  readonly execFiles = new Set<string>();
  readonly readFiles = new Set<string>();
  readonly links = new Map<string, LinkFact>();
  readonly #libraries: LibraryCache;
  readonly #memory: FileMemory;

  constructor({ libraries, memory }: ProgramSearch) {
    this.#libraries = libraries;
    this.#memory = memory;
  }

  async addProgram(
    found: string,
    path: readonly string[],
    depth: number,
  ): Promise<Start | undefined> {
    const program = await this.#follow(found);
    const elf = await this.#elf(program);
    if (elf !== null) {
      this.execFiles.add(program);
      await this.#addNeeds(program, elf);
      return { program, executable: program, prefixArgs: [] };
    }
    const [interpreter, ...options] = (await readShebang(program).catch(() => null)) ?? [];
    if (interpreter === undefined || depth === MAX_INTERPRETERS) return undefined;
    // `env NAME` means the program of that name; env itself need not be there for a launch by us.
    const isEnv = basename(interpreter) === "env";
    const [name = interpreter, ...rest] = isEnv ? options.filter((word) => word !== "-S") : [];
    const at = isEnv ? await findProgram(name, path) : interpreter;
    if (at === undefined) return undefined;
    const start = await this.addProgram(at, path, depth + 1);
    if (start === undefined) return undefined;
    this.execFiles.add(program);
    const prefixArgs = [...start.prefixArgs, ...(isEnv ? rest : options), program];
    return { program, executable: start.executable, prefixArgs };
  }

  /** Those directories that exist, resolved, with the libraries that what is in them needs from outside. */
  async addTrees(trees: readonly string[], binaries: RegExp): Promise<readonly string[]> {
    const present: string[] = [];
    for (const tree of trees) {
      const resolved = await this.#follow(tree);
      const isDir = await stat(resolved).then(
        (stats) => stats.isDirectory(),
        () => false,
      );
      if (!isDir || present.includes(resolved)) continue;
      present.push(resolved);
      if (!this.#libraries.dirs.has(resolved)) await this.#addNeedsOfTree(resolved, binaries);
    }
    return present;
  }

  async #addNeedsOfTree(tree: string, named: RegExp): Promise<void> {
    const entries = await readdir(tree, { withFileTypes: true, recursive: true });
    const binaries = entries
      .filter((entry) => entry.isFile() && named.test(entry.name))
      .slice(0, MAX_TREE_FILES);
    for (const entry of binaries) {
      const file = join(entry.parentPath, entry.name);
      const elf = await this.#elf(file);
      if (elf !== null) await this.#addNeeds(file, elf);
    }
  }

  async #addNeeds(file: string, elf: ElfFile): Promise<void> {
    if (elf.interpreter !== null) this.execFiles.add(await this.#follow(elf.interpreter));
    const dirs = elf.search.map((dir) => dir.replace(/\$(ORIGIN|\{ORIGIN\})/, dirname(file)));
    const always = elf.interpreter === null ? [] : ALWAYS;
    for (const soname of [...elf.needed, ...always]) {
      for (const at of this.#candidates(soname, dirs)) {
        const library = await this.#follow(at);
        if (this.readFiles.has(library)) continue;
        const found = await this.#elf(library);
        if (found === null) continue;
        this.readFiles.add(library);
        // A library's own needs are searched where the program's were, too (DT_RPATH).
        await this.#addNeeds(library, { ...found, search: [...found.search, ...dirs] });
      }
    }
  }

  #candidates(soname: string, dirs: readonly string[]): readonly string[] {
    if (soname.includes("/")) return [soname];
    return [
      ...dirs.filter(isAbsolute).map((dir) => join(dir, soname)),
      ...this.#libraries.find(soname),
    ];
  }

  #elf(path: string): Promise<ElfFile | null> {
    const known = this.#memory.elf.get(path) ?? readElf(path).catch(() => null);
    this.#memory.elf.set(path, known);
    return known;
  }

  async #follow(path: string): Promise<string> {
    const known = this.#memory.links.get(path) ?? followLinks(path);
    this.#memory.links.set(path, known);
    const { resolved, links } = await known;
    for (const link of links) this.links.set(link.path, link);
    return resolved;
  }
}
