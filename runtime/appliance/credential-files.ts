/** Where systemd looks for what is sealed for this machine. */
export const SEALED_DIR = "/etc/credstore.encrypted";

/** Where a secret of the daemon can lie: in plain, for root alone, and encrypted for this machine. The unit loads both. */
export function credentialFiles(name: string): { readonly plain: string; readonly sealed: string } {
  return {
    plain: `/etc/aaos/credentials/${name}`,
    sealed: `${SEALED_DIR}/${sealedName(name)}`,
  };
}

/** The name that is sealed into it: systemd hands a credential out under no other (systemd-creds(1), `--name=`). */
export function sealedName(name: string): string {
  return `aaos_${name}`;
}

/** Which of a folder's files are secrets of the daemon, sealed. */
export function sealedNames(
  files: readonly string[],
): readonly { readonly name: string; readonly sealedAs: string }[] {
  return files
    .filter((file) => file.startsWith(sealedName("")))
    .sort()
    .map((file) => ({ name: file.slice(sealedName("").length), sealedAs: file }));
}
