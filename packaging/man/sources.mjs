// Where the pages' facts come from: the compiled program, and nothing beside it.
import { Command } from "commander";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function readSources(dist) {
  const load = (path) => import(pathToFileURL(join(dist, path)).href);
  const { Settings } = await load("protocol/settings.js");
  const { ProvidersFile } = await load("protocol/providers-file.js");
  const { PolicyFile } = await load("protocol/policy-file.js");
  const { McpFile, McpServerEntry } = await load("protocol/mcp-file.js");
  const { ProvisionFile, ProvisionUser } = await load("protocol/provision-file.js");
  // policy.yaml(5) has the fields of the one it holds.
  const Provision = ProvisionFile.omit({ policy: true });
  const { Role } = await load("protocol/role.js");
  const { addGlobalOptions, shapeOf } = await load("cli/command-tree.js");
  const { registerVerbs } = await load("cli/verbs.js");
  const program = addGlobalOptions(new Command("agentd"));
  registerVerbs(program, async () => {});
  const { ERROR_CODES } = await load("protocol/error-code.js");
  const { VERSION } = await load("version.js");
  return { schemas: { Settings, ProvidersFile, PolicyFile, Role, McpFile, McpServerEntry, Provision, ProvisionUser }, tree: shapeOf(program), errors: ERROR_CODES, version: VERSION };
}
