import { createSecretKey } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { scan } from './support/barcode.ts';
import { saveGroup } from '../../src/engine/identity/groups.ts';
import { decodeBase32 } from '../../src/lib/totp/base32.ts';
import { type CodeShape, codeAt } from '../../src/lib/totp/code.ts';
import { TestBackend } from './support/identity.ts';

let vault: TestBackend;
let ann: string;
let id: string;
const post = (path: string, body: object = {}, caller = '') =>
  vault.call('update', `mfa/${path}`, body as any, caller);
const get = (path: string) => vault.call('read', `mfa/${path}`);
const refused = async (answer: Promise<any>) => (await answer).errors[0] as string;
const LDAP = { accessor: 'auth_ldap_1', type: 'ldap' };

beforeEach(async () => {
  vault = new TestBackend();
  ann = (await vault.login('ann')).id;
  id = (await post('method/totp', { issuer: 'Vault', method_name: 'phone' })).data.method_id;
});

function code(url: string, shape: CodeShape, seconds: number): string {
  const bytes = decodeBase32(new URL(url).searchParams.get('secret') ?? '');
  if (typeof bytes === 'number') throw new Error('not base32');
  return codeAt(createSecretKey(bytes), shape, seconds);
}

describe('methods', () => {
  test('are made, read, listed, changed and deleted', async () => {
    const shown = {
      algorithm: 'SHA1',
      digits: 6,
      id,
      issuer: 'Vault',
      key_size: 20,
      max_validation_attempts: 5,
      name: 'phone',
      namespace_id: 'root',
      namespace_path: '',
      period: 30,
      qr_size: 200,
      skew: 1,
      type: 'totp',
    };
    expect((await get(`method/totp/${id}`)).data).toEqual(shown);
    expect((await get(`method/${id}`)).data).toEqual(shown);
    for (const path of ['mfa/method', 'mfa/method/totp'])
      expect((await vault.call('list', path)).data).toEqual({ keys: [id], key_info: { [id]: shown } });
    expect(await post(`method/totp/${id}`, { digits: 8 })).toEqual({ kind: 'empty' });
    expect((await get(`method/totp/${id}`)).data).toEqual({ ...shown, digits: 8 });
    for (const [body, message] of [
      [{ issuer: '' }, 'issuer must be set'],
      [{ period: 0 }, 'period must be greater than zero'],
      [{ digits: 7 }, 'digits can only be 6 or 8'],
      [{ skew: 2 }, 'skew must be 0 or 1'],
      [{ algorithm: 'MD5' }, 'unrecognized algorithm'],
      [{ key_size: 0 }, 'key_size must be greater than zero'],
    ] as const)
      expect(await refused(post(`method/totp/${id}`, body))).toBe(message);
    expect(await refused(post('method/totp/none', { issuer: 'x' }))).toBe(
      'configuration for method ID "none" does not exist',
    );
    expect(await refused(post('method/totp', { issuer: 'x', method_name: 'phone' }))).toMatch(
      /already exists/,
    );
    expect(await vault.call('delete', `mfa/method/totp/${id}`)).toEqual({ kind: 'empty' });
    expect((await get(`method/totp/${id}`)).status).toBe(404);
  });
});

describe('codes', () => {
  const shape: CodeShape = { algorithm: 'SHA1', digits: 6, period: 30 };
  const validate = async (passcode: string) => {
    const method = await vault.identity.mfa.method(id);
    if (method === undefined) throw new Error('no method');
    return (await vault.identity.mfa.validate(method, ann, passcode))?.refused;
  };
  const now = () => Math.floor((Date.now() + vault.ahead) / 1000);

  test('of a secret are good once; the secret is shown once', async () => {
    expect(await validate('000000')).toMatch(/not present/);
    const { url, barcode } = (await post('method/totp/generate', { method_id: id }, ann)).data;
    expect(scan(barcode)).toBe(url);
    expect(url).toMatch(new RegExp(`^otpauth://totp/Vault:${ann}\\?`));
    expect(await post('method/totp/admin-generate', { method_id: id, entity_id: ann })).toMatchObject({
      data: null,
      warnings: ['Entity already has a secret for MFA method "phone"'],
    });
    const passcode = code(url, shape, now());
    expect(await validate(passcode)).toBe(undefined);
    expect(await validate(passcode)).toMatch(/^code already used/);
    vault.ahead = 90_000;
    expect(await validate(code(url, shape, now()))).toBe(undefined);
    expect(await post('method/totp/admin-destroy', { method_id: id, entity_id: ann })).toEqual({
      kind: 'empty',
    });
    vault.ahead = 180_000;
    expect(await validate(code(url, shape, now()))).toMatch(/not present/);
  });

  test('are refused for a while after too many wrong ones, also at the same time', async () => {
    const { url } = (await post('method/totp/admin-generate', { method_id: id, entity_id: ann })).data;
    const answers = await Promise.all(Array.from({ length: 8 }, () => validate('x')));
    expect(answers.filter((answer) => answer === 'failed to validate TOTP passcode')).toHaveLength(5);
    expect(await validate(code(url, shape, now()))).toMatch(/^maximum TOTP validation attempts/);
    vault.ahead = 31_000;
    expect(await validate(code(url, shape, now()))).toBe(undefined);
  });

  test('need a method and an entity', async () => {
    for (const [path, body, message] of [
      ['generate', {}, 'missing method ID'],
      ['generate', { method_id: id }, 'missing entityID'],
      [
        'admin-generate',
        { method_id: 'x', entity_id: ann },
        'configuration for method ID "x" does not exist',
      ],
      ['admin-generate', { method_id: id, entity_id: 'x' }, 'invalid entity ID'],
      ['admin-destroy', { method_id: id }, 'missing entity ID'],
      ['admin-destroy', { method_id: id, entity_id: 'x' }, 'invalid entity ID'],
    ] as const)
      expect(await refused(post(`method/totp/${path}`, body))).toBe(message);
  });

  test('go with their entity, and move when it is merged', async () => {
    await post('method/totp/admin-generate', { method_id: id, entity_id: ann });
    const bob = (await vault.call('update', 'entity', { name: 'bob' })).data.id;
    const merge = { to_entity_id: bob, from_entity_ids: ann };
    await post('method/totp/admin-generate', { method_id: id, entity_id: bob });
    expect(await refused(vault.call('update', 'entity/merge', merge))).toBe(
      `conflicting MFA config ID "${id}" in entity ID "${ann}"`,
    );
    expect(await vault.call('update', 'entity/merge', { ...merge, force: true })).toEqual({ kind: 'empty' });
    expect((await post('method/totp/generate', { method_id: id }, ann)).warnings).toHaveLength(1);
    await vault.call('delete', `entity/id/${bob}`);
    expect(await vault.identity.records.names('mfa-secret/')).toEqual([]);
  });
});

