import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Audit } from '../audit/audit.ts';
import type { Barrier } from '../barrier/barrier.ts';
import { IdentityStore } from '../identity/store.ts';
import { getJson, jsonPut, view } from '../logical/storage.ts';
import { TokenStore } from '../token/token.ts';
import { AuditTable } from './audit-table.ts';
import { Lockout, type LockoutRules } from './lockout.ts';
import { type BackendFactories, MountTable } from './mounts.ts';
import { PolicyStore } from './policies.ts';
import { recordVersion } from './versions.ts';
import { Wrapping } from './wrapping.ts';

/** What an open vault consists of. It exists from the last step after unseal until seal. */
export interface Vault {
  readonly barrier: Barrier;
  readonly cluster: ClusterInfo;
  readonly tokens: TokenStore;
  readonly policies: PolicyStore;
  readonly identity: IdentityStore;
  readonly mounts: MountTable;
  readonly audit: Audit;
  readonly auditTable: AuditTable;
  readonly wrapping: Wrapping;
  readonly lockout: Lockout;
  /** Begins to remove what has expired. */
  startBackgroundWork(): void;
  /** Ends background work, closes devices and forgets the keys. */
  seal(): Promise<void>;
}

export interface ClusterInfo {
  readonly id: string;
  readonly name: string;
}

export interface VaultOptions {
  readonly barrier: Barrier;
  readonly clusterId: string;
  readonly factories: BackendFactories;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
  readonly userLockout?: LockoutRules;
  /** Where clients reach this engine. */
  readonly apiAddress?: string;
  readonly version: string;
  readonly buildDate: string;
  /** Opens the configured audit devices; their salt is kept behind the barrier. */
  readonly openAudit: (salt: Uint8Array) => Promise<Audit>;
}

const SWEEP_INTERVAL_MS = 1000;
const ROTATION_CHECK_MS = 5 * 60_000;

/** The steps after unseal, in their order. Each only needs the ones before it. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { barrier, clock, random, log } = options;
  const cluster = await clusterInfo(options);
  await recordVersion(barrier, options, new Date(clock.now()));
  const identity = new IdentityStore({ storage: view(barrier, 'sys/identity/'), clock, random });
  const policies = await PolicyStore.open(view(barrier, 'sys/policy/'), clock, identity);
  const cubbyholes: { clear: (tokenHash: string) => Promise<void> } = { clear: () => Promise.resolve() };
  const tokens = await TokenStore.open({
    storage: view(barrier, 'sys/token/'),
    clock,
    random,
    onRevoke: (hash) => cubbyholes.clear(hash),
  });
  const mounts = await MountTable.open({ ...options, storage: barrier, tokens, policies, identity });
  cubbyholes.clear = (hash) => mounts.clearCubbyhole(hash);
  const audit = await options.openAudit(await auditSalt(options));
  const auditTable = await AuditTable.open(barrier, audit);

  const lockout = await Lockout.open(clock, view(barrier, 'core/login/locked-users/'), options.userLockout);

  const stop = new AbortController();
  let sweeping = Promise.resolve();
  let rotating = Promise.resolve();
  return {
    barrier,
    cluster,
    tokens,
    policies,
    identity,
    mounts,
    audit,
    auditTable,
    lockout,
    wrapping: new Wrapping(tokens, () => mounts.cubbyhole()),
    startBackgroundWork: () => {
      sweeping = sweep(tokens, clock, log, stop.signal);
      rotating = keepRotating(options, stop.signal);
    },
    seal: async () => {
      stop.abort();
      await sweeping;
      await rotating;
      barrier.seal();
      await audit.close();
    },
  };
}

async function clusterInfo({ barrier, clusterId }: VaultOptions): Promise<ClusterInfo> {
  const stored = await getJson<ClusterInfo>(barrier, 'core/cluster/local/info');
  if (stored !== undefined) return stored;
  const info = { id: clusterId, name: `vault-cluster-${clusterId.slice(0, 8)}` };
  await barrier.write([jsonPut('core/cluster/local/info', info)]);
  return info;
}

async function auditSalt({ barrier, random }: VaultOptions): Promise<Uint8Array> {
  const stored = await barrier.get('sys/audit/salt');
  if (stored !== undefined) return stored;
  const salt = random.bytes(32);
  await barrier.put('sys/audit/salt', salt);
  return salt;
}

// A new data key when the settings ask for one; the count of encryptions survives a crash up to the last round.
async function keepRotating(
  { barrier, clock, random, log }: VaultOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(ROTATION_CHECK_MS, { signal });
      if (await barrier.rotateIfDue(random, new Date(clock.now())))
        log.info({ term: barrier.keyStatus().term }, 'the key of the barrier was rotated');
    } catch (err) {
      if (!signal.aborted) log.error({ err }, 'the key of the barrier could not be rotated');
    }
  }
}

async function sweep(tokens: TokenStore, clock: Clock, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(SWEEP_INTERVAL_MS, { signal });
      await tokens.sweep();
    } catch (err) {
      if (!signal.aborted) log.error({ err }, 'expired tokens could not be removed');
    }
  }
}
