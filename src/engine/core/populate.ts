import type { Audit } from '../audit/audit.ts';
import type { InitOptions } from './initialize.ts';
import { openVault, type Vault, type VaultOptions } from './vault.ts';

// No device is opened for a vault that only exists in memory yet.
const noDevices: Audit = {
  deviceCount: 0,
  devices: () => [],
  add: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  logRequest: () => Promise.resolve(),
  logResponse: () => Promise.resolve(),
  reload: () => Promise.resolve(),
  close: () => Promise.resolve(),
  hash: () => undefined,
};

/** Writes what a new vault starts with: mounts, policies, and a root token when one is to be issued. */
export function populator(
  options: Omit<VaultOptions, 'barrier' | 'clusterId' | 'openAudit'>,
): InitOptions['populate'] {
  return async (barrier, clusterId, issueRootToken) => {
    const openAudit = (): Promise<Audit> => Promise.resolve(noDevices);
    const vault = await openVault({ ...options, barrier, clusterId, openAudit });
    return issueRootToken ? rootToken(vault) : '';
  };
}

async function rootToken({ tokens }: Vault): Promise<string> {
  const issued = await tokens.create({
    parent: '',
    policies: ['root'],
    path: 'auth/token/root',
    displayName: 'root',
    meta: null,
    numUses: 0,
    ttl: 0,
    explicitMaxTtl: 0,
    period: 0,
    renewable: false,
    orphan: true,
    entityId: '',
  });
  return issued?.text ?? '';
}
