import type { MountConfig, MountRequest } from '../mount/mount.ts';

const emptyConfig: MountConfig = { defaultLeaseTtl: 0, maxLeaseTtl: 0, forceNoCache: false };
const base = { local: false, sealWrap: false, options: null, config: emptyConfig } as const;

/** What a new vault has mounted. */
export const defaultMounts: readonly MountRequest[] = [
  {
    ...base,
    table: 'mounts',
    path: 'cubbyhole/',
    type: 'cubbyhole',
    description: 'per-token private secret storage',
    local: true,
  },
  {
    ...base,
    table: 'mounts',
    path: 'identity/',
    type: 'identity',
    description: 'identity store',
    config: { ...emptyConfig, passthroughRequestHeaders: ['Authorization'] },
  },
  {
    ...base,
    table: 'mounts',
    path: 'sys/',
    type: 'system',
    description: 'system endpoints used for control, policy and debugging',
    sealWrap: true,
    config: { ...emptyConfig, passthroughRequestHeaders: ['Accept'] },
  },
  {
    ...base,
    table: 'auth',
    path: 'token/',
    type: 'token',
    description: 'token based credentials',
    config: { ...emptyConfig, tokenType: 'default-service' },
  },
];
