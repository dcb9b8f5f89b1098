// What machines are given at their first boot in the tests: good files, wrong ones with what must be said of them, and the media that
// carry them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./host.mjs";

const OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9876543210abcdefghijklmnopqrstuv me@couch";
export const SECRET = "sk-provisioned-0123456789";

/** @param {string} name @param {string} key */
export function goodFile(name, key) {
  return `hostname: ${name}
timezone: Europe/Berlin
users:
  - {name: aaos, ssh_keys: ["${key}"]}
  - {name: ada, ssh_keys: ["${OTHER_KEY}"], admin: false}
credentials: {github: ${SECRET}}
policy: {write: {allow: [/output]}}
`;
}

/** The same as cloud-init's format has it. @param {string} name @param {string} key */
export function goodUserData(name, key) {
  return `#cloud-config
hostname: ${name}
timezone: Europe/Berlin
ssh_authorized_keys: ["${key}"]
users:
  - default
  - {name: ada, ssh_authorized_keys: ["${OTHER_KEY}"]}
write_files:
  - {path: /srv/hello, content: aGVsbG8=, encoding: b64}
aaos:
  credentials: {github: ${SECRET}}
  policy: {write: {allow: [/output]}}
`;
}

/** Ten wrong files and what must be said of each: the line where YAML has one, and the field. */
export const WRONG_FILES = [
  { text: "hostname: fine\nhostnam: x\n", says: /:2: hostnam: is unknown/ },
  { text: "hostname: my box\n", says: /:1: hostname: is no host name/ },
  {
    text: "users:\n  - {name: a, ssh_keys: [ssh-rsa]}\n",
    says: /:2: users\[0\]\.ssh_keys\[0\]: is no public key/,
  },
  {
    text: "users:\n  - {name: a, password_hash: secret}\n",
    says: /:2: users\[0\]\.password_hash: is no hash/,
  },
  {
    text: 'users:\n  - {name: a, ssh_key_urls: ["http://x/y.keys"]}\n',
    says: /must be an https URL/,
  },
  {
    text: "users:\n  - {name: a}\n  - {name: a}\n",
    says: /:3: users\[1\]\.name: 'a' is there twice/,
  },
  {
    text: "network:\n  ethernets:\n    e: {addresses: [192.0.2.1]}\n",
    says: /:3: network\.ethernets\.e\.addresses\[0\]/,
  },
  {
    text: "hostname: fine\ntimezone: Mars/Olympus\n",
    says: /:2: timezone: there is no Mars\/Olympus/,
  },
  {
    text: "files: [{path: /etc/sudoers.d/x, content: x}]\n",
    says: /:1: files\[0\]\.path: .*belongs to the system/,
  },
  { text: "hostname: [\n", says: /:\d+: / },
];

/** A FAT stick with these files. @param {string} dir @param {string} label @param {Readonly<Record<string, string>>} files @returns {Promise<string>} */
export async function fatStick(dir, label, files) {
  const image = join(dir, `${label}.fat`);
  await command("mformat", ["-C", "-f", "1440", "-v", label, "-i", image, "::"]);
  for (const [name, text] of Object.entries(files)) {
    const file = join(dir, `stick-${name}`);
    await writeFile(file, text);
    await command("mcopy", ["-i", image, file, `::${name}`]);
  }
  return image;
}

/** A disc with these files. @param {string} dir @param {string} label @param {Readonly<Record<string, string>>} files @returns {Promise<string>} */
export async function disc(dir, label, files) {
  const [tree, image] = [join(dir, `${label}.tree`), join(dir, `${label}.iso`)];
  await mkdir(tree, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(tree, name), text);
  await command("xorriso", [
    ...["-as", "mkisofs", "-quiet", "-J", "-r", "-V", label],
    ...["-o", image, tree],
  ]);
  return image;
}
