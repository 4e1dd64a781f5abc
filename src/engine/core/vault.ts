import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import type { Audit } from '../audit/audit.ts';
import type { Barrier } from '../barrier/barrier.ts';
import { IdentityStore } from '../identity/store.ts';
import { Leases } from '../lease/lease.ts';
import { getJson, jsonPut, type Storage, view } from '../logical/storage.ts';
import { isHsmSeal, type Seal } from '../seal/seal.ts';
import type { KeyLibrary } from '../seal/pkcs11/key-library.ts';
import { passwordFrom } from '../sys/path-password-policies.ts';
import { TokenStore } from '../token/token.ts';
import { AuditTable } from './audit-table.ts';
import { readBreakGlass } from './ceremony/break-glass.ts';
import { LeaseCountQuotas } from '../quota/lease-count.ts';
import { Quotas } from '../quota/quota.ts';
import { HttpSettings } from './http-settings.ts';
import { repeat, Ticker } from './background.ts';
import { Lockout, type LockoutRules } from './lockout.ts';
import { ManagedKeys } from './managed-keys/managed-keys.ts';
import type { BackendFactories } from './backend-factory.ts';
import { countedLeases } from './lease-place.ts';
import { MountTable } from './mounts.ts';
import { PolicyStore } from './policies.ts';
import { SealWrap } from './seal-wrap.ts';
import { SecondFactors } from './second-factor.ts';
import { recordVersion } from './versions.ts';
import { Wrapping } from './wrapping.ts';

/** What an open vault consists of. It exists from the last step after unseal until seal. */
export interface Vault {
  readonly barrier: Barrier;
  readonly sealWrap: SealWrap;
  readonly cluster: ClusterInfo;
  readonly tokens: TokenStore;
  readonly leases: Leases;
  readonly policies: PolicyStore;
  readonly identity: IdentityStore;
  readonly mounts: MountTable;
  readonly managedKeys: ManagedKeys;
  readonly audit: Audit;
  readonly auditTable: AuditTable;
  readonly wrapping: Wrapping;
  readonly lockout: Lockout;
  readonly secondFactors: SecondFactors;
  readonly quotas: Quotas;
  readonly leaseCounts: LeaseCountQuotas;
  readonly http: HttpSettings;
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
  readonly seal: Seal;
  /** New values of mounts with seal_wrap are not wrapped. */
  readonly disableSealWrap: boolean;
  readonly clusterId: string;
  readonly factories: BackendFactories;
  /** By the names of their `kms_library` stanzas. */
  readonly keyLibraries?: ReadonlyMap<string, KeyLibrary>;
  readonly clock: Clock;
  readonly random: Random;
  /** What keys and root tokens are made of. */
  readonly keyRandom: KeyRandom;
  readonly log: Logger;
  readonly defaultLeaseTtl: number;
  readonly maxLeaseTtl: number;
  readonly userLockout?: LockoutRules;
  /** Where clients reach this engine. */
  readonly apiAddress?: string;
  /** Undefined: made from the cluster's id. */
  readonly clusterName?: string | undefined;
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
  if (isHsmSeal(options.seal)) options.seal.breakGlass((await readBreakGlass(barrier))?.publicKey);
  const sealWrap = new SealWrap({ ...options, storage: barrier, disabled: options.disableSealWrap });
  await recordVersion(barrier, options, new Date(clock.now()));
  const identity = new IdentityStore({
    storage: view(barrier, 'sys/identity/'),
    clock,
    random,
  });
  const policies = await PolicyStore.open(view(barrier, 'sys/policy/'), clock, identity);
  const mounted: { table?: MountTable } = {};
  const counted: { quotas?: LeaseCountQuotas } = {};
  const leases = new Leases({
    storage: view(barrier, 'sys/lease/'),
    clock,
    random,
    onRemoved: (id) => counted.quotas?.removed(id.slice(id.lastIndexOf('/') + 1)),
    holder: (accessor) => {
      const found = mounted.table?.byAccessor(accessor);
      return found === undefined ? undefined : { limits: found.leaseTtl, backend: found.backend };
    },
  });
  const tokens = await TokenStore.open({
    rootRandom: options.keyRandom,
    storage: view(sealWrap.own(), 'sys/token/'),
    clock,
    random,
    cipher: barrier,
    onRevoke: async (hash) => {
      await leases.expireOfToken(hash);
      await mounted.table?.clearCubbyhole(hash);
      counted.quotas?.removed(hash);
    },
  });
  const leaseCounts = await LeaseCountQuotas.open(
    view(barrier, 'sys/quotas/'),
    clock,
    countedLeases(leases, tokens),
  );
  counted.quotas = leaseCounts;
  const managedKeys = new ManagedKeys({
    storage: view(sealWrap.own(), 'sys/managed-keys/'),
    libraries: options.keyLibraries ?? new Map(),
    random,
    mounts: () => [...(mounted.table?.entries('mounts') ?? []), ...(mounted.table?.entries('auth') ?? [])],
  });
  const mounts = await MountTable.open({
    ...options,
    managedKeys,
    storage: barrier,
    sealWrap,
    tokens,
    policies,
    identity,
    passwordFrom: async (policy) => {
      const password = await passwordFrom(view(barrier, 'sys/'), random, policy);
      if (typeof password === 'string') return password;
      return { refused: password?.message ?? 'no password policy found' };
    },
    revokeAll: async (prefix) => {
      await tokens.revokePrefix(prefix);
      return leases.revokePrefix(prefix);
    },
  });
  mounted.table = mounts;
  const audit = await options.openAudit(await auditSalt(sealWrap.own(), random));
  const auditTable = await AuditTable.open(barrier, audit);

