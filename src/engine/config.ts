import { attribute, blocks, names, parseHcl, textList } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import type { JsonLimits } from '../lib/json-limits.ts';
import type { LogLevel } from '../lib/log.ts';
import {
  ConfigInvalid,
  deepFreeze,
  type Environment,
  flag,
  integer,
  level,
  type NamedBlock,
  named,
  scalar,
  seconds,
  variable,
} from './config-values.ts';

import { type AuditConfig, type AuditRulesConfig, parseAudit, parseAuditRules } from './config-audit.ts';
import { type KmsLibrary, parseKmsLibraries } from './config-kms-library.ts';
import { parseSeals, type SealStanza } from './config-seal.ts';
import { LOCKABLE_TYPES, type LockoutSettings } from './mount/mount.ts';

export type { SealStanza } from './config-seal.ts';
export { ConfigInvalid, type Environment } from './config-values.ts';

/**
 * The engine's configuration: Vault's file format, HCL or JSON, and its environment, as one frozen value.
 *
 * I1  Environment beats file. Unknown keys are warned of by name and change nothing.
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
  readonly logLevel: LogLevel;
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

export interface ListenerConfig {
  readonly host: string;
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls: TlsConfig | undefined;
  /** Bytes; larger bodies are refused with 413. */
  readonly maxRequestSize: number;
  /** What a JSON body may be made of; without a good token it may be less. */
  readonly json: JsonLimits;
  /** Families of quorum endpoints that need no token here. */
  readonly open: readonly OpenFamily[];
}

export type OpenFamily = 'rekey' | 'generate-root' | 'metrics';

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
  readonly requireClientCert: boolean;
  readonly askClientCert: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** `file` is Vault's name for a folder on one node: it is kept in LMDB as well. */
export type StorageConfig =
  | { readonly type: 'lmdb' | 'file'; readonly path: string }
  | { readonly type: 'inmem' };

const KNOWN = new Set(
  `listener storage backend seal audit api_addr cluster_addr cluster_name log_level log_format log_file log_requests_level
  log_rotate_bytes log_rotate_duration log_rotate_max_files default_lease_ttl max_lease_ttl disable_mlock disable_cache
  cache_size ui telemetry plugin_directory plugin_file_uid plugin_file_permissions raw_storage_endpoint pid_file
  introspection_endpoint enable_response_header_hostname enable_response_header_raft_node_id disable_sealwrap
  disable_performance_standby disable_clustering default_max_request_duration detect_deadlocks imprecise_lease_role_tracking
  enable_unauthenticated_access ha_storage user_lockout service_registration entropy require_pgp_shares init_client_name
  audit_directory allow_audit_log_prefixing unsafe_allow_api_audit_creation config_group_readable recovery_mode kms_library migrate_by_ceremony`.split(
    /\s+/,
  ),
);
const KNOWN_LISTENER = new Set(
  `address cluster_address tls_disable tls_cert_file tls_key_file tls_client_ca_file tls_require_and_verify_client_cert
  tls_disable_client_certs tls_min_version tls_max_version tls_cipher_suites max_request_size max_request_duration
  http_idle_timeout http_read_header_timeout http_read_timeout http_write_timeout telemetry profiling proxy_protocol_behavior
  max_json_depth max_json_string_value_length max_json_object_entry_count max_json_array_element_count max_json_token
  proxy_protocol_authorized_addrs x_forwarded_for_authorized_addrs x_forwarded_for_hop_skips
  x_forwarded_for_reject_not_authorized x_forwarded_for_reject_not_present disable_unauthed_rekey_endpoints
  disable_unauthed_generate_root_endpoints`.split(/\s+/),
);
const DEFAULT_LEASE_TTL = 32 * 86_400;
const MAX_REQUEST_SIZE = 32 * 1024 * 1024;

/**
 * Reads a configuration file.
 * @param text HCL or JSON; several are read as one
 * @param env the process's environment; `VAULT_X` and `BAO_X` are equal, the latter wins
 * @throws ERR_HCL_SYNTAX, ERR_CONFIG_INVALID
 */
