/** Where a secret of the daemon can lie: in plain, for root alone, and encrypted for this machine. The unit loads both. */
export function credentialFiles(name: string): { readonly plain: string; readonly sealed: string } {
  return {
    plain: `/etc/aaos/credentials/${name}`,
    sealed: `/etc/credstore.encrypted/${sealedName(name)}`,
  };
}

/** The name that is sealed into it: systemd hands a credential out under no other (systemd-creds(1), `--name=`). */
export function sealedName(name: string): string {
  return `aaos_${name}`;
}
