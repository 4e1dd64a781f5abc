import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseEngineConfig } from '../../../src/engine/config.ts';
import { loadEngineConfig } from '../../../src/engine/config-file.ts';

const HCL = `
ui = true
disable_mlock = true
api_addr = "https://vault.example:8200"
default_lease_ttl = "1h"
max_lease_ttl = "24h"
log_level = "debug"
listener "tcp" {
  address = "[::]:8200"
  tls_cert_file = "/tls/tls.crt"
  tls_key_file = "/tls/tls.key"
  tls_min_version = "tls13"
}
listener "tcp" {
  address = "127.0.0.1:8300"
  tls_disable = 1
}
storage "lmdb" { path = "/vault/data" }
seal "pkcs11" {
  lib = "/usr/lib/softhsm/libsofthsm2.so"
  slot = 2305843009213693953
  pin = "env://PIN"
  key_label = "root"
}
audit "file" "main" { options { file_path = "/var/log/audit.log" log_raw = "false" } }
audit "stdout" {}
`;

const minimal = (more: object = {}): string =>
  JSON.stringify({
    listener: { tcp: { address: '127.0.0.1:0', tls_disable: true } },
    storage: { inmem: {} },
    seal: { pkcs11: { lib: '/lib.so' } },
    ...more,
  });

