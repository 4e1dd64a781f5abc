import { readFileSync } from 'node:fs';
import { fromHex, toHex } from '../../../lib/bytes.ts';
import { parseDuration } from '../../../lib/duration.ts';
import { SealedVaultError } from '../../../lib/errors.ts';
import { libraryEnvironment } from './library-env.ts';
import type { AgentTiming } from './agent.ts';
import {
  isCbcPad,
  isOaepHash,
  type LegacyKeys,
  type MechanismName,
  type OaepHash,
  parseMechanism,
} from './mechanism.ts';
import { type PinSource, pinOfText } from './pin.ts';

/** The engine loads the library by a child process of its own. */
export interface ModuleConfig {
  readonly kind: 'module';
  /** Path of the PKCS#11 library. */
  readonly lib: string;
  /** Each that is given must fit: slot number (up to 64 bits), token label, token serial. */
  readonly slot?: bigint;
  readonly tokenLabel?: string;
  readonly serial?: string;
  readonly pin: PinSource;
  /** CKA_LABEL and CKA_ID (lower-case hex) of the key; at least one. */
  readonly keyLabel?: string;
  readonly keyId?: string;
  /** By the type of the key when absent. */
  readonly mechanism?: MechanismName;
  readonly oaepHash: OaepHash;
  /** RSA encryption with the exported public key, outside of the HSM. */
  readonly encryptLocally: boolean;
  readonly generateKey: boolean;
  /** To read what Vault Enterprise sealed with CKM_AES_CBC_PAD. */
  readonly legacy?: LegacyKeys;
  readonly forceRwSession: boolean;
  /** How many calls may be at the HSM at once; each has a process, a session and a log-in of its own. */
  readonly maxParallel: number;
  /** The environment of the PKCS#11 process: what vendor libraries read, and nothing else. */
  readonly libraryEnv: Readonly<Record<string, string>>;
  /** What of the deadlines is configured. */
  readonly timing?: Partial<AgentTiming>;
}

/** The engine talks to an HSM agent that runs beside it. */
export interface AgentConfig {
  readonly kind: 'agent';
  readonly socketPath: string;
  /** The user that the agent runs as, when it is not the engine's. */
  readonly agentUid?: number;
  /** What of the deadlines is configured. */
  readonly timing?: Partial<AgentTiming>;
}

export type Pkcs11Config = ModuleConfig | AgentConfig;

export class Pkcs11ConfigInvalid extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_INVALID';
}

/** Config key (with its aliases) and the rest of the variable's name behind `VAULT_HSM_` or `BAO_HSM_`. */
const KEYS = {
  lib: { keys: ['lib', 'module'], env: 'LIB' },
  slot: { keys: ['slot'], env: 'SLOT' },
  tokenLabel: { keys: ['token_label', 'token'], env: 'TOKEN_LABEL' },
  serial: { keys: ['serial'], env: 'SERIAL' },
  pin: { keys: ['pin'], env: 'PIN' },
  keyLabel: { keys: ['key_label', 'label', 'key'], env: 'KEY_LABEL' },
  keyId: { keys: ['key_id'], env: 'KEY_ID' },
  mechanism: { keys: ['mechanism'], env: 'MECHANISM' },
  oaepHash: { keys: ['rsa_oaep_hash'], env: 'RSA_OAEP_HASH' },
  encryptLocally: { keys: ['rsa_encrypt_local'], env: 'RSA_ENCRYPT_LOCAL' },
  encryptOnHsm: { keys: ['disable_software_encryption'], env: 'DISABLE_SOFTWARE_ENCRYPTION' },
  generateKey: { keys: ['generate_key'], env: 'GENERATE_KEY' },
  forceRwSession: { keys: ['force_rw_session'], env: 'FORCE_RW_SESSION' },
  hmacKeyLabel: { keys: ['hmac_key_label'], env: 'HMAC_KEY_LABEL' },
  hmacKeyId: { keys: ['hmac_key_id'], env: 'HMAC_KEY_ID' },
  hmacMechanism: { keys: ['hmac_mechanism'], env: 'HMAC_MECHANISM' },
  defaultKeyLabel: { keys: ['default_key_label'], env: 'DEFAULT_KEY_LABEL' },
  defaultHmacKeyLabel: { keys: ['default_hmac_key_label'], env: 'HMAC_DEFAULT_KEY_LABEL' },
  maxParallel: { keys: ['max_parallel'], env: 'MAX_PARALLEL' },
  libraryEnv: { keys: ['library_env'], env: 'LIBRARY_ENV' },
  openTimeout: { keys: ['open_timeout'], env: 'OPEN_TIMEOUT' },
  callTimeout: { keys: ['call_timeout'], env: 'CALL_TIMEOUT' },
  agentAddress: { keys: ['agent_address'], env: 'AGENT_ADDRESS' },
  agentUid: { keys: ['agent_uid'], env: 'AGENT_UID' },
} as const satisfies Record<string, { keys: readonly string[]; env: string }>;

