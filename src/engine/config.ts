import { attribute, blocks, parseHcl, textList } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { type AuditConfig, type AuditRulesConfig, parseAudit, parseAuditRules } from './config-audit.ts';
import { checkKeys, checkVariables, KEYS, LOCKOUT_KEYS, STORAGE_KEYS } from './config-keys.ts';
import { type KmsLibrary, parseKmsLibraries } from './config-kms-library.ts';
import { defaultAddress, type ListenerConfig, parseListener, rendered } from './config-listener.ts';
import { type LogConfig, parseLog } from './config-log.ts';
import { parseSeals, type SealStanza } from './config-seal.ts';
import {
  ConfigInvalid,
  deepFreeze,
  type Environment,
  flag,
  integer,
  milliseconds,
  named,
  scalar,
  seconds,
  variable,
} from './config-values.ts';
import { LOCKABLE_TYPES, type LockoutSettings } from './mount/mount.ts';

export type { ListenerConfig } from './config-listener.ts';
export type { SealStanza } from './config-seal.ts';
export type { TlsConfig } from './config-tls.ts';
export { ConfigInvalid, type Environment } from './config-values.ts';

/**
 * The engine's configuration: Vault's file format, HCL or JSON, and its environment, as one frozen value.
 *
 * I1  Environment beats file, flags beat both. Every key that Vault knows works as documented or is refused by its name
 *     (`config-keys.ts`); keys that nobody knows are warned of by name.
 * I2  Secrets are not resolved here: a seal's stanza is handed on as text and references.
 * I3  What cannot work is refused before anything is opened, with the key's name and what to write instead.
 */
export interface EngineConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly storage: StorageConfig;
  readonly seal: SealStanza;
  /** More HSMs that can each open everything, in the order in which they are asked. */
  readonly moreSeals: readonly SealStanza[];
  /** The disabled seal block: the seal that the vault may still be under, and migrates away from. */
  readonly migrateFrom: SealStanza | undefined;
  /** The vault stays under the disabled seal, and serves, until a ceremony of type seal-migration moves it. */
  readonly migrateByCeremony: boolean;
  /** Whether randomness of the HSM goes into the keys that matter most. */
  readonly augmentEntropy: boolean;
  /** Whether mounts with seal_wrap stop to wrap what they write. */
  readonly disableSealWrap: boolean;
  /** Serve nothing but what is needed to repair a broken storage (`server -recovery`). */
  readonly recoveryMode: boolean;
  /** Libraries that managed keys name. */
  readonly kmsLibraries: readonly KmsLibrary[];
  readonly audit: readonly AuditConfig[];
  readonly auditRules: AuditRulesConfig;
  /** What clients are told to talk to, such as https://vault.example:8200. */
  readonly apiAddress: string;
  /** Undefined: made when the vault is initialized. */
  readonly clusterName: string | undefined;
  readonly logLevel: LogConfig['level'];
  readonly log: LogConfig;
  /** A file that holds the number of the process while it runs. */
  readonly pidFile: string | undefined;
  /** Whether answers name the host (X-Vault-Hostname). */
  readonly hostnameHeader: boolean;
  /** How long a metric without news is told to Prometheus; 0: Prometheus is told nothing. */
  readonly metricsRetentionMs: number;
  /** Seconds. */
  readonly defaultLeaseTtl: number;
  /** Seconds. */
  readonly maxLeaseTtl: number;
  /** By the type of auth method, or `all`. */
  readonly userLockout: Readonly<Record<string, LockoutSettings>>;
  /** Refuse to hand out a recovery share or a root token that is not PGP-encrypted. */
  readonly requirePgpShares: boolean;
  /** Common name of the only verified client that may initialize; anyone when undefined. */
  readonly initClientName: string | undefined;
  /** Whether the ceremony page is served below /ui/. */
  readonly ui: boolean;
  /** Whether sys/raw is served to those with sudo. */
  readonly rawStorage: boolean;
  /** The owner's group may read this file although it holds a credential. */
  readonly groupMayRead: boolean;
}

/** `file` is Vault's name for a folder on one node: it is kept in LMDB as well. */
export type StorageConfig =
  | { readonly type: 'lmdb' | 'file'; readonly path: string }
  | { readonly type: 'inmem' };

