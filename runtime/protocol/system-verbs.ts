import { z } from "zod";
import { ChannelName, Release } from "./channel.js";
import { Name } from "./ids.js";
import { SlotsStatus } from "./machine-status.js";

/** A request line of the root service is at most this long, in bytes: a public key or a credential, never a file system. */
export const MAX_SYSTEM_REQUEST_BYTES = 65_536;

/** A user as useradd(8) takes one. */
const UserName = z.string().regex(/^[a-z_][a-z0-9_-]{0,30}$/);
const Done = z.strictObject({});
const SlotVersion = z.strictObject({ slot: z.enum(["A", "B"]), version: z.string() });

/** Short ones are guessed by whoever has the file. */
const Passphrase = z.string().min(12).max(1_024);

/** As shutdown(8) takes a time: `now`, `+5`, `03:30`. */
export const RestartAt = z.string().regex(/^(now|\+\d{1,5}|([01]?\d|2[0-3]):[0-5]\d)$/);

/** What a backup says of itself. */
export const BackupAbout = z.strictObject({
  format: z.literal(1),
  /** Of the program that made it. */
  version: z.string(),
  hostname: z.string(),
  time: z.string(),
  /** Of the journal; 0 where there is no database. */
  events: z.int().min(0),
});
export type BackupAbout = z.infer<typeof BackupAbout>;

/** A provider as an operator chose it: by its name in providers.yaml, and, where it is none that is known, how to reach it. */
export const ProviderSelection = z.strictObject({
  provider: Name,
  api: z.enum(["openai", "anthropic"]).optional(),
  base_url: z.url({ protocol: /^https?$/ }).optional(),
  /** A model id for all three aliases. */
  model: z.string().min(1).optional(),
  key: z.string().min(1).max(16_384).optional(),
});
export type ProviderSelection = z.infer<typeof ProviderSelection>;

export const ConfiguredProvider = z.strictObject({
  provider: z.string(),
  credential: z
    .strictObject({ name: z.string(), file: z.string(), encrypted: z.boolean() })
    .nullable(),
  file: z.string(),
  /** The fields of providers.yaml that were set; none where it was right already. */
  changed: z.array(z.string()),
  /** `not_told`: somebody must start agentd again, and `how` says how. */
  daemon: z.discriminatedUnion("state", [
    z.strictObject({ state: z.literal("restarted") }),
    z.strictObject({ state: z.literal("no_daemon") }),
    z.strictObject({ state: z.literal("not_told"), how: z.string() }),
  ]),
});
export type ConfiguredProvider = z.infer<typeof ConfiguredProvider>;

/**
 * What the root service can do, and nothing else: parameters and result of each verb. Each has one file in `appliance/verbs/` and
 * one line in `appliance/verbs.ts`; the two are held equal by the compiler.
 */
export const SYSTEM_VERBS = {
  /** Stores a secret for the daemon, encrypted for this machine where systemd can; the daemon reads it when it starts next. */
  "set-credential": {
    params: z.strictObject({ name: Name, secret: z.string().min(1).max(16_384) }),
    result: z.strictObject({ file: z.string(), encrypted: z.boolean() }),
  },
  "remove-credential": {
    params: z.strictObject({ name: Name }),
    result: z.strictObject({ removed: z.array(z.string()) }),
  },
  /** Makes a provider the default and keeps its key, in as few changes as that takes; agentd is started again where it runs. */
  "configure-provider": {
    params: ProviderSelection,
    result: ConfiguredProvider,
  },
  /** `restart` ends and starts agentd.service, `reload` has it read its files again; fails where the service then does not run. */
  "control-daemon": {
    params: z.strictObject({ action: z.enum(["restart", "reload", "start", "stop"]) }),
    result: Done,
  },
  /** Lets a user of this machine use agentd: as an operator of their own runs, or as one who may do everything. */
  "add-operator": {
    params: z.strictObject({ user: UserName, group: z.enum(["aaos", "aaos-admin"]) }),
    result: Done,
  },
  "remove-operator": {
    params: z.strictObject({ user: UserName, group: z.enum(["aaos", "aaos-admin"]) }),
    result: Done,
  },
  /** Both slots of an installed disk; `verify` reads them whole and compares with what was written. */
  "slots-status": { params: z.strictObject({ verify: z.boolean() }), result: SlotsStatus },
  /** Puts a signed bundle into the slot that does not run; the next start is its. `automatic`: not one that was left here. */
  "install-bundle": {
    params: z.strictObject({
      file: z.string().min(1),
      /** The label or device of a USB volume; `""` is the only one, null none: then `file` is an absolute path. */
      usb: z.string().nullable(),
      allow_downgrade: z.boolean(),
      automatic: z.boolean(),
    }),
    result: SlotVersion.extend({ database_copy: z.string().nullable() }),
  },
  /** Judges the signed index of a channel, and says what it has for this machine. What was seen once is never gone back behind. */
  "read-channel": {
    params: z.strictObject({ channel: ChannelName, index: z.base64().max(61_440) }),
    result: z.strictObject({
      serial: z.int(),
      expires: z.string(),
      running: z.string(),
      release: Release.nullable(),
      /** Why this machine would not take it by itself. */
      failed: z.string().nullable(),
    }),
  },
  /** The next start is the other slot's, which was found healthy once. */
  rollback: { params: Done, result: SlotVersion },
  /** The next start erases what is on the data volume; `keep_access` spares the network's settings and the SSH keys. */
  "factory-reset": { params: z.strictObject({ keep_access: z.boolean() }), result: Done },
  /** Configuration, secrets and database as one encrypted file: in frames of bytes, or onto a USB volume by its label or device (`""`: the only one). */
  "make-backup": {
    params: z.strictObject({ passphrase: Passphrase, usb: z.string().nullable() }),
    result: z.strictObject({
      /** On the volume; null where the caller has it. */
      file: z.string().nullable(),
      size_bytes: z.int(),
      sha256: z.string(),
    }),
  },
  /** Makes this machine what a backup holds; agentd is stopped meanwhile. */
  "restore-backup": {
    params: z.strictObject({
      file: z.string().min(1),
      passphrase: Passphrase,
      usb: z.string().nullable(),
    }),
    result: z.strictObject({
      about: BackupAbout,
      files: z.int(),
      credentials: z.array(z.string()),
      replaced: z.string().nullable(),
    }),
  },
  "restart-machine": {
    params: z.strictObject({ at: RestartAt }),
    result: Done,
  },
} as const;

export type SystemVerbName = keyof typeof SYSTEM_VERBS;
export type SystemParams<V extends SystemVerbName> = z.output<(typeof SYSTEM_VERBS)[V]["params"]>;
export type SystemResult<V extends SystemVerbName> = z.output<(typeof SYSTEM_VERBS)[V]["result"]>;

/** One line to the root service; then lines of `SystemFrame` come back, the last an `end` or an `error`, and it closes. */
export const SystemRequest = z.strictObject({
  verb: z.string(),
  params: z.record(z.string(), z.unknown()).default({}),
});
export type SystemRequest = z.infer<typeof SystemRequest>;

/** `progress` says in words how far a long verb is. `error.kind` is one of the catalogue of errors. */
export const SystemFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("progress"), text: z.string() }),
  /** A part of what was asked for, where that is a file. */
  z.strictObject({ type: z.literal("data"), base64: z.base64() }),
  z.strictObject({ type: z.literal("end"), result: z.unknown() }),
  z.strictObject({
    type: z.literal("error"),
    kind: z.string(),
    op: z.string(),
    message: z.string(),
    hint: z.string(),
  }),
]);
export type SystemFrame = z.infer<typeof SystemFrame>;
