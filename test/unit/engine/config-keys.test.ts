import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseEngineConfig } from '../../../src/engine/config.ts';
import {
  KEYS,
  type KeyRule,
  type KeyRules,
  KMS_LIBRARY_KEYS,
  LOCKOUT_KEYS,
  STORAGE_KEYS,
  TCP_KEYS,
  UNIX_KEYS,
} from '../../../src/engine/config-keys.ts';
import { startEngine } from '../../../src/engine/server.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { systemRandom } from '../../../src/lib/random.ts';

type Body = Record<string, unknown>;

/** A configuration in which a test puts a key. */
interface Place {
  readonly rules: KeyRules;
  readonly body: Body;
  readonly whole: (body: Body) => Body;
}

const plain = { address: '127.0.0.1:8200', tls_disable: true };
const secure = { address: '127.0.0.1:8200', tls_cert_file: '/c', tls_key_file: '/k' };
const base = { listener: [{ tcp: plain }], storage: { inmem: {} } };
const PLACES: Readonly<Record<string, Place>> = {
  '': { rules: KEYS, body: base, whole: (body) => body },
  'telemetry.': {
    rules: within(KEYS['telemetry']),
    body: {},
    whole: (telemetry) => ({ ...base, telemetry }),
  },
  'listener.tcp.': {
    rules: TCP_KEYS,
    body: secure,
    whole: (tcp) => ({ ...base, listener: [{ tcp }] }),
  },
  'listener.tcp.telemetry.': {
    rules: within(TCP_KEYS['telemetry']),
    body: {},
    whole: (telemetry) => ({ ...base, listener: [{ tcp: { ...plain, telemetry } }] }),
  },
  'listener.tcp.profiling.': {
    rules: within(TCP_KEYS['profiling']),
    body: {},
    whole: (profiling) => ({ ...base, listener: [{ tcp: { ...plain, profiling } }] }),
  },
  'listener.tcp.inflight_requests_logging.': {
    rules: within(TCP_KEYS['inflight_requests_logging']),
    body: {},
    whole: (inflight_requests_logging) => ({
      ...base,
      listener: [{ tcp: { ...plain, inflight_requests_logging } }],
    }),
  },
  'listener.unix.': {
    rules: UNIX_KEYS,
    body: { address: '/run/a.sock', tls_cert_file: '/c', tls_key_file: '/k' },
    whole: (unix) => ({ ...base, listener: [{ unix }] }),
  },
  'storage.file.': {
    rules: STORAGE_KEYS,
    body: { path: '/d' },
    whole: (file) => ({ ...base, storage: { file } }),
  },
  'user_lockout.all.': {
    rules: LOCKOUT_KEYS,
    body: {},
    whole: (all) => ({ ...base, user_lockout: [{ all }] }),
  },
  'kms_library.pkcs11.': {
    rules: KMS_LIBRARY_KEYS,
    body: { name: 'n', library: '/l' },
    whole: (pkcs11) => ({ ...base, kms_library: [{ pkcs11 }] }),
  },
};

