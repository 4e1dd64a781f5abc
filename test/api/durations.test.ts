import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { examplePath, mountEverything, type ServedRow } from './support/everything.ts';

/** Durations whose negative values are documented, as "off". */
const SIGNED = [
  'clock_skew_leeway',
  'expiration_leeway',
  'not_before_leeway',
  'kv2/config delete_version_after',
];
/** Fields that hold a duration as text, because they know a word besides, or are kept as they were written. */
const AS_TEXT = [
  'auth/token/create explicit_max_ttl',
  'auth/token/create lease',
  'auth/token/create period',
  'auth/token/create ttl',
  'pki/config/crl auto_rebuild_grace_period',
  'pki/config/crl delta_rebuild_interval',
  'pki/config/crl expiry',
  'pki/config/crl ocsp_expiry',
  'sys/auth/another default_lease_ttl',
];

let engine: TestEngine;
let rows: ServedRow[];
beforeAll(async () => {
  engine = await TestEngine.initialized();
  rows = await mountEverything(engine);
  await engine.call('POST', 'pki/root/generate/internal', { common_name: 'Root', ttl: '24h' });
  await engine.call('POST', 'pki/roles/web', { allow_any_name: true });
  await engine.call('POST', 'auth/userpass/users/example', { password: 'pw' });
});
afterAll(() => engine.stop());

test('a negative duration is refused by its name in every field of every engine', async () => {
  let tried = 0;
  for (const served of rows) {
    const { row } = served;
    if (row.operations.update === undefined) continue;
    for (const [name, field] of Object.entries(row.fields)) {
      const place = `${served.prefix}${row.pattern}`;
      if (field.type !== 'duration') continue;
      if (field.signed === true) {
        expect(
          [name, `${place} ${name}`].some((each) => SIGNED.includes(each)),
          `${place} ${name}`,
        ).toBe(true);
        continue;
      }
      for (const negative of ['-5s', -5, '-500ms', '-1h'])
        expect(
          await engine.call('POST', examplePath(served), { [name]: negative }),
          `${place} ${name}`,
        ).toMatchObject({
          status: 400,
          body: { errors: [expect.stringContaining(`"${name}": cannot provide negative value`)] },
        });
      tried += 1;
    }
  }
  expect(tried).toBeGreaterThan(80);
});

test('so is one that is kept as text', async () => {
  for (const each of AS_TEXT) {
    const [path = '', name = ''] = each.split(' ');
    const { status, body } = await engine.call('POST', path, {
      type: 'userpass',
      config: { [name]: '-5s' },
      [name]: '-5s',
    });
    expect([status, body?.errors?.length], each).toEqual([400, 1]);
  }
  const tune = { default_lease_ttl: '-5s' };
  expect((await engine.call('POST', 'sys/mounts/pki/tune', tune)).status).toBe(400);
  expect((await engine.call('POST', 'sys/auth/userpass/tune', { max_lease_ttl: -1 })).status).toBe(400);
});

test('no certificate is issued for a time that has passed', async () => {
  const { status } = await engine.call('POST', 'pki/issue/web', { common_name: 'a.example', ttl: '-5s' });
  expect(status).toBe(400);
  expect((await engine.call('LIST', 'pki/certs')).body.data.keys).toHaveLength(1);
});

// What is asked for and what is stored are judged together.
test('a partial update is checked against what is stored', async () => {
  const refused = async (path: string, first: object, second: object): Promise<void> => {
    const stored = await engine.call('POST', path, first);
    expect([200, 204], `${path} ${JSON.stringify(stored.body)}`).toContain(stored.status);
    expect((await engine.call('POST', path, second)).status, path).toBe(400);
  };
  await refused('sys/mounts/pki/tune', { max_lease_ttl: '2h' }, { default_lease_ttl: '3h' });
  await refused('sys/auth/userpass/tune', { default_lease_ttl: '3h' }, { max_lease_ttl: '2h' });
  await refused('auth/userpass/users/example', { token_max_ttl: '1h' }, { token_ttl: '2h' });
  await refused('auth/approle/role/r', { token_max_ttl: '1h' }, { token_ttl: '2h' });
  await refused('auth/approle/role/s', { token_ttl: '2h' }, { token_max_ttl: '1h' });
  await refused(
    'auth/kubernetes/role/k',
    { bound_service_account_names: 'a', bound_service_account_namespaces: 'b', token_max_ttl: '1h' },
    { token_ttl: '2h' },
  );
  await refused(
    'auth/jwt/role/j',
    { role_type: 'jwt', bound_audiences: 'a', user_claim: 'sub', token_max_ttl: '1h' },
    { role_type: 'jwt', bound_audiences: 'a', user_claim: 'sub', token_ttl: '2h' },
  );
  await refused(
    'identity/oidc/key/k',
    { rotation_period: '1h', verification_ttl: '1h' },
    { verification_ttl: '11h' },
  );
  await refused('identity/oidc/role/r', { key: 'k', ttl: '30m' }, { ttl: '2h' });
  await refused('identity/oidc/key/k', {}, { verification_ttl: '10m' });
  await refused('auth/token/roles/b', { token_num_uses: 1 }, { token_num_uses: -1 });
  await refused(
    'pki/config/crl',
    { expiry: '10h' },
    { auto_rebuild: true, auto_rebuild_grace_period: '11h' },
  );
});

test('what a partial update leaves out stays: the namespaces of a Kubernetes role', async () => {
  const path = 'auth/kubernetes/role/selected';
  const selector = '{"matchLabels":{"team":"a"}}';
  await engine.call('POST', path, {
    bound_service_account_names: 'a',
    bound_service_account_namespace_selector: selector,
  });
  await engine.call('POST', path, { token_ttl: '1h' });
  expect((await engine.call('GET', path)).body.data.bound_service_account_namespace_selector).toBe(selector);
});
