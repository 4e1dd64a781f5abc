import type { Audit } from '../audit/audit.ts';
import type { InitOptions } from './initialize.ts';
import { rootTokensOf } from './quorum/generate-root.ts';
import { openVault, type VaultOptions } from './vault.ts';

// No device is opened for a vault that only exists in memory yet.
const noDevices: Audit = {
  deviceCount: 0,
  devices: () => [],
  enable: () => Promise.resolve(),
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
    if (!issueRootToken) return '';
    return (await rootTokensOf(vault.tokens)(0)).text;
  };
}
