import { VaultClient, type VaultClientOptions } from './client.ts';

/** What a vault can be asked. */
export type VaultApi = Pick<
  VaultClient,
  'health' | 'sealStatus' | 'sealBackends' | 'leader' | 'initialized' | 'init' | 'request'
>;

/** Makes a client for one address of a vault; what a controller is given, so that a test can give it another. */
export type VaultClientFactory = (options: VaultClientOptions) => VaultApi;

/** @returns a client that talks to the vault itself. */
export const createVaultClient: VaultClientFactory = (options) => new VaultClient(options);
