// The layer table of docs/architecture.md, executable. A room may import only the rooms listed here.
const MAY = {
  base: [],
  protocol: ["base"],
  policy: ["protocol", "base"],
  store: ["protocol", "base"],
  audit: ["store", "protocol", "base"],
  memory: ["store", "audit", "protocol", "base"],
  providers: ["protocol", "base"],
  tools: ["protocol", "base"],
  sandbox: ["protocol", "base"],
  catalog: ["policy", "protocol", "base"],
  agent: ["protocol", "base"],
  runs: [
    "agent",
    "catalog",
    "tools",
    "providers",
    "policy",
    "sandbox",
    "memory",
    "audit",
    "store",
    "protocol",
    "base",
  ],
  appliance: ["catalog", "policy", "audit", "store", "protocol", "base"],
  control: ["runs", "appliance", "catalog", "memory", "audit", "store", "protocol", "base"],
  cli: ["appliance", "catalog", "policy", "protocol", "base"],
};
/** Third-party packages with exactly one home. */
const HOME = {
  "better-sqlite3": "runtime/store/",
  "sqlite-vec": "runtime/store/",
  yaml: "runtime/catalog/",
  "@modelcontextprotocol/server": "runtime/control/",
  "@modelcontextprotocol/client": "runtime/tools/mcp/",
};
const layers = Object.entries(MAY).map(([room, allowed]) => ({
  name: `layer-${room}`,
  severity: "error",
  from: { path: `^runtime/${room}/` },
  to: { path: "^runtime/[^/]+/", pathNot: `^runtime/(${[room, ...allowed, "test"].join("|")})/` },
}));
const homes = Object.entries(HOME).map(([pkg, home]) => ({
  name: `home-${pkg}`,
  severity: "error",
  from: { path: "^runtime/", pathNot: [`^${home}`, "\\.test\\.ts$"] },
  to: { path: `node_modules/(@types/)?${pkg}/` },
}));
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: ["\\.test\\.ts$"] },
      to: {},
    },
    {
      name: "no-import-of-mains",
      severity: "error",
      from: {},
      to: { path: "^runtime/(agentd|web-worker|aaos-system|aaos-boot)\\.ts$" },
    },
    {
      name: "addon-only-in-sandbox",
      severity: "error",
      from: { path: "^runtime/", pathNot: "^runtime/sandbox/" },
      to: { path: "^native/" },
    },
    {
      name: "tests-not-imported",
      severity: "error",
      from: { pathNot: "\\.test\\.ts$" },
      to: { path: "\\.test\\.ts$" },
    },
    {
      name: "fixtures-only-in-tests",
      severity: "error",
      from: {
        path: "^runtime/",
        pathNot: ["\\.test\\.ts$", "^runtime/(test|bench|e2e|conformance)/"],
      },
      to: { path: "^runtime/(test|bench|e2e|conformance)/" },
    },
    ...layers,
    ...homes,
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist" },
  },
};
