import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
  for (const name of ['d', 'b/x', 'a', 'c', 'e']) {
    await engine.call('POST', `secret/data/p/${name}`, { data: { name } });
    await engine.call('POST', `kv1/p/${name}`, { name });
  }
  for (const name of ['zoe', 'ann', 'bob']) {
    await engine.call('POST', 'identity/entity', { name });
    await engine.call('POST', 'identity/group', { name: `of-${name}` });
    await engine.call('PUT', `sys/policies/acl/p-${name}`, {
      policy: 'path "x" { capabilities = ["read"] }',
    });
  }
});
afterAll(() => engine.stop());

const list = async (path: string): Promise<unknown> => {
  const { status, body } = await engine.call('LIST', path);
  return status === 200 ? body.data.keys : status;
};

// OpenBao, "Paginated Lists": `after` and `limit` of LIST.
test.each(['secret/metadata/p', 'secret/detailed-metadata/p', 'kv1/p'])(
  '%s is listed a page at a time',
  async (path) => {
    expect(await list(`${path}?limit=2`)).toEqual(['a', 'b/']);
    expect(await list(`${path}?limit=2&after=b/`)).toEqual(['c', 'd']);
    expect(await list(`${path}?after=bb`)).toEqual(['c', 'd', 'e']);
    expect(await list(`${path}?after=e`)).toBe(404);
    expect(await list(`${path}?limit=0`)).toHaveLength(5);
    expect(await list(`${path}?limit=-1`)).toHaveLength(5);
    expect(await list(`${path}?limit=x`)).toBe(400);
  },
);

test('key_info is of the same page', async () => {
  const { data } = (await engine.call('LIST', 'secret/detailed-metadata/p?limit=2&after=b/')).body;
  expect(Object.keys(data.key_info)).toEqual(['c', 'd']);
});

test.each([
  ['identity/entity/name', ['ann', 'bob', 'zoe']],
  ['identity/group/name', ['of-ann', 'of-bob', 'of-zoe']],
  ['sys/policies/acl', ['default', 'p-ann', 'p-bob', 'p-zoe', 'root']],
])('%s is listed a page at a time', async (path, all) => {
  const [first = '', second] = all;
  expect(await list(`${path}?limit=2`)).toEqual([first, second]);
  expect(await list(`${path}?after=${first}&limit=1`)).toEqual([second]);
  expect(await list(`${path}?after=${first}`)).toEqual(all.slice(1));
});

test('entities are listed by id with what is known of each, a page at a time', async () => {
  const ids = [...((await list('identity/entity/id')) as string[])].toSorted();
  const { data } = (await engine.call('LIST', `identity/entity/id?after=${ids[0]}&limit=1`)).body;
  expect(data.keys).toEqual([ids[1]]);
  expect(Object.keys(data.key_info)).toEqual([ids[1]]);
});
