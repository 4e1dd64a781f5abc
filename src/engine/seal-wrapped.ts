/**
 * What of a plug-in's storage is critical, by the type of the mount: keys, prefixes that end in a slash, or everything
 * (empty). Mounts with `seal_wrap` have it wrapped by the seal. One line each (Vault: SealWrapStorage of each plug-in).
 */
export const sealWrapped: Readonly<Record<string, (format: string) => readonly string[]>> = {
  database: () => ['config/', 'static-role/', 'wal/'],
  jwt: () => ['config'],
  kubernetes: () => ['config'],
  kv: (format) => (format === '2' ? ['versions/'] : ['']),
  ldap: () => ['config'],
  oidc: () => ['config'],
  pki: () => ['config/key/'],
  ssh: () => ['issuer/'],
  totp: () => ['key/'],
  transit: () => ['archive/', 'policy/', 'import/'],
};