/** For keys that are read: a value that changes what is made of the file, or that is refused; more keys beside it. */
const PROBES: Readonly<Record<string, unknown>> = {
  listener: [{ tcp: { ...plain, address: '127.0.0.1:1' } }],
  storage: { file: { path: '/x' } },
  backend: { file: { path: '/x' } },
  seal: [{ pkcs11: { lib: '/l' } }],
  audit: [{ file: { file_path: '/a' } }],
  api_addr: 'https://a',
  cluster_name: 'east',
  log_level: 'debug',
  log_format: 'standard',
  log_file: '/var/log/x.log',
  log_requests_level: 'info',
  log_rotate_bytes: 10,
  log_rotate_duration: '1h',
  log_rotate_max_files: 3,
  default_lease_ttl: '1h',
  max_lease_ttl: '1000h',
  ui: true,
  raw_storage_endpoint: true,
  pid_file: '/p',
  enable_response_header_hostname: true,
  disable_sealwrap: true,
  default_max_request_duration: '7s',
  enable_unauthenticated_access: ['rekey'],
  user_lockout: [{ all: { lockout_threshold: 9 } }],
  entropy: { seal: { mode: 'augmentation' } },
  audit_directory: '/a',
  allow_audit_log_prefixing: false,
  unsafe_allow_api_audit_creation: false,
  require_pgp_shares: true,
  init_client_name: 'x',
  config_group_readable: true,
  recovery_mode: true,
  kms_library: [{ pkcs11: { name: 'n', library: '/l' } }],
  migrate_by_ceremony: true,
  prometheus_retention_time: '3m',
  address: '/run/other.sock',
  tls_disable: true,
  tls_cert_file: '/other',
  tls_key_file: '/other',
  tls_client_ca_file: '/ca',
  tls_require_and_verify_client_cert: true,
  tls_disable_client_certs: true,
  tls_min_version: 'tls13',
  tls_max_version: 'tls12',
  tls_cipher_suites: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  tls_prefer_server_cipher_suites: true,
  max_request_size: 5,
  max_request_duration: '5s',
  max_json_depth: 5,
  max_json_string_value_length: 5,
  max_json_object_entry_count: 5,
  max_json_array_element_count: 5,
  max_json_token: 5,
  http_idle_timeout: '5s',
  http_read_header_timeout: '5s',
  http_read_timeout: '5s',
  http_write_timeout: '5s',
  custom_response_headers: { default: { 'X-A': ['b'] } },
  disable_unauthed_rekey_endpoints: false,
  disable_unauthed_generate_root_endpoints: false,
  unauthenticated_metrics_access: true,
  proxy_protocol_behavior: 'use_always',
  proxy_protocol_authorized_addrs: '10.0.0.0/8',
  x_forwarded_for_authorized_addrs: '10.0.0.0/8',
  x_forwarded_for_hop_skips: 1,
  x_forwarded_for_reject_not_authorized: 'neither',
  x_forwarded_for_reject_not_present: 'neither',
  x_forwarded_for_client_cert_header: 'Client-Cert',
  x_forwarded_for_client_cert_header_decoders: 'URL',
  x_forwarded_for_client_cert_decoders: ['URL'],
  socket_mode: '600',
  socket_user: 'u',
  socket_group: 'g',
  path: '/other',
  lockout_threshold: 9,
  lockout_duration: '9m',
  lockout_counter_reset: '9m',
  disable_lockout: true,
  name: 'other',
  library: '/other',
  library_env: 'A',
  agent_address: 'unix:///x',
  agent_uid: 'nobody',
};

function within(rule: KeyRule | undefined): KeyRules {
  if (rule === undefined || rule === 'read' || !('within' in rule)) throw new TypeError('no block');
  return rule.within;
}

/** What is made of a configuration: the value, the warnings, or the refusal. */
function outcome(whole: Body): string {
  try {
    const { config, warnings } = parseEngineConfig(JSON.stringify(whole), {});
    return JSON.stringify({ config, warnings });
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string };
    return `refused: ${message} ${hint ?? ''}`;
  }
}

const rows = Object.entries(PLACES).flatMap(([prefix, place]) =>
  Object.entries(place.rules).map(([name, rule]) => ({ key: `${prefix}${name}`, prefix, name, rule, place })),
);