  const lockout = await Lockout.open(clock, view(barrier, 'core/login/locked-users/'), options.userLockout);

  const stop = new AbortController();
  const ticker = new Ticker(mounts.router, log);
  const chores: Promise<void>[] = [];
  return {
    barrier,
    sealWrap,
    cluster,
    tokens,
    leases,
    policies,
    identity,
    mounts,
    managedKeys,
    audit,
    auditTable,
    lockout,
    secondFactors: new SecondFactors(identity.mfa, clock, random),
    leaseCounts,
    quotas: await Quotas.open(view(barrier, 'sys/quotas/'), clock),
    http: await HttpSettings.open(view(barrier, 'sys/http-settings/')),
    wrapping: new Wrapping(tokens, () => mounts.cubbyhole()),
    startBackgroundWork: () => {
      const begin = (
        everyMs: number,
        failure: string,
        run: (signal: AbortSignal) => Promise<unknown>,
      ): void => {
        chores.push(repeat({ everyMs, failure, run }, clock, log, stop.signal));
      };
      begin(SWEEP_INTERVAL_MS, 'expired tokens could not be removed', () => tokens.sweep());
      begin(SWEEP_INTERVAL_MS, 'expired leases could not be revoked', (signal) => leases.sweep(signal));
      begin(SWEEP_INTERVAL_MS, 'the background work of mounts failed', () => ticker.tick());
      begin(ROTATION_CHECK_MS, 'the key of the barrier could not be rotated', () => rotateIfDue(options));
    },
    seal: async () => {
      stop.abort();
      await Promise.all(chores);
      await ticker.idle();
      await mounts.close();
      await sealWrap.close();
      barrier.seal();
      await audit.close();
    },
  };
}

async function clusterInfo({ barrier, clusterId, clusterName }: VaultOptions): Promise<ClusterInfo> {
  const stored = await getJson<ClusterInfo>(barrier, 'core/cluster/local/info');
  if (stored !== undefined && (clusterName === undefined || clusterName === stored.name)) return stored;
  const id = stored?.id ?? clusterId;
  const info = { id, name: clusterName ?? `vault-cluster-${id.slice(0, 8)}` };
  await barrier.write([jsonPut('core/cluster/local/info', info)]);
  return info;
}

async function auditSalt(storage: Storage, random: Random): Promise<Uint8Array> {
  const stored = await storage.get('sys/audit/salt');
  if (stored !== undefined) return stored;
  const salt = random.bytes(32);
  await storage.put('sys/audit/salt', salt);
  return salt;
}

// A new data key when the settings ask for one; the count of encryptions survives a crash up to the last round.
async function rotateIfDue({ barrier, clock, keyRandom, log }: VaultOptions): Promise<void> {
  await keyRandom.ready();
  if (await barrier.rotateIfDue(keyRandom, new Date(clock.now())))
    log.info({ term: barrier.keyStatus().term }, 'the key of the barrier was rotated');
}
