import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { holdsPin, type ModuleConfig, parsePkcs11Config } from '../../../src/engine/seal/pkcs11/config.ts';
import { resolvePin } from '../../../src/engine/seal/pkcs11/pin.ts';

const BASE = { lib: '/l.so', slot: '1', pin: 'env://P', key_label: 'k' };

function module(stanza: Record<string, string>, env: Record<string, string> = {}): ModuleConfig {
  const { config } = parsePkcs11Config({ ...BASE, ...stanza }, env);
  if (config.kind !== 'module') throw new Error('not a module');
  return config;
}
const pin = (config: ModuleConfig): string =>
  resolvePin(config.pin).borrow((bytes) => Buffer.from(bytes).toString());

describe('the pkcs11 stanza', () => {
  test('reads the keys of Vault and of OpenBao', () => {
    expect(
      module({ key_id: '0xAB01', mechanism: '0x1087', rsa_oaep_hash: 'SHA384', generate_key: 'true' }),
    ).toMatchObject({
      lib: '/l.so',
      slot: 1n,
      keyLabel: 'k',
      keyId: 'ab01',
      mechanism: 'CKM_AES_GCM',
      oaepHash: 'sha384',
      generateKey: true,
      encryptLocally: false,
      forceRwSession: false,
    });
    const aliases = {
      module: '/m.so',
      token: 't',
      label: 'l',
      disable_software_encryption: 'true',
      serial: 's',
      force_rw_session: '1',
    };
    const { config, warnings } = parsePkcs11Config(aliases, {});
    expect(config).toMatchObject({
      lib: '/m.so',
      tokenLabel: 't',
      serial: 's',
      keyLabel: 'l',
      forceRwSession: true,
    });
    expect(warnings).toEqual([]);
  });

  test('reads what is needed to open values of CKM_AES_CBC_PAD, and seals by AES-GCM', () => {
    const given = {
      ...BASE,
      mechanism: '0x1085',
      hmac_key_label: 'h',
      hmac_key_id: '0xAB',
      default_key_label: 'dk',
      default_hmac_key_label: 'dh',
      hmac_mechanism: '0x0251',
    };
    const { config, warnings } = parsePkcs11Config(given, { P: 'x' });
    const legacy = { hmacKeyLabel: 'h', hmacKeyId: 'ab', defaultKeyLabel: 'dk', defaultHmacKeyLabel: 'dh' };
    expect(config).toMatchObject({ mechanism: 'CKM_AES_GCM', legacy });
    expect(warnings).toEqual([expect.stringContaining('CKM_AES_CBC_PAD is only read')]);
    expect(module({ hmac_key_label: 'h' }, { VAULT_HSM_HMAC_DEFAULT_KEY_LABEL: 'e' }).legacy).toEqual({
      hmacKeyLabel: 'h',
      defaultHmacKeyLabel: 'e',
    });
    expect(() => module({ mechanism: 'CKM_AES_CBC_PAD' })).toThrow('hmac_key_label is required');
    expect(() => module({ hmac_mechanism: '0x250' })).toThrow('hmac_mechanism must be');
    expect(() => module({ mechanism: '0x1082' })).toThrow('mechanism must be');
  });

  test.each(['0', '33', '-1', 'many', '1.5'])('max_parallel %s is refused', (max_parallel) => {
    expect(() => module({ max_parallel })).toThrow('max_parallel must be a number');
    expect(module({ max_parallel: '4' }).maxParallel).toBe(4);
    expect(module({}).maxParallel).toBe(1);
  });

  test('reads deadlines, also beside agent_address, and refuses what is none', () => {
    const given = { call_timeout: '500ms', open_timeout: '2m' };
    expect(module(given).timing).toEqual({ callMs: 500, openMs: 120_000 });
    expect(module({}).timing).toBeUndefined();
    const { config, warnings } = parsePkcs11Config({ agent_address: 'unix:///a', ...given }, {});
    expect([config.timing, warnings]).toEqual([{ callMs: 500, openMs: 120_000 }, []]);
    for (const call_timeout of ['0', '-1s', 'soon', '1ms'])
      expect(() => module({ call_timeout })).toThrow('call_timeout must be a duration');
  });

  test.each([
    ['2305843009213693953', 2305843009213693953n],
    ['0x2000000000000001', 2305843009213693953n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['0', 0n],
  ])('slot %s', (slot, expected) => {
    expect(module({ slot }).slot).toBe(expected);
  });

  test.each([
    [{ lib: '' }, 'lib is required'],
    [{ slot: '' }, 'slot is required, or token_label or serial'],
    [{ slot: '18446744073709551616' }, 'slot must fit into 64 bits'],
    [{ slot: '-1' }, 'slot must be a number'],
    [{ slot: '1x' }, 'slot must be a number'],
    [{ key_label: '' }, 'key_label is required, or key_id'],
    [{ key_id: 'xyz' }, 'key_id must be an even number of hex digits'],
    [{ key_id: '0x' }, 'key_id must be'],
    [{ mechanism: '0x1082' }, 'mechanism must be CKM_AES_GCM'],

    [{ rsa_oaep_hash: 'md5' }, 'rsa_oaep_hash must be'],
    [{ generate_key: 'maybe' }, 'generate_key must be true or false'],
    [{ rsa_encrypt_local: 'true', disable_software_encryption: 'true' }, 'rsa_encrypt_local contradicts'],
    [{ lib: 'env://NOWHERE' }, 'lib names a variable that is not set'],
    [{ lib: 'file:///nowhere' }, 'lib names a file that cannot be read'],
    [{ agent_address: 'tcp://1.2.3.4' }, 'agent_address must be unix:///absolute/path'],
  ])('%j is refused: %s', (stanza, message) => {
    expect(() => module(stanza)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });

  test.each([
    ['AES_GCM', 'CKM_AES_GCM'],
    ['CKM_AES_GCM', 'CKM_AES_GCM'],
    ['4231', 'CKM_AES_GCM'],
    ['rsa_pkcs_oaep', 'CKM_RSA_PKCS_OAEP'],
    ['0x0009', 'CKM_RSA_PKCS_OAEP'],
    ['9', 'CKM_RSA_PKCS_OAEP'],
  ])('mechanism %s is %s', (text, expected) => {
    expect(module({ mechanism: text }).mechanism).toBe(expected);
  });

  test('the environment wins over the file, BAO over VAULT, and empty counts as absent', () => {
    const env = {
      VAULT_HSM_SLOT: '7',
      BAO_HSM_KEY_LABEL: 'bao',
      VAULT_HSM_KEY_LABEL: 'vault',
      VAULT_HSM_LIB: '',
      BAO_HSM_PIN: 'p',
    };
    const config = module({ pin: 'file-pin' }, env);
    expect(config).toMatchObject({ slot: 7n, keyLabel: 'bao', lib: '/l.so' });
    expect(pin(config)).toBe('p');
  });

  test('values may be given as env://, file:// and string://', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pin-'));
    writeFileSync(join(dir, 'v'), 'from file\r\n');
    expect(pin(module({}, { P: ' spaced "pin" ' }))).toBe(' spaced "pin" ');
    expect(pin(module({}, { P: 'env://Q' }))).toBe('env://Q');
    for (const end of ['\n', '\r\n']) {
      expect(pin(module({}, { P: `a\nb${end}` }))).toBe('a\nb');
      expect(pin(module({ pin: 'x' }, { VAULT_HSM_PIN: `4711${end}` }))).toBe('4711');
      expect(() => resolvePin(module({}, { P: end }).pin)).toThrow('there is no PIN');
    }
    expect(pin(module({}, { P: '4711\n\n' }))).toBe('4711\n');
    expect(pin(module({ pin: 'string://env://P' }))).toBe('env://P');
    expect(pin(module({ pin: `file://${dir}/v` }))).toBe('from file');
    expect(module({ slot: 'env://S', key_label: `file://${dir}/v` }, { S: '0x10' })).toMatchObject({
      slot: 16n,
      keyLabel: 'from file',
    });
    expect(() => resolvePin(module({}).pin)).toThrow(
      expect.objectContaining({ code: 'ERR_HSM_PIN_MISSING' }),
    );
    rmSync(dir, { recursive: true });
  });

  test('warnings name keys that have no effect or are unknown, and never a value', () => {
    const stanza = {
      ...BASE,
      surprise: 'canary',
      pin: 'canary',
      disabled: 'true',
    };
    const { warnings } = parsePkcs11Config(stanza, {});
    expect(warnings).toEqual([
      'seal "pkcs11": unknown key "surprise"',
      'seal "pkcs11": pin stands in the configuration file; prefer VAULT_HSM_PIN, env:// or file://',
    ]);
    expect(parsePkcs11Config(stanza, { VAULT_HSM_PIN: 'x' }).warnings.at(-1)).toContain(
      'though the environment overrides it',
    );
    expect(warnings.join()).not.toContain('canary');
  });

  test('a file holds a PIN when it stands in it, not when it is referred to', () => {
    expect(
      [{ pin: 'x' }, { pin: 'string://x' }, { pin: 'env://P' }, { pin: 'file:///p' }, {}].map(holdsPin),
    ).toEqual([true, true, false, false, false]);
  });

  test('beside agent_address everything else has no effect', () => {
    const { config, warnings } = parsePkcs11Config(
      { agent_address: 'unix:///run/a.sock', lib: '/l.so' },
      { VAULT_HSM_PIN: 'x' },
    );
    expect(config).toEqual({ kind: 'agent', socketPath: '/run/a.sock' });
    expect(warnings).toEqual(['seal "pkcs11": lib has no effect beside agent_address']);
  });

  test('the library sees what libraries read, what was asked for, and no credential', () => {
    const env = {
      SOFTHSM2_CONF: 'c',
      LD_LIBRARY_PATH: 'l',
      ChrystokiConfigurationPath: '/c',
      CKNFAST_LOADSHARING: '1',
      P11NETHSM_CONFIG_FILE: 'n',
      VAULT_HSM_PIN: 'p',
      AWS_SECRET_ACCESS_KEY: 's',
      EXTRA: 'e',
      NODE_OPTIONS: '--inspect',
    };
    expect(module({ library_env: 'EXTRA, NOT_SET' }, env).libraryEnv).toEqual({
      SOFTHSM2_CONF: 'c',
      LD_LIBRARY_PATH: 'l',
      ChrystokiConfigurationPath: '/c',
      CKNFAST_LOADSHARING: '1',
      P11NETHSM_CONFIG_FILE: 'n',
      EXTRA: 'e',
    });
  });

  test('a printed configuration does not show the PIN', () => {
    const config = module({ pin: 'canary' });
    expect(inspect(config, { depth: 9, showHidden: true })).not.toContain('canary');
    expect(JSON.stringify({ ...config, slot: 0 })).not.toContain('canary');
  });
});