export function parseEngineConfig(
  text: string | readonly string[],
  env: Environment,
): { readonly config: EngineConfig; readonly warnings: readonly string[] } {
  const texts = typeof text === 'string' ? [text] : text;
  const body: HclBody = { items: texts.flatMap((each) => parseHcl(each).items) };
  const warnings = names(body)
    .filter((name) => !KNOWN.has(name))
    .map((name) => `unknown configuration key "${name}"`);
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
  const listeners = blocks(body, 'listener').map((block) =>
    parseListener(named(block, 'listener'), everywhere, warnings),
  );
  if (listeners.length === 0)
    throw new ConfigInvalid('no listener is configured', {
      hint: 'add listener "tcp" { address = "127.0.0.1:8200" … }',
    });

  const { seal, moreSeals, migrateFrom, entropy } = parseSeals(body, env, warnings);
  const storage = parseStorage(body);
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
    kmsLibraries: parseKmsLibraries(body),
    audit: blocks(body, 'audit').map(parseAudit),
    auditRules: parseAuditRules(body, storage.type === 'inmem' ? undefined : storage.path),
    apiAddress: read('api_addr') ?? defaultAddress(listeners),
    logLevel: level(read('log_level')),
    defaultLeaseTtl,
    maxLeaseTtl,
    userLockout: parseLockout(body, env),
    requirePgpShares: flag('require_pgp_shares', scalar(body, 'require_pgp_shares')),
    initClientName: scalar(body, 'init_client_name'),
    ui: flag('ui', scalar(body, 'ui')),
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

function parseListener(
  { type, body }: NamedBlock,
  everywhere: readonly string[],
  warnings: string[],
): ListenerConfig {
  if (type !== 'tcp')
    throw new ConfigInvalid('a listener is of an unknown type', { hint: 'only listener "tcp" is supported' });
  for (const name of names(body))
    if (!KNOWN_LISTENER.has(name)) warnings.push(`unknown configuration key "listener.tcp.${name}"`);
  const { host, port } = parseAddress(scalar(body, 'address') ?? '127.0.0.1:8200');
  return {
    host,
    port,
    tls: flag('tls_disable', scalar(body, 'tls_disable')) ? undefined : parseTls(body),
    maxRequestSize: integer('max_request_size', scalar(body, 'max_request_size'), MAX_REQUEST_SIZE),
    json: {
      maxDepth: limit(body, 'max_json_depth', 300),
      maxStringValueLength: limit(body, 'max_json_string_value_length', 1_048_576),
      maxObjectEntryCount: limit(body, 'max_json_object_entry_count', 10_000),
      maxArrayElementCount: limit(body, 'max_json_array_element_count', 10_000),
      maxTokens: limit(body, 'max_json_token', 200_000),
    },
    open: openFamilies(body, everywhere),
  };
}

// Vault takes 0 for its default.
function limit(body: HclBody, name: string, fallback: number): number {
  const given = integer(name, scalar(body, name), 0);
  if (given < 0) throw new ConfigInvalid(`${name} must not be negative`);
  return given === 0 ? fallback : given;
}

// The peers' two ways of saying it: a switch of the listener, or a list for all listeners.
function openFamilies(body: HclBody, everywhere: readonly string[]): OpenFamily[] {
  const families = {
    rekey: 'disable_unauthed_rekey_endpoints',
    'generate-root': 'disable_unauthed_generate_root_endpoints',
  } as const;
  const open = (Object.keys(families) as (keyof typeof families)[]).filter((family) => {
    const disabled = scalar(body, families[family]);
    return disabled === undefined ? everywhere.includes(family) : !flag(families[family], disabled);
  });
  const metrics = blocks(body, 'telemetry').some(({ body: each }) =>
    flag('unauthenticated_metrics_access', scalar(each, 'unauthenticated_metrics_access')),
  );
  return metrics ? [...open, 'metrics'] : open;
}

function parseTls(body: HclBody): TlsConfig {
  const certFile = scalar(body, 'tls_cert_file');
  const keyFile = scalar(body, 'tls_key_file');
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigInvalid('a listener has no certificate', {
      hint: 'set tls_cert_file and tls_key_file, or tls_disable = true',
    });
  }
  const minVersion = scalar(body, 'tls_min_version') ?? 'tls12';
  if (minVersion !== 'tls12' && minVersion !== 'tls13') {
    throw new ConfigInvalid('tls_min_version is not supported', { hint: 'use tls12 or tls13' });
  }
  const requireClientCert = flag(
    'tls_require_and_verify_client_cert',
    scalar(body, 'tls_require_and_verify_client_cert'),
  );
  const askClientCert = !flag('tls_disable_client_certs', scalar(body, 'tls_disable_client_certs'));
  if (requireClientCert && !askClientCert) {
    throw new ConfigInvalid('client certificates are both required and disabled', {
      hint: 'leave out tls_disable_client_certs or tls_require_and_verify_client_cert',
    });
  }
  return {
    certFile,
    keyFile,
    clientCaFile: scalar(body, 'tls_client_ca_file'),
    requireClientCert,
    askClientCert,
    minVersion: minVersion === 'tls13' ? 'TLSv1.3' : 'TLSv1.2',
  };
}

function parseStorage(body: HclBody): StorageConfig {
  const found = [...blocks(body, 'storage'), ...blocks(body, 'backend')];
  const [block] = found;
  if (block === undefined || found.length > 1) {
    throw new ConfigInvalid('exactly one storage block is needed', {
      hint: 'write storage "lmdb" { path = "/vault/data" }',
    });
  }
  const { type, body: settings } = named(block, 'storage');
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

function parseLockout(body: HclBody, env: Environment): Record<string, LockoutSettings> {
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

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:]*)):(?<port>\d+)$/.exec(address);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new ConfigInvalid('a listener address cannot be read', {
      hint: 'write "host:port", with an IPv6 host in brackets',
    });
  }
  return { host: match.groups?.['six'] ?? (match.groups?.['four'] || '0.0.0.0'), port };
}

function defaultAddress([first]: readonly ListenerConfig[]): string {
  if (first === undefined) return '';
  const host = ['::', '0.0.0.0'].includes(first.host) ? '127.0.0.1' : first.host;
  return `${first.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${first.port}`;
}