describe('enforcement', () => {
  const names = async (entityId: string, mount = LDAP) =>
    (await vault.identity.mfa.requirements(entityId, mount)).map(({ name }) => name);

  test('is for whom it says', async () => {
    const saved = await saveGroup(vault.identity.records, undefined, { name: 'g', memberEntityIds: [ann] });
    const group = 'group' in saved ? saved.group.id : '';
    const bob = (await vault.login('bob')).id;
    const mfa_method_ids = [id];
    expect(await names(ann)).toEqual([]);
    await post('login-enforcement/group', { mfa_method_ids, identity_group_ids: [group] });
    await post('login-enforcement/entity', { mfa_method_ids, identity_entity_ids: [bob] });
    await post('login-enforcement/type', { mfa_method_ids, auth_method_types: ['ldap'] });
    await post('login-enforcement/accessor', { mfa_method_ids, auth_method_accessors: ['auth_ldap_1'] });
    const other = { accessor: 'auth_other_1', type: 'other' };
    expect(await names(ann)).toEqual(['accessor', 'group', 'type']);
    expect(await names(bob, other)).toEqual(['entity']);
    expect(await names(ann, other)).toEqual(['group']);
    expect((await vault.identity.mfa.requirements(ann, LDAP))[0]?.methods[0]?.id).toBe(id);
    expect(await refused(vault.call('delete', `mfa/method/totp/${id}`))).toMatch(/still referenced/);
    expect((await get('login-enforcement/type')).data).toEqual({
      auth_method_accessors: [],
      auth_method_types: ['ldap'],
      id: expect.any(String),
      identity_entity_ids: [],
      identity_group_ids: [],
      mfa_method_ids: [id],
      name: 'type',
      namespace_id: 'root',
      namespace_path: '',
    });
    expect((await vault.call('list', 'mfa/login-enforcement')).data.keys).toEqual([
      'accessor',
      'entity',
      'group',
      'type',
    ]);
    for (const name of ['accessor', 'entity', 'group', 'type'])
      await vault.call('delete', `mfa/login-enforcement/${name}`);
    expect(await names(ann)).toEqual([]);
    expect((await get('login-enforcement/type')).status).toBe(404);
  });

  test('refuses what cannot be', async () => {
    const mfa_method_ids = [id];
    for (const [body, message] of [
      [{}, 'missing method ids'],
      [
        { mfa_method_ids, auth_method_accessors: ['x'] },
        'one of the auth method accessors provided is invalid',
      ],
      [{ mfa_method_ids, auth_method_types: ['x'] }, 'one of the auth method types provided is invalid'],
      [{ mfa_method_ids, identity_group_ids: ['x'] }, "one of the provided group ids doesn't exist"],
      [{ mfa_method_ids, identity_entity_ids: ['x'] }, "one of the provided entity ids doesn't exist"],
      [
        { mfa_method_ids: ['x'], auth_method_types: ['ldap'] },
        "one of the provided method ids doesn't exist",
      ],
      [
        { mfa_method_ids },
        'One of auth_method_accessors, auth_method_types, identity_group_ids, identity_entity_ids must be specified',
      ],
    ] as const)
      expect(await refused(post('login-enforcement/e', body))).toBe(message);
  });
});
