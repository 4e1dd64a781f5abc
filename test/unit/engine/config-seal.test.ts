import { describe, expect, test } from 'vitest';
import { parseEngineConfig } from '../../../src/engine/config.ts';
import { environmentOfOne } from '../../../src/engine/seal/pkcs11/config.ts';

const parse = (seal: string, env: Record<string, string> = {}): ReturnType<typeof parseEngineConfig> =>
  parseEngineConfig(`listener "tcp" { tls_disable = true }\nstorage "inmem" {}\n${seal}`, env);

const OLD = 'seal "pkcs11" { lib = "/old" disabled = "true" name = "old" }';
const NEW = 'seal "pkcs11" { lib = "/new" name = "new" priority = "1" }';

describe('the seal blocks', () => {
  test('say which seal is in force and which one to migrate away from', () => {
    const none = parse('').config;
    expect([none.seal.type, none.migrateFrom]).toEqual(['shamir', undefined]);
    const toShamir = parse(OLD).config;
    expect([toShamir.seal.type, toShamir.migrateFrom?.stanza['lib']]).toEqual(['shamir', '/old']);
    const both = parse(`${OLD}\n${NEW}`).config;
    expect([both.seal.stanza['lib'], both.seal.name, both.migrateFrom?.name]).toEqual(['/new', 'new', 'old']);
    const unnamed = parse(
      'seal "pkcs11" { lib = "/a" }\nseal "pkcs11" { lib = "/b" disabled = true }',
    ).config;
    expect([unnamed.seal.name, unnamed.migrateFrom?.name]).toEqual(['pkcs11', 'pkcs11_disabled']);
  });

  test('may be changed by a ceremony, when both are HSMs and somebody may begin it', () => {
    const operator = 'init_client_name = "operator"\nmigrate_by_ceremony = true';
    const listener = 'listener "tcp" { tls_cert_file = "/c" tls_key_file = "/k" tls_client_ca_file = "/ca" }';
    const migrates = (text: string): boolean =>
      parseEngineConfig(`${listener}\nstorage "inmem" {}\n${text}`, {}).config.migrateByCeremony;
    expect(migrates(`${operator}\n${OLD}\n${NEW}`)).toBe(true);
    expect(migrates(`${OLD}\n${NEW}`)).toBe(false);
    expect(() => migrates(`${operator}\n${OLD}`)).toThrow(/for two HSMs/);
    expect(() => migrates(`${operator}\n${NEW}`)).toThrow(/for two HSMs/);
    expect(() => migrates(`migrate_by_ceremony = true\n${OLD}\n${NEW}`)).toThrow(
      /who may begin the ceremony/,
    );
  });

  test.each([
    [
      'two that are enabled, without priorities',
      `${NEW}\nseal "pkcs11" { lib = "/c" }`,
      /priority of its own/,
    ],
    ['break-glass as the seal of a vault', 'seal "break-glass" {}', /cannot be the seal of a vault/],
    [
      'two of the same priority',
      'seal "pkcs11" { name = "a" priority = 1 }\nseal "pkcs11" { name = "b" priority = 1 }',
      /priority of its own/,
    ],
    [
      'two of the same name',
      'seal "pkcs11" { name = "a" priority = 1 }\nseal "pkcs11" { name = "a" priority = 2 }',
      /same name/,
    ],
    [
      'Shamir as one of several',
      'seal "pkcs11" { name = "a" priority = 1 }\nseal "shamir" { priority = 2 }',
      /cannot be one of several/,
    ],
    [
      'two that are disabled',
      `${OLD}\nseal "pkcs11" { disabled = "true" }`,
      /more than one seal is disabled/,
    ],
    ['four', `${OLD}${NEW}${OLD}${NEW}`.replaceAll('}seal', '}\nseal'), /more than three/],
    [
      'a Shamir seal that is disabled',
      'seal "shamir" { disabled = "true" }',
      /Shamir seals cannot be set disabled/,
    ],
    ['two of one name', `${OLD}\nseal "pkcs11" { lib = "/b" name = "old" }`, /same name/],
    ['disabled that is neither true nor false', 'seal "pkcs11" { disabled = "maybe" }', /disabled/],
  ])('are refused: %s', (_what, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('VAULT_SEAL_TYPE that was left in the environment does not change a migration', () => {
    expect(() => parse(OLD, { VAULT_SEAL_TYPE: 'pkcs11' })).toThrow(/VAULT_SEAL_TYPE contradicts/);
    expect(() => parse(`${OLD}\n${NEW}`, { BAO_SEAL_TYPE: 'shamir' })).toThrow(/VAULT_SEAL_TYPE contradicts/);
    expect(parse(`${OLD}\n${NEW}`, { VAULT_SEAL_TYPE: 'pkcs11' }).config.seal.name).toBe('new');
    expect(parse(NEW, { VAULT_SEAL_TYPE: 'shamir' }).warnings).toEqual([
      'VAULT_SEAL_TYPE is set, so the seal is shamir and the block seal "pkcs11" has no effect',
    ]);
  });

  test('a variable without the name of a seal fills what a block leaves out, and no more', () => {
    const env = {
      VAULT_HSM_PIN: 'one',
      VAULT_HSM_PIN_old: 'two',
      VAULT_HSM_LIB: '/from/env',
      VAULT_HSM_TOKEN_LABEL: 'left',
      SOFTHSM2_CONF: '/a',
      SOFTHSM2_CONF_old: '/b',
    };
    expect(environmentOfOne({ lib: '/old' }, 'old', env)).toMatchObject({
      VAULT_HSM_PIN: 'two',
      VAULT_HSM_TOKEN_LABEL: 'left',
      SOFTHSM2_CONF: '/b',
    });
    const other = environmentOfOne({ lib: '/new', token: 'mine' }, 'new', env);
    expect(other).toMatchObject({ VAULT_HSM_PIN: 'one', SOFTHSM2_CONF: '/a' });
    expect(other['VAULT_HSM_LIB']).toBeUndefined();
    expect(other['VAULT_HSM_TOKEN_LABEL']).toBeUndefined();
  });
});

describe('the entropy block', () => {
  test('asks for augmentation by the HSM', () => {
    expect(parse(`${NEW}\nentropy "seal" { mode = "augmentation" }`).config.augmentEntropy).toBe(true);
    expect(parse(NEW).config.augmentEntropy).toBe(false);
  });

  test.each([
    ['another source', `${NEW}\nentropy "disk" { mode = "augmentation" }`],
    ['another mode', `${NEW}\nentropy "seal" { mode = "replacement" }`],
    ['no HSM', 'entropy "seal" { mode = "augmentation" }'],
  ])('is refused: %s', (_what, text) => {
    expect(() => parse(text)).toThrow(/entropy/);
  });
});
