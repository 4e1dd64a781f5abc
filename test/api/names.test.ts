import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isName, type NameKind } from '../../src/engine/logical/names.ts';
import { TestEngine } from './support/engine.ts';
import { examplePath, mountEverything, type ServedRow } from './support/everything.ts';

let engine: TestEngine;
let rows: ServedRow[];
beforeAll(async () => {
  engine = await TestEngine.initialized();
  rows = await mountEverything(engine);
});
afterAll(() => engine.stop());

/** Rows whose names are no generic names, with what they hold instead: as Vault's engines declare them. */
const OTHERS: Readonly<Record<string, NameKind>> = {
  'pki/cert/:serial': 'serial',
  'pki/cert/:serial/raw': 'serial',
  'pki/cert/:serial/raw/pem': 'serial',
  'ssh/creds/:role': 'with-at',
  'ssh/issue/:role': 'with-at',
  'ssh/roles/:role': 'with-at',
  'ssh/sign/:role': 'with-at',
  'sys/config/auditing/request-headers/:header': 'any',
  'sys/config/reload/:subsystem': 'any',
  'sys/internal/inspect/router/:tag': 'any',
  'sys/locked-users/:mount_accessor/unlock/:alias_identifier': 'any',
  'sys/loggers/:name': 'any',
  'sys/plugins/catalog/:type': 'any',
  'sys/plugins/catalog/:type/:name': 'any',
  'sys/remount/status/:migration_id': 'any',
  'totp/code/:name': 'with-at',
  'totp/keys/:name': 'with-at',
};
const ODD = ['NOT REAL', 'a@b', 'x-', '-x', '.x', 'x.', 'ä', 'a:b', 'a+b'];

test('which names a path takes is declared in its row, and nowhere else', () => {
  const declared = rows.flatMap(({ prefix, row }) =>
    Object.values(row.names).map((kind) => [`${prefix}${row.pattern}`, kind]),
  );
  expect(Object.fromEntries(declared)).toEqual(OTHERS);
  for (const { row } of rows)
    for (const name of Object.keys(row.names)) expect(row.pattern.split('/')).toContain(`:${name}`);
});

test('a name that a row does not take leads to no path, in every engine', async () => {
  let tried = 0;
  for (const served of rows.filter(({ row }) => /(?:^|\/):/.test(row.pattern))) {
    const kind = OTHERS[`${served.prefix}${served.row.pattern}`] ?? 'generic';
    for (const name of ODD) {
      if (isName(kind, name) || served.row.pattern.includes('*')) continue;
      const path = examplePath(served, encodeURIComponent(name));
      for (const operation of Object.keys(served.row.operations)) {
        const method =
          { read: 'GET', list: 'LIST', update: 'POST', patch: 'PATCH', delete: 'DELETE' }[operation] ?? '';
        const { status, body } = await engine.call(
          method,
          path,
          ['POST', 'PATCH'].includes(method) ? {} : undefined,
        );
        expect([status, body?.errors], `${method} ${path}`).toEqual([
          404,
          ['1 error occurred:\n\t* unsupported path\n\n'],
        ]);
      }
      tried += 1;
    }
  }
  expect(tried).toBeGreaterThan(900);
});

test('a login under such a name needs no token to be told', async () => {
  const { status } = await engine.call('POST', 'auth/userpass/login/a@b', { password: 'x' }, '');
  expect(status).toBe(404);
});

describe('policies', () => {
  const rules = 'path "kv/x" { capabilities = ["read"] }';

  test('names have slashes', async () => {
    for (const path of ['sys/policies/acl', 'sys/policy']) {
      expect((await engine.call('PUT', `${path}/team/a/read`, { policy: rules })).status).toBe(204);
      expect((await engine.call('GET', `${path}/team/a/read`)).body.data.name).toBe('team/a/read');
    }
    expect((await engine.call('LIST', 'sys/policies/acl')).body.data.keys).toEqual([
      'default',
      'team/a/read',
      'root',
    ]);
    const { auth } = (await engine.call('POST', 'auth/token/create', { policies: ['team/a/read'] })).body;
    await engine.call('POST', 'kv1/x', { a: 'b' });
    expect(auth.policies).toEqual(['default', 'team/a/read']);
    expect((await engine.call('GET', 'kv/x', undefined, auth.client_token)).status).toBe(404);
    expect((await engine.call('DELETE', 'sys/policies/acl/team/a/read')).status).toBe(204);
    expect((await engine.call('GET', 'sys/policies/acl/team/a/read')).status).toBe(404);
    await engine.call('POST', 'sys/policies/password/team/a', {
      policy: 'length = 20\nrule "charset" { charset = "abc" }',
    });
    expect((await engine.call('LIST', 'sys/policies/password')).body.data.keys).toEqual(['team/a']);
    expect(
      (await engine.call('GET', 'sys/policies/password/team/a/generate')).body.data.password,
    ).toHaveLength(20);
  });

  test('the text may be base64, in lines too', async () => {
    const base64 = Buffer.from(rules.repeat(1)).toString('base64');
    for (const policy of [base64, base64.replaceAll(/.{20}/g, '$&\n')]) {
      await engine.call('PUT', 'sys/policies/acl/encoded', { policy });
      expect((await engine.call('GET', 'sys/policies/acl/encoded')).body.data.policy).toBe(rules);
    }
  });

  test('what was changed or is deprecated is told', async () => {
    const mixed = await engine.call('PUT', 'sys/policies/acl/MixedCase', { policy: rules });
    expect(mixed.body.warnings).toEqual(['policy name was converted to mixedcase']);
    const older = await engine.call('PUT', 'sys/policy/older', { rules });
    expect(older.body.warnings).toEqual(["'rules' is deprecated, please use 'policy' instead"]);
  });
});
