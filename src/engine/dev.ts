import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { names, parseHcl } from '../lib/hcl/hcl.ts';
import { toBase64 } from '../lib/bytes.ts';
import type { Clock } from '../lib/clock.ts';
import { SealedVaultError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { readConfigFiles } from './config-file.ts';
import type { Core } from './core/core.ts';

/**
 * The dev server (`server -dev`): everything in memory, one unseal key, unsealed, KV v2 at `secret/`. It prints the
 * unseal key and the root token, as Vault's does: for tests and for trying things out, never for secrets.
 */
export interface DevOptions {
  /** host:port. */
  readonly listenAddress: string;
  /** Folder for a certificate made for this run; undefined for plain HTTP. */
  readonly tlsDir: string | undefined;
  /** Files that are read as well: what they say of storage counts. */
  readonly configPaths: readonly string[];
}

/** What the person at the terminal gets. */
export interface DevVault {
  /** Base64. */
  readonly unsealKey: string;
  readonly rootToken: string;
}

/** A dev vault that could not be made. */
export class DevServerFailed extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

export const DEV_CA = 'vault-ca.pem';

/** The configuration of a dev server, in the file's format. With TLS, certificates are written first. */
export async function devConfig(
  { listenAddress, tlsDir, configPaths }: DevOptions,
  ports: { readonly clock: Clock; readonly random: Random },
): Promise<string> {
  const said = readConfigFiles(configPaths).flatMap(({ text }) => names(parseHcl(text)));
  const storage = said.includes('storage') || said.includes('backend') ? {} : { storage: { inmem: {} } };
  const audit = said.includes('audit_directory') ? {} : { audit_directory: tmpdir() };
  const config = (tcp: object): string => JSON.stringify({ listener: [{ tcp }], ...storage, ...audit });
  if (tlsDir === undefined) return config({ address: listenAddress, tls_disable: true });
  // Loaded here: few engines make certificates.
  const { ensureTls } = await import('../lib/tls.ts');
  const host = listenAddress.replace(/:\d+$/, '').replaceAll(/[[\]]/g, '');
  const { tls } = await ensureTls(
    undefined,
    {
      commonName: 'SealedVault dev authority',
      serverName: 'localhost',
      clientName: 'dev',
      dnsNames: ['localhost', ...(isIP(host) === 0 ? [host] : [])],
      addresses: ['127.0.0.1', '::1', ...(isIP(host) === 0 ? [] : [host])],
    },
    ports,
  );
  mkdirSync(tlsDir, { recursive: true, mode: 0o700 });
  const file = (name: string, text: string): string => {
    const path = join(tlsDir, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  file(DEV_CA, tls['ca.crt']);
  return config({
    address: listenAddress,
    tls_cert_file: file('vault-cert.pem', tls['tls.crt']),
    tls_key_file: file('vault-key.pem', tls['tls.key']),
  });
}

/** Initializes and unseals the vault in memory, and mounts KV v2. */
export async function initializeDev(core: Core, rootTokenId: string): Promise<DevVault> {
  const outcome = await core.initialize({
    secretShares: 1,
    secretThreshold: 1,
    pgpKeys: undefined,
    storedShares: undefined,
    recoveryShares: undefined,
    recoveryThreshold: undefined,
    recoveryPgpKeys: undefined,
    rootTokenPgpKey: undefined,
    omitRootToken: false,
    ceremonyId: undefined,
    clientName: undefined,
    signal: new AbortController().signal,
  });
  if ('refused' in outcome) throw new DevServerFailed('the dev vault could not be initialized');
  const unsealKey = toBase64(outcome.keys[0] ?? new Uint8Array());
  await core.unseal({ key: unsealKey, reset: false, migrate: false, dryRun: false });
  const { vault } = core;
  if (vault === undefined) throw new DevServerFailed('the dev vault could not be unsealed');
  await vault.mounts.mount({
    table: 'mounts',
    path: 'secret/',
    type: 'kv-v2',
    description: 'key/value secret storage',
    local: false,
    sealWrap: false,
    options: { version: '2' },
    config: { defaultLeaseTtl: 0, maxLeaseTtl: 0, forceNoCache: false },
  });
  if (rootTokenId === '') return { unsealKey, rootToken: outcome.rootToken };
  const first = await vault.tokens.lookup(outcome.rootToken);
  const chosen =
    first === undefined ? undefined : await vault.tokens.create({ ...first, ttl: 0, id: rootTokenId });
  if (first === undefined || chosen === undefined)
    throw new DevServerFailed('the root token of the dev vault could not be made');
  await vault.tokens.revoke(first.hash);
  return { unsealKey, rootToken: rootTokenId };
}

/** What is printed once a dev server is up. @param caFile the authority to trust, with TLS */
export function devBanner(address: string, vault: DevVault, caFile: string | undefined): string {
  const exports = [
    `    $ export VAULT_ADDR='${address}'`,
    ...(caFile === undefined ? [] : [`    $ export VAULT_CACERT='${caFile}'`]),
  ];
  return `WARNING! dev mode: this vault lives in memory, is unsealed with one key, and forgets everything when it stops.

Point your tools at it:

${exports.join('\n')}

Unseal Key: ${vault.unsealKey}
Root Token: ${vault.rootToken}

Never put a real secret into a dev server.
`;
}
