import { z } from "zod";
import { OfferDenials } from "./approval.js";
import { AutomaticUpgrade, ChannelName, MaintenanceWindow } from "./channel.js";

/** `/etc/aaos/agentd.yaml`. Every setting has a default; an empty or absent file works. */
export const Settings = z.strictObject({
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** Model calls at the same time, per provider, where providers.yaml says nothing. */
  model_slots: z.int().min(1).max(1_000).default(3),
  planner: z
    .strictObject({
      max_output_tokens: z.int().min(256).default(4_000),
      max_replans: z.int().min(0).max(10).default(3),
    })
    .prefault({}),
  agent: z
    .strictObject({
      max_output_tokens: z.int().min(256).default(16_384),
      max_total_tokens: z.int().min(1_000).default(5_000_000),
      /** The same call this often earns a hint. */
      tool_repeat_threshold: z.int().min(2).default(3),
      /** The list of skills in an agent's prompt takes at most about so many tokens. */
      skill_catalog_tokens: z.int().min(0).max(100_000).default(2_000),
      /** A tool result longer than this is cut, with a hint how to go on. Bytes. */
      max_tool_result_bytes: z.int().min(1_024).default(65_536),
      /** Children that one call of spawn_agents may start. */
      max_children: z.int().min(1).max(100).default(3),
      /** Messages that wait for one agent; over it senders are told that its mailbox is full. */
      mailbox: z.int().min(1).max(10_000).default(64),
      /** What the supervisor does with an agent whose work broke off: try again so often, the first time after so long. */
      restart: z
        .strictObject({
          policy: z.enum(["on-failure", "never"]).default("on-failure"),
          max_restarts: z.int().min(0).max(100).default(5),
          backoff_s: z.number().positive().max(3_600).default(1),
        })
        .prefault({}),
    })
    .prefault({}),
  run: z
    .strictObject({
      /** Wall clock of one run, in seconds. */
      max_wall_clock_s: z.number().positive().default(86_400),
      /** `ttl` of steps whose plan gives none. */
      default_ttl_hops: z.int().min(1).max(1_000).optional(),
      default_ttl_wall_clock_s: z.number().positive().max(2_592_000).optional(),
      /** Days that a finished run's workspace is kept; 0 keeps it. */
      workspace_ttl_days: z.int().min(0).default(7),
      /** Runs at the same time; the others are queued. */
      max_parallel_runs: z.int().min(1).max(10_000).default(16),
      /** Steps of one run at the same time. */
      max_parallel_steps: z.int().min(1).max(1_000).default(16),
    })
    .prefault({}),
  approvals: z
    .strictObject({
      /** How long an operator has to answer; then it is a denial. Seconds. */
      timeout_s: z.number().positive().max(2_592_000).default(3_600),
      /**
       * Whether a call that was denied for want of a capability waits for an operator who may grant it: `attended`, while one is
       * there who is asked in place; `always`; or `never`. A role may say otherwise.
       */
      offer_denials: OfferDenials.default("attended"),
    })
    .prefault({}),
  journal: z
    .strictObject({
      /** Runs that ended so many days ago are written to `/var/lib/aaos/exports` and their content is erased; 0 keeps them. */
      retention_days: z.int().min(0).default(0),
    })
    .prefault({}),
  memory: z
    .strictObject({
      /** Memories that were not used for so many days are erased; 0 keeps them. */
      retention_days: z.int().min(0).default(0),
    })
    .prefault({}),
  disk: z
    .strictObject({
      /** Under this much free space no run begins and all come to rest; 5 % of a smaller volume. */
      low_water_mb: z.int().min(1).default(256),
      check_s: z.number().positive().max(3_600).default(5),
    })
    .prefault({}),
  web: z
    .strictObject({
      timeout_s: z.number().positive().max(600).default(30),
      max_redirects: z.int().min(0).max(20).default(5),
    })
    .prefault({}),
  /** Traces by OpenTelemetry's conventions for generative AI; off without an endpoint. */
  telemetry: z
    .strictObject({
      /** Base URL of a collector that takes OTLP over HTTP. */
      otlp_endpoint: z.url({ protocol: /^https?$/ }).optional(),
      /** Goals and final words too. */
      capture_content: z.boolean().default(false),
    })
    .prefault({}),
  proxy: z.url({ protocol: /^https?$/ }).optional(),
  ca_files: z.array(z.string().startsWith("/")).default([]),
  /** The appliance: where newer versions come from, and what the machine does about them by itself. */
  upgrade: z
    .strictObject({
      channel: ChannelName.default("stable"),
      /** Where `CHANNEL.index` lies; without one there is no channel. */
      url: z.url({ protocol: /^https$/, error: "must be an https URL" }).optional(),
      automatic: AutomaticUpgrade.default("off"),
      window: MaintenanceWindow.default("02:00-05:00"),
      /** Each machine waits into the window for a time of its own, at most so long. */
      random_delay_minutes: z.int().min(0).max(1_440).default(60),
    })
    .prefault({}),
  /** Told of failed runs, waiting approvals and what became of upgrades. */
  notify: z
    .strictObject({
      webhook: z
        .url({ protocol: /^https?$/ })
        .refine((url) => !url.includes("@") || new URL(url).username === "", {
          error: "may hold no user name and password",
        })
        .optional(),
      /** A program and its arguments; no shell reads them. */
      command: z.array(z.string().min(1)).min(1).optional(),
    })
    .optional(),
});
export type Settings = z.infer<typeof Settings>;
