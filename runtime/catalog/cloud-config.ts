import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { HostName, OPERATOR, ProvisionNetwork } from "../protocol/provision-file.js";

const CloudUser = z.looseObject({
  name: z.string(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  passwd: z.string().optional(),
  groups: z.union([z.string(), z.array(z.string())]).default([]),
  sudo: z.union([z.string(), z.array(z.string()), z.boolean()]).nullish(),
});
type CloudUser = z.infer<typeof CloudUser>;

const CloudFile = z.looseObject({
  path: z.string(),
  content: z.string().default(""),
  encoding: z.enum(["b64", "base64", "text/plain"]).default("text/plain"),
  permissions: z.string().optional(),
});

/** What is understood of cloud-init's user-data. Everything else in it is told and left alone. */
export const UserData = z.looseObject({
  hostname: HostName.optional(),
  timezone: z.string().optional(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  users: z.array(z.union([z.literal("default"), CloudUser])).default([]),
  write_files: z.array(CloudFile).default([]),
  network: ProvisionNetwork.optional(),
  aaos: z.record(z.string(), z.unknown()).default({}),
});
type UserData = z.infer<typeof UserData>;

/** Groups whose members may do everything, here or on the systems that the file was written for. */
const ADMINS = new Set(["aaos-admin", "admin", "sudo", "wheel"]);

/** The same in the words of aaos.yaml, not yet checked. Keys without a user are the operator's. Pure. */
export function inOurWords({ aaos, ...data }: UserData): Record<string, unknown> {
  const users = namedUsers(data.users).map((user) => ({
    name: user.name,
    ssh_keys: user.ssh_authorized_keys,
    admin: isAdmin(user),
    ...(user.passwd === undefined ? {} : { password_hash: user.passwd }),
  }));
  const own = data.ssh_authorized_keys;
  return {
    ...(data.hostname === undefined ? {} : { hostname: data.hostname }),
    ...(data.timezone === undefined ? {} : { timezone: data.timezone }),
    ...(data.network === undefined ? {} : { network: data.network }),
    users: own.length === 0 ? users : [...users, { name: OPERATOR, ssh_keys: own }],
    files: data.write_files.map(({ path, content, encoding, permissions }) => ({
      path,
      content:
        encoding === "text/plain" ? content : Buffer.from(content, "base64").toString("utf8"),
      ...(permissions === undefined ? {} : { permissions }),
    })),
    ...aaos,
  };
}

/** What would become something else than the file says. Pure. */
export function untakable({ write_files }: UserData) {
  return write_files.flatMap(({ content, encoding, append }, i) => [
    ...(encoding === "text/plain" || isUtf8(Buffer.from(content, "base64"))
      ? []
      : [{ path: ["files", i, "content"], message: "is no UTF-8 text", hint: null }]),
    ...(append === undefined || append === false
      ? []
      : [
          { path: ["files", i, "append"], message: "is not done: name the whole file", hint: null },
        ]),
  ]);
}

/** The fields that are left alone, by their names. Pure. */
export function leftAlone(data: UserData): readonly string[] {
  return [
    ...unknownKeys(data, UserData.shape),
    ...namedUsers(data.users).flatMap((user) =>
      [
        ...unknownKeys(user, CloudUser.shape),
        ...(groupsOf(user).every((group) => ADMINS.has(group)) ? [] : ["groups"]),
      ].map((key) => `users.${user.name}.${key}`),
    ),
    ...data.write_files.flatMap((file, i) =>
      unknownKeys(file, CloudFile.shape)
        .filter((key) => key !== "append")
        .map((key) => `write_files[${i}].${key}`),
    ),
  ];
}

function namedUsers(users: UserData["users"]): readonly CloudUser[] {
  return users.filter((user) => user !== "default");
}

/** cloud-init gives nobody more than is asked for. */
function isAdmin({ name, sudo, groups }: CloudUser): boolean {
  const rules = [sudo ?? false].flat();
  return (
    name === OPERATOR ||
    rules.some((rule) => rule === true || !/^(|false)$/i.test(String(rule).trim())) ||
    groupsOf({ groups }).some((group) => ADMINS.has(group))
  );
}

function groupsOf({ groups }: Pick<CloudUser, "groups">): readonly string[] {
  return [groups]
    .flat()
    .flatMap((names) => names.split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function unknownKeys(value: object, shape: object): readonly string[] {
  return Object.keys(value).filter((key) => !Object.hasOwn(shape, key));
}
