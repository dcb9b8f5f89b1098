import type { AgentCard } from "@a2a-js/sdk";

/** What this machine says of itself to other agents. `url` is where its JSON-RPC listens. */
export function agentCard(url: string, version: string): AgentCard {
  return {
    name: "aaOS",
    description:
      "Carries goals out: plans them into steps, and has confined agents fetch, read, compare and write.",
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", tenant: "", protocolVersion: "1.0" }],
    provider: undefined,
    version,
    capabilities: { streaming: true, pushNotifications: false, extensions: [] },
    securitySchemes: {
      bearer: {
        scheme: {
          $case: "httpAuthSecurityScheme",
          value: {
            description: "the token of this machine's listener",
            scheme: "Bearer",
            bearerFormat: "",
          },
        },
      },
    },
    securityRequirements: [{ schemes: { bearer: { list: [] } } }],
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain", "text/markdown"],
    skills: [
      {
        id: "goal",
        name: "Carry out a goal",
        description: "A goal in words, with its URLs, files and output path where there are any.",
        tags: ["research", "files", "documents"],
        examples: ["Fetch https://a.example/x, summarise it and write /data/x.md"],
        inputModes: ["text/plain"],
        outputModes: ["text/plain", "text/markdown"],
        securityRequirements: [],
      },
    ],
    signatures: [],
  };
}
