import type { JsonObject } from '../../lib/json.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import type { AuditDeviceConfig } from '../audit/config.ts';
import type { Storage } from '../logical/storage.ts';
import type { Response } from '../logical/response.ts';
import type { LeaseTtl, LogicalRequest, TokenEntry } from '../logical/request.ts';
import type { MountConfig, MountEntry, Mounted, MountRequest } from '../mount/mount.ts';
import type { Acl } from '../policy/policy.ts';
import type { LeaseCountQuotas } from '../quota/lease-count.ts';
import type { Quotas } from '../quota/quota.ts';
import type { ManagedKeyPort } from './managed-key-port.ts';
import type { ProcessPort } from './process-port.ts';
import type { GenerateRootPort, RekeyPort } from './quorum-port.ts';
import type { CeremonyPort } from './ceremony-port.ts';
import type { RewrapPort, SealBackendStatus } from './seal-port.ts';

/** When the barrier's data key is replaced by itself. */
export interface RotationSettings {
  readonly enabled: boolean;
  readonly maxOperations: number;
  /** Seconds; 0 is never. */
  readonly interval: number;
}

/** 0 is never. */
export interface LeaseTimes {
  readonly issueTime: number;
  readonly expireTime: number;
  readonly lastRenewal: number;
  readonly renewable: boolean;
}

/** What the system backend needs of an open vault; core implements it. */
export interface SysPort {
  /** Below sys/ of the barrier: settings that the endpoints keep themselves. */
  readonly storage: Storage;
  readonly random: Random;
  readonly keyRandom: KeyRandom;
  /** Milliseconds since the epoch. */
  now(): number;
  readonly server: { readonly version: string; readonly apiAddress: string };
  /** Names of what can be mounted, by plugin type. */
  readonly catalog: Readonly<Record<string, readonly string[]>>;
  readonly counts: { tokens(): Promise<number>; entities(): Promise<number> };
  /** The versions that this vault has run, the oldest first. */
  versions(): Promise<{ readonly version: string; readonly installed: string; readonly buildDate: string }[]>;
  readonly rotation: {
    get(): RotationSettings;
    set(settings: RotationSettings): Promise<void>;
  };
  readonly mounts: {
    entries(table: 'mounts' | 'auth'): MountEntry[];
    leaseTtl(config: MountConfig): LeaseTtl;
    mount(request: MountRequest): Promise<MountEntry | { readonly refused: string }>;
    unmount(table: 'mounts' | 'auth', path: string): Promise<{ readonly refused: string } | undefined>;
    tune(
      table: 'mounts' | 'auth',
      path: string,
      edit: (entry: MountEntry) => MountEntry | { readonly refused: string },
    ): Promise<MountEntry | { readonly refused: string } | undefined>;
    find(path: string): Mounted | undefined;
    all(): readonly Mounted[];
    /** @returns why the mount was not moved */
    remount(from: string, to: string): Promise<string | undefined>;
    /** @returns why nothing was reloaded */
    reload(type: string, paths: readonly string[]): Promise<string | undefined>;
  };
  readonly policies: {
    get(
      name: string,
    ): Promise<{ readonly raw: string; readonly version: number; readonly modified: string } | undefined>;
    put(name: string, raw: string): Promise<void>;
    delete(name: string): Promise<void>;
    names(): Promise<string[]>;
  };
  readonly tokens: {
    lookup(text: string): Promise<TokenEntry | undefined>;
    byAccessor(accessor: string): Promise<TokenEntry | undefined>;
    /** Counts a use. @returns false when none was left */
    use(entry: TokenEntry): Promise<boolean>;
    /** The rules that a token is under, by itself and by its entity. */
    acl(entry: TokenEntry): Promise<Acl>;
  };
  /** Of secrets and of tokens that expire; times are seconds since the epoch. */
  readonly leases: {
    lookup(id: string): Promise<LeaseTimes | undefined>;
    /** @param prefix empty or ending in a slash */
    list(prefix: string): Promise<string[]>;
    renew(
      id: string,
      increment: number,
    ): Promise<
      | { readonly ttl: number; readonly renewable: boolean; readonly warnings: readonly string[] }
      | { readonly refused: string }
    >;
    /** @param sync whether it is done when this resolves. @returns why it failed */
    revoke(id: string, sync: boolean): Promise<string | undefined>;
    /** @param prefix ends in a slash. @returns why it failed */
    revokePrefix(
      prefix: string,
      how: { readonly sync: boolean; readonly force: boolean },
    ): Promise<string | undefined>;
    tidy(): Promise<void>;
    irrevocable(): Promise<{ readonly id: string; readonly mount: string; readonly error: string }[]>;
  };
  readonly lockedUsers: {
    list(): Promise<{ readonly accessor: string; readonly name: string }[]>;
    unlock(user: { readonly accessor: string; readonly name: string }): Promise<void>;
  };
  readonly wrapping: {
    lookup(token: string): Promise<JsonObject | undefined>;
    unwrap(entry: TokenEntry | undefined): Promise<JsonObject | undefined>;
    rewrap(entry: TokenEntry | undefined): Promise<Response | undefined>;
  };
  readonly audit: {
    list(): readonly AuditDeviceConfig[];
    /** @returns why the device was refused */
    enable(device: Omit<AuditDeviceConfig, 'type'> & { readonly type: string }): Promise<string | undefined>;
    disable(path: string): Promise<string | undefined>;
    hash(path: string, input: string): string | undefined;
  };
  keyStatus(): { readonly term: number; readonly installTime: string; readonly encryptions: number };
  /** Replaces the barrier's data key. */
  rotate(): Promise<void>;
  /** Replaces the root key behind the seal. */
  rotateRoot(): Promise<void>;
  readonly generateRoot: GenerateRootPort;
  readonly rekey: { readonly barrier: RekeyPort; readonly recovery: RekeyPort };
  readonly rewrap: RewrapPort;
  readonly ceremonies: CeremonyPort;
  readonly managedKeys: ManagedKeyPort;
  seal(): Promise<void>;
  readonly secondFactors: { validate(requestId: string, payload: JsonObject): Promise<Response> };
  readonly quotas: Quotas;
  readonly leaseCounts: LeaseCountQuotas;
  readonly http: HttpSettingsPort;
  /** Headers of answers that the configuration file sets, in lower case. */
  readonly configuredHeaders: () => readonly string[];
  readonly process: ProcessPort;
  /** Everything behind the barrier; undefined unless the configuration opens it. */
  readonly rawStorage: Storage | undefined;
}