type Name = keyof typeof KEYS;

/** Each is a process. */
const MOST_PARALLEL = 32;

/** Read by others: the engine's configuration. */
const ELSEWHERE: readonly string[] = [
  'disabled',
  'name',
  'priority',
  'health_check_enabled',
  'health_check_interval',
  'health_check_interval_unhealthy',
  'health_check_timeout',
];

/** What says how to reach an agent; the rest is the agent's own. */
const OF_AGENT: readonly string[] = ['agent_address', 'agent_uid', 'open_timeout', 'call_timeout'];

/**
 * @param stanza the body of `seal "pkcs11" { … }`, every value as text
 * @param env the process' environment; it wins over the stanza, and `BAO_HSM_*` over `VAULT_HSM_*`
 * @returns warnings are sentences that name keys, never values
 * @throws ERR_CONFIG_INVALID naming the key
 */
export function parsePkcs11Config(
  stanza: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): { config: Pkcs11Config; warnings: string[] } {
  const warnings = unknownKeys(stanza);
  const raw = (name: Name): string | undefined => rawValue(name, stanza, env);
  const read = (name: Name): string | undefined => resolve(KEYS[name].keys[0], raw(name), env);
  const timing = timingOf(read('openTimeout'), read('callTimeout'));
  const address = read('agentAddress');
  if (address !== undefined) {
    for (const name of Object.keys(stanza)) {
      if (!OF_AGENT.includes(name) && !ELSEWHERE.includes(name)) {
        warnings.push(`seal "pkcs11": ${name} has no effect beside agent_address`);
      }
    }
    const uid = read('agentUid');
    if (uid !== undefined && !/^\d{1,10}$/.test(uid)) throw invalid('agent_uid', 'must be a user number');
    const agentUid = uid === undefined ? {} : { agentUid: Number(uid) };
    return { config: { kind: 'agent', socketPath: socketPath(address), ...timing, ...agentUid }, warnings };
  }
  const lib = read('lib');
  if (lib === undefined) throw invalid('lib', 'is required: the path of the PKCS#11 library');
  const slot = slotNumber(read('slot'));
  const tokenLabel = read('tokenLabel');
  const serial = read('serial');
  if (slot === undefined && tokenLabel === undefined && serial === undefined) {
    throw invalid('slot', 'is required, or token_label or serial: which token holds the key');
  }
  const keyLabel = read('keyLabel');
  const keyId = keyIdHex('key_id', read('keyId'));
  if (keyLabel === undefined && keyId === undefined) {
    throw invalid('key_label', 'is required, or key_id: which key wraps the root key');
  }
  const legacy = legacyOf(read, warnings);
  const mechanism = legacy.only ? 'CKM_AES_GCM' : mechanismOf(read('mechanism'));
  const oaepHash = read('oaepHash')?.toLowerCase() ?? 'sha256';
  if (!isOaepHash(oaepHash)) throw invalid('rsa_oaep_hash', 'must be sha1, sha224, sha256, sha384 or sha512');
  const onHsm = boolean('disable_software_encryption', read('encryptOnHsm'));
  const locally = boolean('rsa_encrypt_local', read('encryptLocally'));
  if (onHsm && locally) throw invalid('rsa_encrypt_local', 'contradicts disable_software_encryption');
  const pinWarning = checkPinIsNotInFile(stanza, raw('pin'));
  if (pinWarning !== undefined) warnings.push(pinWarning);
  return {
    config: {
      kind: 'module',
      lib,
      ...(slot === undefined ? {} : { slot }),
      ...(tokenLabel === undefined ? {} : { tokenLabel }),
      ...(serial === undefined ? {} : { serial }),
      pin: pinSource(raw('pin'), env),
      ...(keyLabel === undefined ? {} : { keyLabel }),
      ...(keyId === undefined ? {} : { keyId }),
      ...(mechanism === undefined ? {} : { mechanism }),
      oaepHash,
      encryptLocally: locally ?? false,
      generateKey: boolean('generate_key', read('generateKey')) ?? false,
      forceRwSession: boolean('force_rw_session', read('forceRwSession')) ?? false,
      maxParallel: parallelism(read('maxParallel')),
      libraryEnv: libraryEnvironment(env, read('libraryEnv')),
      ...(legacy.keys === undefined ? {} : { legacy: legacy.keys }),
      ...timing,
    },
    warnings,
  };
}

