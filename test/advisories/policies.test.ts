import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from '../api/support/engine.ts';
import { tokenWith, userpass } from './support.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/kv', { type: 'kv' });
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  for (const path of ['open/a', 'restricted/hidden', 'restricted/deep/hidden']) {
    await engine.call('PUT', `kv/${path}`, { value: path });
    await engine.call('PUT', `secret/data/${path}`, { data: { value: path } });
  }
});
afterAll(() => engine.stop());

test('CVE-2026-63131 CVE-2026-12624: a narrower deny with a wildcard is not evaded by LIST, with a slash or without', async () => {
  const grants = 'path "kv/*" { capabilities = ["read", "list"] }';
  for (const denied of ['kv/restricted/*', 'kv/restricted*', 'kv/restricted/', 'kv/restricted']) {
    const token = await tokenWith(
      engine,
      `${grants} path "kv/open/*" { capabilities = ["list"] } path "${denied}" { capabilities = ["deny"] }`,
    );
    for (const path of ['kv/restricted', 'kv/restricted/'])
      for (const [method, query] of [
        ['LIST', ''],
        ['GET', '?list=true'],
      ])
        expect([
          denied,
          path,
          method,
          (await engine.call(method ?? '', path + query, undefined, token)).status,
        ]).toEqual([denied, path, method, 403]);
    expect((await engine.call('LIST', 'kv/open', undefined, token)).status).toBe(200);
    expect((await engine.call('LIST', 'kv/open/', undefined, token)).status).toBe(200);
  }
  const deep = await tokenWith(
    engine,
    'path "secret/metadata/*" { capabilities = ["list"] } path "secret/metadata/restricted/*" { capabilities = ["deny"] }',
  );
  for (const path of ['restricted', 'restricted/', 'restricted/deep', 'restricted/deep/'])
    expect((await engine.call('LIST', `secret/metadata/${path}`, undefined, deep)).status).toBe(403);
  expect((await engine.call('LIST', 'secret/metadata/open', undefined, deep)).body.data.keys).toEqual(['a']);
});

const templated = async (name: string, rules: string): Promise<string> => {
  await engine.call('PUT', 'sys/policies/acl/templated', { policy: rules });
  await engine.call('POST', 'auth/users/users/u', { password: 'canary-pw', token_policies: 'templated' });
  const { auth } = (await engine.call('POST', 'auth/users/login/u', { password: 'canary-pw' }, '')).body;
  await engine.call('POST', `identity/entity/id/${auth.entity_id}`, { metadata: { team: name } });
  return auth.client_token;
};
const statuses = (token: string, paths: readonly string[]): Promise<number[]> =>
  Promise.all(paths.map(async (path) => (await engine.call('GET', path, undefined, token)).status));

test('CVE-2026-71543 CVE-2026-5006: what a user may choose puts no wildcard and no segment into a templated path', async () => {
  await userpass(engine, {}, 'users');
  const rules = 'path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["read"] }';
  for (const team of [
    '*',
    '+',
    'res*',
    'open/../restricted',
    'restricted/deep',
    'restricted/',
    '/restricted',
  ]) {
    const token = await templated(team, rules);
    const paths = ['kv/open/a', 'kv/restricted/hidden', 'kv/restricted/deep/hidden'];
    expect([team, await statuses(token, paths)]).toEqual([team, [403, 403, 403]]);
  }
  const token = await templated('restricted', rules);
  expect(await statuses(token, ['kv/restricted/hidden', 'kv/open/a'])).toEqual([200, 403]);
});

test('GHSA-hr5j-3j78-4vh2: a deny whose template has a value that is refused still denies', async () => {
  const rules = `path "kv/*" { capabilities = ["read"] }
    path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["deny"] }
    path "kv/open/a" { capabilities = ["read"] }`;
  expect(await statuses(await templated('restricted', rules), ['kv/restricted/hidden', 'kv/open/a'])).toEqual(
    [403, 200],
  );
  for (const team of ['restricted/deep', 'restricted*', '+'])
    expect([
      team,
      await statuses(await templated(team, rules), [
        'kv/restricted/deep/hidden',
        'kv/restricted/hidden',
        'kv/open/a',
      ]),
    ]).toEqual([team, [403, 403, 200]]);
  // Restricting is more than denying: the narrower rule takes `update` away.
  const narrower = `path "kv/*" { capabilities = ["read", "update", "create"] }
    path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["read"] }`;
  const token = await templated('restricted/deep', narrower);
  expect((await engine.call('PUT', 'kv/restricted/deep/hidden', { value: 'x' }, token)).status).toBe(403);
  expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200);
});