describe('every key of the configuration', () => {
  test.each(rows.filter(({ rule }) => rule === 'read'))('$key is read', ({ name, place }) => {
    expect(Object.hasOwn(PROBES, name), `a probe of ${name}`).toBe(true);
    const before = outcome(place.whole(place.body));
    expect(before).not.toMatch(/^refused/);
    const after = outcome(place.whole({ ...place.body, [name]: PROBES[name] }));
    expect(after).not.toBe(before);
    expect(after).not.toContain('unknown configuration key');
  });

  test.each(rows.filter(({ rule }) => rule !== 'read' && 'refused' in rule))(
    '$key is refused by its name',
    ({ key, name, place }) => {
      for (const value of ['canary-value', true, 7])
        expect(outcome(place.whole({ ...place.body, [name]: value }))).toContain(
          `refused: ${key} is not supported`,
        );
      // Objects alone would be labels.
      expect(outcome(place.whole({ ...place.body, disable_hostname: true, [name]: { a: 'b' } }))).toContain(
        `refused: ${key} is not`,
      );
      expect(outcome(place.whole({ ...place.body, [name]: 'canary-value' }))).not.toContain('canary');
      expect(outcome(place.whole({ ...place.body, [name]: '' }))).not.toContain('refused');
    },
  );

  test.each(rows.filter(({ rule }) => rule !== 'read' && 'only' in rule))(
    '$key is accepted with what is true, and refused with all else',
    ({ key, name, rule, place }) => {
      const { only } = rule as Exclude<KeyRule, 'read'> & { only: readonly string[] };
      for (const value of only)
        expect(outcome(place.whole({ ...place.body, [name]: value }))).toBe(outcome(place.whole(place.body)));
      const others = ['true', 'false', 'other'].filter((value) => !only.includes(value));
      for (const value of [...others, ['x', 'y']])
        expect(outcome(place.whole({ ...place.body, [name]: value }))).toContain(
          `refused: ${key} cannot have`,
        );
    },
  );

  test.each(['constructor', '__proto__x', 'toString', 'sevret'])(
    '%s, which nobody knows, is warned of',
    (name) => {
      expect(outcome({ ...base, [name]: 1 })).toContain(`unknown configuration key \\"${name}\\"`);
      expect(outcome({ ...base, listener: [{ tcp: { ...plain, [name]: 1 } }] })).toContain(
        `listener.tcp.${name}`,
      );
    },
  );

  test.each(['CLUSTER_ADDR', 'RAFT_NODE_ID', 'REDIRECT_ADDR', 'LICENSE_PATH'])(
    'the variable VAULT_%s is refused',
    (name) => {
      for (const prefix of ['VAULT', 'BAO'])
        expect(() => parseEngineConfig(JSON.stringify(base), { [`${prefix}_${name}`]: 'x' })).toThrow(
          `VAULT_${name}`,
        );
    },
  );
});

/** Tells which properties of a value are read, however deep; names of list members are left out. */
function watched<T extends object>(value: T, prefix: string, seen: Set<string>): T {
  return new Proxy(structuredClone(value), {
    get: (target, name, receiver) => {
      const found: unknown = Reflect.get(target, name, receiver);
      if (typeof name === 'symbol' || !Object.hasOwn(target, name)) return found;
      const path = Array.isArray(target) ? prefix : `${prefix}.${name}`;
      seen.add(path);
      return typeof found === 'object' && found !== null ? watched(found, path, seen) : found;
    },
  });
}

test('docs/configuration.md has every key that is read, and every one that only has one value', () => {
  const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  const told = rows.filter(({ rule }) => rule === 'read' || 'only' in rule || 'within' in rule);
  const missing = told.filter(({ name, prefix }) => {
    const known = ['profiling.', 'inflight_requests_logging.', 'log_rotate_'].some((each) =>
      `${prefix}${name}`.includes(each),
    );
    return !known && !page.includes(`\`${name}\``) && !page.includes(`\`${name} =`);
  });
  expect(missing.map(({ key }) => key)).toEqual([]);
});

test('everything that is made of a configuration is used by the engine, or by main.ts', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-keys-'));
  const { config } = parseEngineConfig(
    JSON.stringify({
      listener: [
        { tcp: { address: '127.0.0.1:0', tls_disable: true, proxy_protocol_behavior: 'use_always' } },
        { unix: { address: join(dir, 'a.sock') } },
      ],
      storage: { lmdb: { path: join(dir, 'vault.d') } },
    }),
    {},
  );
  const seen = new Set<string>();
  const log = createLogger({ level: 'error', destination: { write: () => undefined } });
  const engine = await startEngine({
    config: watched(config, 'config', seen),
    env: {},
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await fetch(`http://${engine.addresses[0]}/v1/sys/health`);
  await fetch(`http://${engine.addresses[0]}/v1/sys/unseal`, { method: 'POST', body: '{"key":""}' });
  await engine.stop();
  // Read where the process begins and ends, when a vault is opened, and when it migrates.
  const ELSEWHERE = [
    'config.pidFile',
    'config.groupMayRead',
    'config.log.level',
    'config.log.file',
    'config.audit',
    'config.migrateByCeremony',
  ];
  const all = Object.keys(config)
    .map((name) => `config.${name}`)
    .concat(Object.keys(config.listeners[0] ?? {}).map((name) => `config.listeners.${name}`))
    .concat(Object.keys(config.log).map((name) => `config.log.${name}`));
  expect(all.filter((path) => !seen.has(path) && !ELSEWHERE.includes(path))).toEqual([]);
});