const DEFAULT_LEASE_TTL = 32 * 86_400;
const MAX_REQUEST_DURATION_MS = 90_000;
const METRICS_RETENTION_MS = 86_400_000;

/**
 * Reads a configuration file.
 * @param text HCL or JSON; several are read as one
 * @param env the process's environment; `VAULT_X` and `BAO_X` are equal, the latter wins
 * @param flags what the command line says instead, by the names of the keys
 * @throws ERR_HCL_SYNTAX, ERR_CONFIG_INVALID
 */
export function parseEngineConfig(
  text: string | readonly string[],
  env: Environment,
  flags: Readonly<Record<string, string>> = {},
): { readonly config: EngineConfig; readonly warnings: readonly string[] } {
  const texts = typeof text === 'string' ? [text] : text;
  const body: HclBody = { items: texts.flatMap((each) => parseHcl(each).items) };
  const warnings: string[] = [];
  checkKeys(body, KEYS, '', warnings);
  checkVariables(env);
  const read = (name: string): string | undefined => variable(env, name) ?? scalar(body, name);

  const defaultLeaseTtl = seconds('default_lease_ttl', scalar(body, 'default_lease_ttl'), DEFAULT_LEASE_TTL);
  const maxLeaseTtl = seconds('max_lease_ttl', scalar(body, 'max_lease_ttl'), DEFAULT_LEASE_TTL);
  if (defaultLeaseTtl > maxLeaseTtl) {
    throw new ConfigInvalid('default_lease_ttl is longer than max_lease_ttl', {
      hint: 'raise max_lease_ttl or lower default_lease_ttl',
    });
  }
  const opened = attribute(body, 'enable_unauthenticated_access');
  const everywhere = opened === undefined ? [] : (textList(opened.value) ?? []);
  const most = scalar(body, 'default_max_request_duration');
  const maxRequestDurationMs =
    milliseconds('default_max_request_duration', most, 0) || MAX_REQUEST_DURATION_MS;
  const listeners = blocks(body, 'listener').map((block) =>
    parseListener(named(block, 'listener'), { everywhere, maxRequestDurationMs }, warnings),
  );
  if (listeners.length === 0)
    throw new ConfigInvalid('no listener is configured', {
      hint: 'add listener "tcp" { address = "127.0.0.1:8200" … }',
    });

  const { seal, moreSeals, migrateFrom, entropy } = parseSeals(body, env, warnings);
  const log = parseLog(body, env, flags);
  const apiAddress = read('api_addr');
  const storage = parseStorage(body, warnings);
  const config: EngineConfig = {
    listeners,
    storage,
    seal,
    moreSeals,
    migrateFrom,
    migrateByCeremony: flag('migrate_by_ceremony', scalar(body, 'migrate_by_ceremony')),
    augmentEntropy: entropy,
    disableSealWrap: flag('disable_sealwrap', scalar(body, 'disable_sealwrap')),
    recoveryMode: flag('recovery_mode', scalar(body, 'recovery_mode')),
    kmsLibraries: parseKmsLibraries(body, warnings),
    audit: blocks(body, 'audit').map(parseAudit),
    auditRules: parseAuditRules(body, storage.type === 'inmem' ? undefined : storage.path),
    apiAddress: apiAddress ? rendered('api_addr', apiAddress) : defaultAddress(listeners),
    clusterName: scalar(body, 'cluster_name') || undefined,
    logLevel: log.level,
    log,
    pidFile: scalar(body, 'pid_file') || undefined,
    hostnameHeader: flag('enable_response_header_hostname', scalar(body, 'enable_response_header_hostname')),
    metricsRetentionMs: metricsRetention(body),
    defaultLeaseTtl,
    maxLeaseTtl,
    userLockout: parseLockout(body, env, warnings),
    requirePgpShares: flag('require_pgp_shares', scalar(body, 'require_pgp_shares')),
    initClientName: scalar(body, 'init_client_name'),
    ui: flag('ui', read('ui')),
    rawStorage: flag('raw_storage_endpoint', scalar(body, 'raw_storage_endpoint')),
    groupMayRead: flag('config_group_readable', scalar(body, 'config_group_readable')),
  };
  const between = [config.seal.type, config.migrateFrom?.type];
  if (config.migrateByCeremony && between.some((type) => type !== 'pkcs11'))
    throw new ConfigInvalid('migrate_by_ceremony is for two HSMs', {
      hint: 'configure two seal "pkcs11" blocks, the one in use with disabled = "true"; take migrate_by_ceremony out for every other migration',
    });
  if (config.migrateByCeremony && config.initClientName === undefined)
    throw new ConfigInvalid('migrate_by_ceremony needs somebody who may begin the ceremony', {
      hint: 'set init_client_name',
    });
  const unknownTls =
    config.initClientName !== undefined &&
    !listeners.some((each) => each.tls?.clientCaFile !== undefined && each.tls.askClientCert);
  if (unknownTls) {
    throw new ConfigInvalid('init_client_name needs a listener that verifies client certificates', {
      hint: 'set tls_client_ca_file',
    });
  }
  return { config: deepFreeze(config), warnings };
}

