import { isIP, isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { AutomaticUpgrade, ChannelName, MaintenanceWindow } from "./channel.js";
import { Name } from "./ids.js";
import { PolicyFile } from "./policy-file.js";
import { Role } from "./role.js";
import { ProviderSelection } from "./system-verbs.js";

/** The operator's login of the appliance. */
export const OPERATOR = "aaos";

/** A user as useradd(8) takes one. */
const UserName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,30}$/, "takes lower-case letters, digits, '_' and '-'");
/** RFC 1123, one label or several. */
export const HostName = z
  .string()
  .regex(
    /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
    "is no host name",
  );
const SshKey = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/=]{16,}( [^\n]*)?$/,
    "is no public key of OpenSSH (ssh-ed25519 AAAA… name)",
  );
const HttpsUrl = z.url({ protocol: /^https$/, error: "must be an https URL" });
/** As its text, without a zone. */
const Address = z
  .string()
  .refine((text) => isAddress(text), "is an address, as 192.0.2.1 or 2001:db8::1");
const Prefixed = z
  .string()
  .refine(isPrefixed, "is an address with its prefix, as 192.0.2.10/24 or 2001:db8::10/64");
const CardName = z.string().regex(/^[\w.-]{1,15}$/, "is no name of a card");
const AbsoluteFile = z.string().regex(/^\/[^\0\n]+$/, "must be an absolute path");

export const ProvisionUser = z.strictObject({
  name: UserName,
  ssh_keys: z.array(SshKey).default([]),
  /** Lists of keys as `https://github.com/NAME.keys` gives them; read when the file is applied. */
  ssh_key_urls: z.array(HttpsUrl).default([]),
  /** For the console alone, in the form of crypt(5); SSH takes keys. */
  password_hash: z
    .string()
    .regex(/^\$(y|6|5|2b)\$[^\s:]+$/, "is no hash of crypt(5); make one with mkpasswd")
    .optional(),
  /** In group aaos-admin, who may do everything; else in group aaos. */
  admin: z.boolean().default(true),
});
export type ProvisionUser = z.infer<typeof ProvisionUser>;

/** One card, in the words of netplan's version 2. */
export const Ethernet = z.strictObject({
  match: z
    .strictObject({
      macaddress: z
        .string()
        .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, "is no MAC address")
        .optional(),
      name: z
        .string()
        .regex(/^[\w.*-]{1,15}$/)
        .optional(),
    })
    .optional(),
  "set-name": CardName.optional(),
  dhcp4: z.boolean().default(false),
  dhcp6: z.boolean().default(false),
  addresses: z.array(Prefixed).default([]),
  gateway4: z.string().refine(isIPv4, "is an IPv4 address").optional(),
  gateway6: Address.refine(isIPv6, "is an IPv6 address").optional(),
  routes: z
    .array(
      z.strictObject({
        to: z
          .string()
          .refine(
            (to) => to === "default" || isPrefixed(to),
            "is default, or a network as 192.0.2.0/24",
          ),
        via: Address,
        metric: z.int().min(0).optional(),
      }),
    )
    .default([]),
  nameservers: z
    .strictObject({
      addresses: z.array(Address).default([]),
      search: z.array(HostName).default([]),
    })
    .prefault({}),
  mtu: z.int().min(576).max(65_535).optional(),
});
export type Ethernet = z.infer<typeof Ethernet>;

export const ProvisionNetwork = z.strictObject({
  version: z.literal(2).default(2),
  ethernets: z.record(CardName, Ethernet).default({}),
});

/** A file that the machine gets as it is; not below what aaOS and the system own. */
const WrittenFile = z.strictObject({
  path: AbsoluteFile,
  content: z.string(),
  permissions: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .default("0644"),
});

/** `aaos.yaml`: what a machine is to be, in one file, for its first boot and for `agentd provision apply`. */
export const ProvisionFile = z.strictObject({
  hostname: HostName.optional(),
  timezone: z
    .string()
    .regex(/^[A-Za-z0-9_+/-]+$/, "is a name as Europe/Berlin")
    .optional(),
  users: z.array(ProvisionUser).default([]),
  network: ProvisionNetwork.optional(),
  provider: ProviderSelection.optional(),
  /** Further secrets by name. */
  credentials: z.record(Name, z.string().min(1).max(16_384)).default({}),
  policy: PolicyFile.optional(),
  roles: z.array(Role).default([]),
  files: z.array(WrittenFile).default([]),
  /** Where the installer puts the system; a disk is named by its serial, for a path changes. */
  install: z.strictObject({ disk: z.string().min(1), wipe: z.boolean().default(false) }).optional(),
  /** Becomes `upgrade:` of agentd.yaml. */
  upgrade: z
    .strictObject({
      channel: ChannelName.default("stable"),
      url: HttpsUrl.optional(),
      automatic: AutomaticUpgrade.optional(),
      window: MaintenanceWindow.optional(),
    })
    .optional(),
  /** The fleet that the machine belongs to; the token is kept as the credential `join`. */
  join: z.strictObject({ url: HttpsUrl, token: z.string().min(1) }).optional(),
});
export type ProvisionFile = z.infer<typeof ProvisionFile>;

/** Stands in the place of a secret that has become a credential. */
export const KEPT = "(kept as a credential)";

/** What becomes a credential, and the field that it stands in. Pure. */
export function secretsOf({ credentials, join }: ProvisionFile) {
  const own = Object.entries(credentials).map(([name, secret]) => ({
    ...{ name, secret, path: ["credentials", name] },
  }));
  return join === undefined
    ? own
    : [...own, { name: "join", secret: join.token, path: ["join", "token"] }];
}

/** The file without what is secret in it: what `/etc/aaos/aaos.yaml` keeps. Pure. */
export function withoutSecrets(file: ProvisionFile): ProvisionFile {
  const { provider, join, credentials, users } = file;
  return {
    ...file,
    users: users.map(({ password_hash: _, ...user }) => user),
    credentials: Object.fromEntries(Object.keys(credentials).map((name) => [name, KEPT])),
    ...(provider === undefined ? {} : { provider: { ...provider, key: undefined } }),
    ...(join === undefined ? {} : { join: { ...join, token: KEPT } }),
  };
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

function isPrefixed(text: string): boolean {
  const [address = "", prefix = "", ...more] = text.split("/");
  const most = isIPv6(address) ? 128 : 32;
  return (
    more.length === 0 &&
    isAddress(address) &&
    /^(0|[1-9]\d{0,2})$/.test(prefix) &&
    Number(prefix) <= most
  );
}

/** What became of provisioning at this boot, for the console, `doctor` and `system status`; at `/run/aaos/provision.json`. */
export const ProvisionOutcome = z.strictObject({
  state: z.enum(["applied", "installed", "refused", "none", "done_before"]),
  source: z.string().nullable(),
  /** FILE:LINE: FIELD: what is wrong; empty unless it was refused. */
  problems: z.array(z.string()),
  notes: z.array(z.string()),
});
export type ProvisionOutcome = z.infer<typeof ProvisionOutcome>;
