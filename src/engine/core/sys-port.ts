import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { ProcessServices } from '../process/process.ts';
import type { SysPort } from '../sys/port.ts';
import type { RewrapPort } from '../sys/seal-port.ts';
import { view } from '../logical/storage.ts';
import { Ceremonies } from './ceremony/ceremonies.ts';
import { leasePort } from './lease-port.ts';
import { versionsOf } from './versions.ts';
import type { BackendFactories } from './backend-factory.ts';
import { aclOf } from './granted.ts';
import { commitRootKey } from './quorum/commit.ts';
import { createGenerateRoot, rootTokensOf } from './quorum/generate-root.ts';
import type { QuorumPorts } from './quorum/quorum.ts';
import { createRekey } from './quorum/rekey.ts';
import type { Vault } from './vault.ts';

/** What the system backend says of the process. */
export interface SysPortOptions extends QuorumPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly keyRandom: KeyRandom;
  readonly log: Logger;
  readonly factories: BackendFactories;
  readonly version: string;
  readonly apiAddress?: string;
  /** Headers of answers that the configuration file sets, in lower case. */
  readonly configuredHeaders?: () => readonly string[];
  readonly requirePgpShares: boolean;
  readonly process: ProcessServices;
  /** Whether sys/raw is served. */
  readonly rawStorage: boolean;
  readonly rewrap: RewrapPort;
  /** The common name of the operator's certificate. */
  readonly initClientName: string | undefined;
}

const NANOSECONDS = 1_000_000_000;

/** An open vault as the system backend sees it. */
export function sysPort(vault: Vault, options: SysPortOptions, seal: () => Promise<void>): SysPort {
  const { clock, random, keyRandom, factories, version, apiAddress = '', log } = options;
  const { mounts, policies, tokens, barrier, wrapping, auditTable, lockout } = vault;
  const quorum = { ...options, random: keyRandom, barrier, requirePgp: options.requirePgpShares };
  return {
    storage: view(barrier, 'sys/'),
    random,
    keyRandom,
    now: () => clock.now(),
    server: { version, apiAddress },
    catalog: {
      auth: Object.keys(factories.auth),
      database: factories.databases,
      secret: Object.keys(factories.secrets),
    },
    counts: {
      tokens: async () => (await tokens.accessors()).length,
      entities: async () => (await barrier.list('sys/identity/entity/')).length,
    },
    versions: () => versionsOf(barrier),
    rotation: {
      get: () => {
        const { disabled, maxOperations, interval } = barrier.rotation();
        return { enabled: !disabled, maxOperations, interval: interval / NANOSECONDS };
      },
      set: ({ enabled, maxOperations, interval }) =>
        barrier.setRotation({ disabled: !enabled, maxOperations, interval: interval * NANOSECONDS }),
    },
    mounts: {
      entries: (table) => mounts.entries(table),
      leaseTtl: (config) => mounts.leaseTtl(config),
      mount: async (request) => {
        const entry = await mounts.mount(request);
        if (!('refused' in entry)) log.info({ ...placeOf(entry), type: entry.type }, 'successful mount');
        return entry;
      },
      unmount: async (table, path) => {
        const refused = await mounts.unmount(table, path);
        if (refused === undefined) log.info(placeOf({ table, path }), 'successfully unmounted');
        return refused;
      },
      tune: (table, path, edit) => mounts.tune(table, path, edit),
      find: (path) => mounts.router.find(path),
      all: () => mounts.router.all(),
      remount: async (from, to) => (await mounts.remount(from, to))?.refused,
      reload: async (type, paths) => (await mounts.reload(type, paths))?.refused,
    },
    policies,
    tokens: {
      lookup: (text) => tokens.lookup(text),
      byAccessor: (accessor) => tokens.byAccessor(accessor),
      use: (entry) => tokens.use(entry),
      acl: (entry) => aclOf(vault, entry),
    },
    leases: leasePort(vault),
    lockedUsers: {
      list: () =>
        lockout.list((accessor) => mounts.entries('auth').find((entry) => entry.accessor === accessor)),
      unlock: (user) => lockout.unlock(user),
    },
    wrapping,
    audit: auditTable,
    keyStatus: () => barrier.keyStatus(),
    rotate: async () => {
      await keyRandom.ready();
      await barrier.rotate(keyRandom, new Date(clock.now()));
      log.info({ term: barrier.keyStatus().term }, 'the key of the barrier was rotated');
    },
    rotateRoot: () => commitRootKey(quorum),
    generateRoot: createGenerateRoot({ ...quorum, issue: rootTokensOf(tokens) }),
    rekey: {
      barrier: createRekey({ ...quorum, target: 'barrier' }),
      recovery: createRekey({ ...quorum, target: 'recovery' }),
    },
    ceremonies: new Ceremonies({
      ...quorum,
      clock,
      log,
      tokens,
      operatorName: options.initClientName,
      rewrap: () => void options.rewrap.start(),
    }),
    rewrap: options.rewrap,
    managedKeys: vault.managedKeys,
    seal,
    secondFactors: vault.secondFactors,
    quotas: vault.quotas,
    leaseCounts: vault.leaseCounts,
    http: vault.http,
    configuredHeaders: options.configuredHeaders ?? (() => []),
    process: options.process.port,
    rawStorage: options.rawStorage ? vault.sealWrap.raw() : undefined,
  };
}

function placeOf({ table, path }: { readonly table: 'mounts' | 'auth'; readonly path: string }): {
  path: string;
} {
  return { path: table === 'auth' ? `auth/${path}` : path };
}