describe('configuration', () => {
  test('reads what Vault reads', () => {
    const { config, warnings } = parseEngineConfig(HCL, {});
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      apiAddress: 'https://vault.example:8200',
      defaultLeaseTtl: 3600,
      maxLeaseTtl: 86_400,
      logLevel: 'debug',
      storage: { type: 'lmdb', path: '/vault/data' },
      requirePgpShares: false,
      initClientName: undefined,
    });
    expect(config.listeners).toMatchObject([
      { host: '::', port: 8200, tls: { certFile: '/tls/tls.crt', minVersion: 'TLSv1.3' } },
      { host: '127.0.0.1', port: 8300, tls: undefined },
    ]);
    expect({ ...config.seal.stanza }).toEqual({
      lib: '/usr/lib/softhsm/libsofthsm2.so',
      slot: '2305843009213693953',
      pin: 'env://PIN',
      key_label: 'root',
    });
    expect(config.audit.map(({ type, path, options }) => ({ type, path, options: { ...options } }))).toEqual([
      { type: 'file', path: 'main/', options: { file_path: '/var/log/audit.log', log_raw: 'false' } },
      { type: 'stdout', path: 'stdout/', options: {} },
    ]);
    expect(Object.isFrozen(config.listeners[0])).toBe(true);
  });

  test('JSON says the same as HCL', () => {
    const json = JSON.stringify({
      listener: [{ tcp: { address: '[::]:8200', tls_cert_file: '/c', tls_key_file: '/k' } }],
      backend: { lmdb: { path: '/d' } },
      seal: [{ pkcs11: { lib: '/l', slot: '7' } }],
    });
    const hcl =
      'listener "tcp" { address = "[::]:8200" tls_cert_file = "/c" tls_key_file = "/k" }\nbackend "lmdb" { path = "/d" }\nseal "pkcs11" { lib = "/l" slot = "7" }';
    expect(JSON.stringify(parseEngineConfig(json, {}))).toBe(JSON.stringify(parseEngineConfig(hcl, {})));
  });

  test('the environment beats the file, and BAO beats VAULT', () => {
    const text = minimal({ api_addr: 'http://file', log_level: 'info' });
    expect(parseEngineConfig(text, { VAULT_API_ADDR: 'http://vault' }).config.apiAddress).toBe(
      'http://vault',
    );
    expect(
      parseEngineConfig(text, { VAULT_API_ADDR: 'http://vault', BAO_API_ADDR: 'http://bao' }).config
        .apiAddress,
    ).toBe('http://bao');
    expect(parseEngineConfig(text, { VAULT_LOG_LEVEL: 'error' }).config.logLevel).toBe('error');
    expect(() => parseEngineConfig(text, { VAULT_SEAL_TYPE: 'transit' })).toThrow(/seal/);
    expect(parseEngineConfig(text, { BAO_SEAL_TYPE: 'shamir' }).config.seal.type).toBe('shamir');
  });

  test('unknown keys are warned of by name, never by value', () => {
    const { warnings } = parseEngineConfig(
      minimal({
        sevret: 'canary',
        listener: { tcp: { address: '127.0.0.1:0', tls_disable: true, tls_disabel: true } },
      }),
      {},
    );
    expect(warnings).toEqual([
      'unknown configuration key "sevret"',
      'unknown configuration key "listener.tcp.tls_disabel"',
    ]);
  });

  test.each([
    ['no listener', JSON.stringify({ storage: { inmem: {} }, seal: { pkcs11: {} } }), /listener/],
    [
      'no storage',
      JSON.stringify({ listener: { tcp: { tls_disable: true } }, seal: { pkcs11: {} } }),
      /storage/,
    ],
    ['two storages', minimal({ backend: { inmem: {} } }), /storage/],
    ['a seal of an unknown type', minimal({ seal: { transit: {} } }), /seal/],
    ['TLS without a certificate', minimal({ listener: { tcp: { address: '127.0.0.1:1' } } }), /certificate/],
    [
      'an address without a port',
      minimal({ listener: { tcp: { address: 'localhost', tls_disable: true } } }),
      /address/,
    ],
    ['a TTL that is none', minimal({ default_lease_ttl: 'soon' }), /default_lease_ttl/],
    [
      'a default TTL above the maximum',
      minimal({ default_lease_ttl: '48h', max_lease_ttl: '24h' }),
      /max_lease_ttl/,
    ],
    ['an unknown log level', minimal({ log_level: 'loud' }), /log_level/],
    ['an audit file without a path', minimal({ audit: [{ file: {} }] }), /file_path/],
    ['a client name that no listener verifies', minimal({ init_client_name: 'operator' }), /verifies/],
    ['a flag that is none', minimal({ require_pgp_shares: 'perhaps' }), /require_pgp_shares/],
    ['a lock-out of another method', minimal({ user_lockout: [{ jwt: {} }] }), /user_lockout/],
    [
      'a lock-out at nothing',
      minimal({ user_lockout: [{ all: { lockout_threshold: '0' } }] }),
      /threshold or duration/,
    ],
    [
      'clients that must show what they are not asked for',
      minimal({
        listener: {
          tcp: {
            tls_cert_file: '/c',
            tls_key_file: '/k',
            tls_require_and_verify_client_cert: true,
            tls_disable_client_certs: true,
          },
        },
      }),
      /required and disabled/,
    ],
  ])('%s is refused', (_name, text, message) => {
    expect(() => parseEngineConfig(text, {})).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG_INVALID',
        message: expect.stringMatching(message) as string,
      }),
    );
  });

  test('lock-outs are set by type, and turned off by the environment', () => {
    const text = `listener "tcp" { tls_disable = true }
      storage "inmem" {}
      seal "pkcs11" {}
      user_lockout "all" { lockout_threshold = "7" lockout_duration = "10m" }
      user_lockout "ldap" { disable_lockout = true lockout_counter_reset = "1h" }`;
    expect(parseEngineConfig(text, {}).config.userLockout).toEqual({
      all: { threshold: 7, duration: 600 },
      ldap: { disabled: true, counterReset: 3600 },
    });
    const off = parseEngineConfig(text, { VAULT_DISABLE_USER_LOCKOUT: 'true' }).config.userLockout;
    expect([off['all'], off['userpass']]).toEqual([{ disabled: true }, { disabled: true }]);
  });

  test('a file with a PIN must be its owner’s alone; references need no such care', () => {
    const dir = mkdtempSync(join(tmpdir(), 'config-'));
    const file = join(dir, 'config.json');
    try {
      const withPin = (pin: string, more: object = {}): void =>
        writeFileSync(file, minimal({ seal: { pkcs11: { lib: '/l', pin } }, ...more }));
      withPin('canary');
      for (const [mode, refused] of [
        [0o600, false],
        [0o400, false],
        [0o644, true],
        [0o640, true],
        [0o604, true],
      ] as const) {
        chmodSync(file, mode);
        if (refused)
          expect(() => loadEngineConfig(file, {})).toThrow(
            expect.objectContaining({
              code: 'ERR_CONFIG_PERMISSIONS',
              hint: expect.stringContaining('chmod 600') as string,
            }),
          );
        else expect(loadEngineConfig(file, {}).config.seal.type).toBe('pkcs11');
      }
      chmodSync(file, 0o640);
      withPin('canary', { config_group_readable: true });
      expect(loadEngineConfig(file, {}).config.groupMayRead).toBe(true);
      chmodSync(file, 0o644);
      expect(() => loadEngineConfig(file, {})).toThrow(/credential/);
      withPin('file:///run/pin');
      expect(loadEngineConfig(file, {}).config.seal.type).toBe('pkcs11');
      expect(() => loadEngineConfig(join(dir, 'none'), {})).toThrow(/cannot be read/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