/** Settings of the HTTP edge; undefined takes one away. */
export interface HttpSettingsPort {
  readonly cors: {
    readonly enabled: boolean;
    readonly allowedOrigins: readonly string[];
    readonly allowedHeaders: readonly string[];
  };
  readonly ui: Readonly<Record<string, readonly string[]>>;
  readonly audited: Readonly<Record<string, { readonly hmac: boolean }>>;
  setCors(cors: HttpSettingsPort['cors']): Promise<void>;
  setUi(name: string, values: readonly string[] | undefined): Promise<void>;
  setAudited(name: string, value: { readonly hmac: boolean } | undefined): Promise<void>;
}

/** What the endpoints need that answer in every state; core implements it. */
export interface RawPort {
  isInitialized(): Promise<boolean>;
  initialize(request: InitRequest): Promise<InitOutcome>;
  sealStatus(): Promise<SealStatus>;
  sealBackendStatus(): Promise<SealBackendStatus>;
  /** Takes one recovery (or unseal) share; secret text of hex or base64. */
  unseal(request: UnsealRequest): Promise<SealStatus | UnsealRefusal>;
  health(): Promise<Health>;
  isUnsealed(): boolean;
  /** Has the HSM agents beside the engine started anew, with the slot and PIN of today. @throws ERR_HSM_* */
  renewCredentials(asked: {
    readonly clientName: string | undefined;
    readonly signal: AbortSignal;
  }): Promise<{ readonly status: 400 | 403; readonly refused: string } | undefined>;
}

export interface UnsealRequest {
  readonly key: string;
  readonly reset: boolean;
  /** Put the vault under the other configured seal. */
  readonly migrate: boolean;
  /** With migrate: prove both seals, say what would be done, and change nothing. */
  readonly dryRun: boolean;
}

export interface UnsealRefusal {
  readonly refused: string;
  /** 400 when absent. */
  readonly status?: number;
}

/** What a migration of the seal would do. */
export interface MigrationPlan {
  /** Whether both seals have proven themselves. */
  readonly ready: boolean;
  readonly from: ProvenSeal;
  readonly to: ProvenSeal;
  readonly actions: readonly string[];
}

export interface ProvenSeal {
  readonly type: string;
  readonly proven: boolean;
  /** Why it is not. */
  readonly problem?: string;
  /** Of an HSM. */
  readonly key?: { readonly label: string; readonly id: string; readonly mechanism: string };
}

export interface InitRequest {
  readonly secretShares: number | undefined;
  readonly secretThreshold: number | undefined;
  readonly pgpKeys: readonly string[] | undefined;
  readonly storedShares: number | undefined;
  readonly recoveryShares: number | undefined;
  readonly recoveryThreshold: number | undefined;
  /** Names of those whose recovery shares they will be. */
  readonly recoveryCustodians?: readonly string[] | undefined;
  readonly recoveryPgpKeys: readonly string[] | undefined;
  readonly rootTokenPgpKey: string | undefined;
  readonly omitRootToken: boolean;
  /** Makes the call repeatable: the same id and request get the same answer. */
  readonly ceremonyId: string | undefined;
  readonly clientName: LogicalRequest['clientName'];
  readonly signal: AbortSignal;
}

export type InitOutcome =
  | { readonly refused: string; readonly status: number }
  | {
      /** Shares of the unseal key (Shamir) or of the recovery key, or the PGP messages that hold them. */
      readonly keys: readonly Uint8Array[];
      readonly rootToken: string;
      readonly warnings: readonly string[];
    };

export interface SealStatus {
  readonly type: string;
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly t: number;
  readonly n: number;
  readonly progress: number;
  readonly nonce: string;
  /** Whether a migration to another seal is pending. */
  readonly migration: boolean;
  /** Only in the answer to the share that completes a dry run. */
  readonly plan?: MigrationPlan;
  readonly version: string;
  readonly buildDate: string;
  readonly storageType: string;
  readonly clusterName?: string;
  readonly clusterId?: string;
  /** What is wrong with the seal and what to do; never a secret. */
  readonly warnings: readonly string[];
}

export interface Health {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly version: string;
  readonly serverTimeUtc: number;
  readonly clusterName?: string;
  readonly clusterId?: string;
}