function metricsRetention(body: HclBody): number {
  const name = 'prometheus_retention_time';
  const said = blocks(body, 'telemetry').flatMap((block) => scalar(block.body, name) ?? []);
  return milliseconds(`telemetry.${name}`, said.at(-1), METRICS_RETENTION_MS);
}

function parseStorage(body: HclBody, warnings: string[]): StorageConfig {
  const found = [...blocks(body, 'storage'), ...blocks(body, 'backend')];
  const [block] = found;
  if (block === undefined || found.length > 1) {
    throw new ConfigInvalid('exactly one storage block is needed', {
      hint: 'write storage "lmdb" { path = "/vault/data" }',
    });
  }
  const { type, body: settings } = named(block, 'storage');
  checkKeys(settings, type === 'inmem' ? {} : STORAGE_KEYS, `storage.${type}.`, warnings);
  if (type === 'inmem') return { type };
  if (type !== 'lmdb' && type !== 'file')
    throw new ConfigInvalid('the storage type is not supported', { hint: 'use lmdb, file or inmem' });
  const path = scalar(settings, 'path');
  if (path === undefined)
    throw new ConfigInvalid(`storage.${type}.path is missing`, {
      hint: 'name the folder that holds the data',
    });
  return { type, path };
}

function parseLockout(body: HclBody, env: Environment, warnings: string[]): Record<string, LockoutSettings> {
  if (flag('VAULT_DISABLE_USER_LOCKOUT', variable(env, 'disable_user_lockout')))
    return Object.fromEntries([...LOCKABLE_TYPES, 'all'].map((type) => [type, { disabled: true }]));
  const found: Record<string, LockoutSettings> = {};
  for (const block of blocks(body, 'user_lockout')) {
    const { type, body: stanza } = named(block, 'user_lockout');
    if (type !== 'all' && !LOCKABLE_TYPES.includes(type)) {
      throw new ConfigInvalid('a user_lockout block is of an unsupported auth method', {
        hint: `use all, ${LOCKABLE_TYPES.join(', ')}`,
      });
    }
    checkKeys(stanza, LOCKOUT_KEYS, `user_lockout.${type}.`, warnings);
    const threshold = scalar(stanza, 'lockout_threshold');
    const duration = scalar(stanza, 'lockout_duration');
    const reset = scalar(stanza, 'lockout_counter_reset');
    const disabled = scalar(stanza, 'disable_lockout');
    found[type] = {
      ...(threshold === undefined ? {} : { threshold: integer('lockout_threshold', threshold, 0) }),
      ...(duration === undefined ? {} : { duration: seconds('lockout_duration', duration, 0) }),
      ...(reset === undefined ? {} : { counterReset: seconds('lockout_counter_reset', reset, 0) }),
      ...(disabled === undefined ? {} : { disabled: flag('disable_lockout', disabled) }),
    };
    const { threshold: least = 1, duration: locked = 1, counterReset = 1 } = found[type];
    if (least < 1 || locked < 1 || counterReset < 1)
      throw new ConfigInvalid('a threshold or duration of user_lockout is not positive');
  }
  return found;
}