test('CVE-2026-3605: a path with dots or slashes in it is judged as what it means, and deletes nothing else', async () => {
  const token = await tokenWith(
    engine,
    'path "secret/data/open/*" { capabilities = ["read", "update", "delete"] } path "secret/+/open/*" { capabilities = ["delete", "read"] }',
  );
  const before = (await engine.call('GET', 'secret/metadata/restricted/hidden')).body;
  for (const path of [
    'secret/data/open/../restricted/hidden',
    'secret/data/open/..%2Frestricted%2Fhidden',
    'secret/data/open/%2e%2e/restricted/hidden',
    'secret/data/open/../../metadata/restricted/hidden',
    'secret/metadata/open/../restricted/hidden',
    'secret/data/open/./../restricted/hidden',
    'secret/data//restricted/hidden',
    'secret//metadata/restricted/hidden',
  ])
    for (const method of ['DELETE', 'POST', 'PUT', 'GET']) {
      const body = method === 'DELETE' || method === 'GET' ? undefined : { data: { value: 'x' } };
      const { status } = await rawCall(method, path, body, token);
      expect([method, path, status >= 300]).toEqual([method, path, true]);
    }
  expect((await engine.call('GET', 'secret/metadata/restricted/hidden')).body.data).toEqual(before.data);
  expect((await engine.call('DELETE', 'secret/data/open/a', undefined, token)).status).toBe(204);
});

// fetch makes paths clean before they are sent; this sends them as they are.
async function rawCall(
  method: string,
  path: string,
  body: unknown,
  token: string,
): Promise<{ status: number }> {
  const { request } = await import('node:http');
  const [host = '', port = ''] = engine.address.replace('http://', '').split(':');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host, port, method, path: `/v1/${path}`, headers: { 'X-Vault-Token': token }, agent: false },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0 }));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test('CVE-2026-89322 GHSA-fg5x-7whg-6c28: a name that is stored in lower case is judged in lower case', async () => {
  await engine.call('PUT', 'sys/policies/acl/guarded', {
    policy: 'path "kv/open/*" { capabilities = ["read"] }',
  });
  await engine.call('POST', 'auth/users/users/victim', { password: 'canary-victim' });
  const token = await tokenWith(
    engine,
    `path "sys/policies/acl/*" { capabilities = ["create", "update", "delete", "read"] }
     path "sys/policies/acl/guarded" { capabilities = ["deny"] }
     path "sys/policy/*" { capabilities = ["create", "update", "delete", "read"] }
     path "sys/policy/guarded" { capabilities = ["deny"] }
     path "auth/users/users/*" { capabilities = ["create", "update", "delete"] }
     path "auth/users/users/victim" { capabilities = ["deny"] }
     path "auth/users/users/victim/password" { capabilities = ["deny"] }`,
  );
  const policy = 'path "*" { capabilities = ["sudo", "read", "update"] }';
  for (const name of ['Guarded', 'GUARDED', 'guardeD'])
    for (const path of [`sys/policies/acl/${name}`, `sys/policy/${name}`]) {
      await engine.call('PUT', path, { policy }, token);
      await engine.call('DELETE', path, undefined, token);
    }
  for (const name of ['Victim', 'VICTIM']) {
    await engine.call('POST', `auth/users/users/${name}`, { password: 'canary-thief' }, token);
    await engine.call('POST', `auth/users/users/${name}/password`, { password: 'canary-thief' }, token);
    await engine.call('DELETE', `auth/users/users/${name}`, undefined, token);
  }
  expect((await engine.call('GET', 'sys/policies/acl/guarded')).body.data.policy).toContain('kv/open/*');
  const enter = (password: string) =>
    engine.call('POST', 'auth/users/login/victim', { password }, '').then(({ status }) => status);
  expect([await enter('canary-thief'), await enter('canary-victim')]).toEqual([400, 200]);
});

test('CVE-2023-5954: requests that are judged by policies leave nothing behind in memory', async () => {
  const token = await tokenWith(engine, 'path "kv/open/*" { capabilities = ["read"] }');
  const round = async (count: number): Promise<number> => {
    for (let at = 0; at < count; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          engine.call('GET', `kv/open/${at}-${index}/${'x'.repeat(500)}`, undefined, token),
        ),
      );
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  await round(1000);
  const before = await round(500);
  const after = await round(3000);
  // Each of 3000 paths has half a kilobyte; kept with its verdict it would be several megabytes and more.
  expect(after - before).toBeLessThan(64 * 1024 * 1024);
  expect((await engine.call('GET', 'kv/open/a', undefined, token)).status).toBe(200);
});