/** The environment of the library's process; undefined where the stanza names no library, or an agent beside the engine. */
export function libraryEnvOf(
  stanza: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> | undefined {
  const read = (name: Name): string | undefined =>
    resolve(KEYS[name].keys[0], rawValue(name, stanza, env), env);
  if (read('agentAddress') !== undefined || read('lib') === undefined) return undefined;
  return libraryEnvironment(env, read('libraryEnv'));
}

/**
 * The environment of one seal block among several. A variable with the seal's name behind it (`VAULT_HSM_PIN_old`,
 * `SOFTHSM2_CONF_old`) is this seal's, as in Vault's Seal HA; one without counts only for what the block leaves out,
 * so that what was meant for one HSM never changes the other.
 */
export function environmentOfOne(
  stanza: Readonly<Record<string, string>>,
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const chosen: Record<string, string | undefined> = { ...env };
  for (const { keys, env: suffix } of Object.values(KEYS)) {
    if (!keys.some((key) => Object.hasOwn(stanza, key) && stanza[key] !== '')) continue;
    for (const prefix of ['BAO_HSM_', 'VAULT_HSM_']) delete chosen[`${prefix}${suffix}`];
  }
  const mark = `_${name}`;
  for (const [variable, value] of Object.entries(env)) {
    if (value !== undefined && variable.endsWith(mark)) chosen[variable.slice(0, -mark.length)] = value;
  }
  return chosen;
}

function unknownKeys(stanza: Readonly<Record<string, string>>): string[] {
  const known = new Set<string>([...Object.values(KEYS).flatMap(({ keys }) => [...keys]), ...ELSEWHERE]);
  return Object.keys(stanza)
    .filter((key) => !known.has(key))
    .map((key) => `seal "pkcs11": unknown key ${JSON.stringify(key)}`);
}

// An empty value counts as absent, as in Vault.
function rawValue(
  name: Name,
  stanza: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { keys, env: suffix } = KEYS[name];
  const variable = env[`BAO_HSM_${suffix}`] || env[`VAULT_HSM_${suffix}`];
  if (variable) return variable;
  for (const key of keys) {
    if (Object.hasOwn(stanza, key) && stanza[key]) return stanza[key];
  }
  return undefined;
}

function resolve(
  key: string,
  value: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (value === undefined) return undefined;
  if (value.startsWith('string://')) return value.slice('string://'.length);
  if (value.startsWith('env://')) {
    const resolved = env[value.slice('env://'.length)];
    if (!resolved) throw invalid(key, 'names a variable that is not set in the environment');
    return resolved;
  }
  if (!value.startsWith('file://')) return value;
  try {
    return readFileSync(value.slice('file://'.length), 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw invalid(key, 'names a file that cannot be read', cause);
  }
}

function pinSource(value: string | undefined, env: Readonly<Record<string, string | undefined>>): PinSource {
  if (value === undefined) return { kind: 'missing' };
  if (value.startsWith('file://')) return { kind: 'file', path: value.slice('file://'.length) };
  if (value.startsWith('env://')) {
    return given(env[value.slice('env://'.length)] ?? '');
  }
  return given(value.replace(/^string:\/\//, ''));
}

function given(text: string): PinSource {
  const secret = pinOfText(text);
  return secret === undefined ? { kind: 'missing' } : { kind: 'value', secret };
}

/** True when the stanza itself holds the PIN: the file then needs the care of a credential. */
export function holdsPin(stanza: Readonly<Record<string, string>>): boolean {
  const pin = Object.hasOwn(stanza, 'pin') ? stanza['pin'] : undefined;
  return pin !== undefined && pin !== '' && !/^(env|file):\/\//.test(pin);
}

function checkPinIsNotInFile(
  stanza: Readonly<Record<string, string>>,
  used: string | undefined,
): string | undefined {
  if (!holdsPin(stanza)) return undefined;
  return used === stanza['pin']
    ? 'seal "pkcs11": pin stands in the configuration file; prefer VAULT_HSM_PIN, env:// or file://'
    : 'seal "pkcs11": pin stands in the configuration file though the environment overrides it; remove it';
}

function slotNumber(value: string | undefined): bigint | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) throw invalid('slot', 'must be a number, decimal or 0x');
  const slot = BigInt(text);
  if (slot >= 1n << 64n) throw invalid('slot', 'must fit into 64 bits');
  return slot;
}

function keyIdHex(key: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const bytes = fromHex(value.replace(/^0[xX]/, ''));
  if (bytes === undefined || bytes.length === 0) throw invalid(key, 'must be an even number of hex digits');
  return toHex(bytes);
}

// The mechanism that needs an HMAC key is of Vault Enterprise: such values are opened, and sealed anew by AES-GCM.
function legacyOf(
  read: (name: Name) => string | undefined,
  warnings: string[],
): { readonly only: boolean; readonly keys: LegacyKeys | undefined } {
  const only = isCbcPad(read('mechanism') ?? '');
  const hmacKeyLabel = read('hmacKeyLabel');
  const hmacKeyId = keyIdHex('hmac_key_id', read('hmacKeyId'));
  const hmacMechanism = read('hmacMechanism');
  if (hmacMechanism !== undefined && !/^(0x0*251|593|(CKM_)?SHA256_HMAC)$/i.test(hmacMechanism))
    throw invalid('hmac_mechanism', 'must be CKM_SHA256_HMAC (0x251)');
  if (hmacKeyLabel === undefined && hmacKeyId === undefined) {
    if (only) throw invalid('hmac_key_label', 'is required, or hmac_key_id, with CKM_AES_CBC_PAD');
    return { only, keys: undefined };
  }
  if (only) {
    warnings.push(
      'seal "pkcs11": CKM_AES_CBC_PAD is only read; what it sealed is sealed anew by CKM_AES_GCM with the same key',
    );
  }
  const defaultKeyLabel = read('defaultKeyLabel');
  const defaultHmacKeyLabel = read('defaultHmacKeyLabel');
  return {
    only,
    keys: {
      ...(hmacKeyLabel === undefined ? {} : { hmacKeyLabel }),
      ...(hmacKeyId === undefined ? {} : { hmacKeyId }),
      ...(defaultKeyLabel === undefined ? {} : { defaultKeyLabel }),
      ...(defaultHmacKeyLabel === undefined ? {} : { defaultHmacKeyLabel }),
    },
  };
}

function mechanismOf(value: string | undefined): MechanismName | undefined {
  if (value === undefined) return undefined;
  const mechanism = parseMechanism(value);
  if (mechanism !== undefined) return mechanism;
  throw invalid(
    'mechanism',
    'must be CKM_AES_GCM (0x1087) or CKM_RSA_PKCS_OAEP (0x9): others are not authenticated',
  );
}

function parallelism(value: string | undefined): number {
  if (value === undefined) return 1;
  const number = /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MOST_PARALLEL)
    throw invalid('max_parallel', `must be a number from 1 to ${MOST_PARALLEL}`);
  return number;
}

function boolean(key: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(key, 'must be true or false');
}

function timingOf(
  open: string | undefined,
  call: string | undefined,
): { readonly timing?: Partial<AgentTiming> } {
  if (open === undefined && call === undefined) return {};
  return {
    timing: {
      ...(open === undefined ? {} : { openMs: milliseconds('open_timeout', open) }),
      ...(call === undefined ? {} : { callMs: milliseconds('call_timeout', call) }),
    },
  };
}

function milliseconds(key: string, value: string): number {
  const parsed = parseDuration(value);
  if (parsed === undefined || parsed < 0.1)
    throw invalid(key, 'must be a duration of at least 100ms, such as 15s');
  return Math.round(parsed * 1000);
}

function socketPath(address: string): string {
  const path = address.replace(/^unix:\/\//, '');
  if (!path.startsWith('/')) throw invalid('agent_address', 'must be unix:///absolute/path');
  return path;
}

function invalid(key: string, problem: string, cause?: unknown): Pkcs11ConfigInvalid {
  return new Pkcs11ConfigInvalid(`seal "pkcs11": ${key} ${problem}`, { cause });
}
