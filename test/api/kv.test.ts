import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
});
afterAll(() => engine.stop());

const put = (path: string, data: object, options?: object) =>
  engine.call('POST', `secret/data/${path}`, { data, ...(options === undefined ? {} : { options }) });

describe('KV v2', () => {
  test('numbers, unicode and odd member names come back as they were', async () => {
    const body =
      '{"data":{"big":12345678901234567890,"small":1e-7,"exp":1E400,"dec":0.10000000000000000000001,"__proto__":{"x":1},"é":"日\\u0000","nested":{"constructor":"c"}}}';
    expect((await engine.call('POST', 'secret/data/exact', body)).status).toBe(200);
    const text = await (
      await fetch(`${engine.address}/v1/secret/data/exact`, { headers: { 'X-Vault-Token': engine.root } })
    ).text();
    for (const part of [
      '12345678901234567890',
      '1e-7',
      '1E400',
      '0.10000000000000000000001',
      '"__proto__":{"x":1}',
      '"é":"日\\u0000"',
      '"constructor":"c"',
    ])
      expect(text).toContain(part);
  });

  test('versions beyond the limit are dropped, oldest first', async () => {
    await engine.call('POST', 'secret/metadata/few', { max_versions: 3 });
    for (let version = 1; version <= 5; version += 1) await put('few', { version });
    const { body } = await engine.call('GET', 'secret/metadata/few');
    expect(Object.keys(body.data.versions)).toEqual(['3', '4', '5']);
    expect(body.data).toMatchObject({ current_version: 5, oldest_version: 3, max_versions: 3 });
    expect((await engine.call('GET', 'secret/data/few?version=2')).status).toBe(404);
    expect((await engine.call('GET', 'secret/data/few?version=3')).body.data.data).toEqual({ version: 3 });
  });

  test('ten versions are kept by default', async () => {
    for (let version = 1; version <= 12; version += 1) await put('ten', { version });
    expect(Object.keys((await engine.call('GET', 'secret/metadata/ten')).body.data.versions)).toHaveLength(
      10,
    );
  });

  test('of two writers with the same check-and-set one wins', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => put('race', { index }, { cas: 0 })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await engine.call('GET', 'secret/metadata/race')).body.data.current_version).toBe(1);
  });

  test('writers without check-and-set lose no version', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => put('many', { index })));
    expect((await engine.call('GET', 'secret/metadata/many')).body.data.current_version).toBe(20);
  });

  test('delete, undelete and destroy act on the versions they name', async () => {
    await put('life', { n: 1 });
    await put('life', { n: 2 });
    expect((await engine.call('DELETE', 'secret/data/life')).status).toBe(204);
    const deleted = await engine.call('GET', 'secret/data/life');
    expect(deleted).toMatchObject({
      status: 404,
      body: { data: { data: null, metadata: { destroyed: false, version: 2 } } },
    });
    expect((await engine.call('PUT', 'secret/undelete/life', { versions: [2] })).status).toBe(204);
    expect((await engine.call('GET', 'secret/data/life')).body.data.data).toEqual({ n: 2 });
    expect((await engine.call('PUT', 'secret/destroy/life', { versions: '1' })).status).toBe(204);
    expect(await engine.call('GET', 'secret/data/life?version=1')).toMatchObject({
      status: 404,
      body: { data: { metadata: { destroyed: true } } },
    });
    await engine.call('PUT', 'secret/undelete/life', { versions: [1] });
    expect((await engine.call('GET', 'secret/data/life?version=1')).status).toBe(404);
    for (const action of ['delete', 'undelete', 'destroy']) {
      expect(await engine.call('PUT', `secret/${action}/life`, {})).toMatchObject({
        status: 400,
        body: { errors: ['No version number provided'] },
      });
      expect((await engine.call('PUT', `secret/${action}/life`, { versions: ['x'] })).status).toBe(400);
    }
    expect((await engine.call('DELETE', 'secret/metadata/life')).status).toBe(204);
    expect((await engine.call('GET', 'secret/metadata/life')).status).toBe(404);
  });

  test('patch merges, removes by null, and needs something to patch', async () => {
    await put('patch', { a: 1, b: { c: 2, d: 3 } });
    expect(
      (await engine.call('PATCH', 'secret/data/patch', { data: { a: null, b: { d: 4 }, e: [1] } })).body.data
        .version,
    ).toBe(2);
    expect((await engine.call('GET', 'secret/data/patch')).body.data.data).toEqual({
      b: { c: 2, d: 4 },
      e: [1],
    });
    expect((await engine.call('PATCH', 'secret/data/none', { data: { a: 1 } })).status).toBe(404);
    expect(
      (
        await engine.call('PATCH', 'secret/data/patch', { data: { a: 1 } }, undefined, {
          'Content-Type': 'application/json',
        })
      ).status,
    ).toBe(415);
    expect(
      (await engine.call('PATCH', 'secret/data/patch', { data: { a: 1 }, options: { cas: 1 } })).status,
    ).toBe(400);
  });

  test('delete_version_after hides a version when its time comes', async () => {
    await engine.call('POST', 'secret/metadata/short', { delete_version_after: '1s' });
    const { body } = await put('short', { a: 1 });
    expect(Date.parse(body.data.deletion_time) - Date.parse(body.data.created_time)).toBe(1000);
    expect((await engine.call('GET', 'secret/data/short')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect((await engine.call('GET', 'secret/data/short')).status).toBe(404);
  });

  test('custom metadata is checked and merged', async () => {
    expect(
      (await engine.call('POST', 'secret/metadata/custom', { custom_metadata: { a: '1', b: '2' } })).status,
    ).toBe(204);
    expect(
      (await engine.call('PATCH', 'secret/metadata/custom', { custom_metadata: { b: null, c: '3' } })).status,
    ).toBe(204);
    expect((await engine.call('GET', 'secret/metadata/custom')).body.data.custom_metadata).toEqual({
      a: '1',
      c: '3',
    });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']));
    for (const custom_metadata of [
      many,
      { a: 'x'.repeat(513) },
      { ['k'.repeat(129)]: 'v' },
      { a: { b: 'c' } },
    ]) {
      expect((await engine.call('POST', 'secret/metadata/custom', { custom_metadata })).status).toBe(400);
    }
    expect((await engine.call('PATCH', 'secret/metadata/none', { max_versions: 1 })).status).toBe(404);
  });

  test('subkeys show the structure without the values', async () => {
    await put('sub', { a: 'x', b: { c: { d: 'y' } }, e: {} });
    expect((await engine.call('GET', 'secret/subkeys/sub')).body.data.subkeys).toEqual({
      a: null,
      b: { c: { d: null } },
      e: null,
    });
    expect((await engine.call('GET', 'secret/subkeys/sub?depth=1')).body.data.subkeys).toEqual({
      a: null,
      b: null,
      e: null,
    });
  });

  test('list shows folders, and 404 for nothing', async () => {
    await put('tree/a', { x: 1 });
    await put('tree/b/c', { x: 1 });
    expect((await engine.call('LIST', 'secret/metadata/tree')).body.data.keys).toEqual(['a', 'b/']);
    expect((await engine.call('GET', 'secret/metadata/tree/?list=true')).body.data.keys).toEqual(['a', 'b/']);
    expect(await engine.call('LIST', 'secret/metadata/nothing')).toMatchObject({
      status: 404,
      body: { errors: [] },
    });
  });

  test('everything is there after a restart', async () => {
    await put('stay', { a: 1 });
    await engine.restart();
    expect((await engine.call('GET', 'secret/data/stay')).body.data.data).toEqual({ a: 1 });
    expect((await put('stay', { a: 2 }, { cas: 1 })).status).toBe(200);
  });
});

describe('KV v1', () => {
  test('lists, reads, deletes; an unmount takes the data along', async () => {
    await engine.call('PUT', 'kv1/x/y', { a: 'b' });
    expect((await engine.call('LIST', 'kv1/x')).body.data.keys).toEqual(['y']);
    expect((await engine.call('GET', 'kv1/x/y')).body).toMatchObject({
      data: { a: 'b' },
      lease_duration: 2_764_800,
      lease_id: '',
      renewable: false,
    });
    expect((await engine.call('DELETE', 'sys/mounts/kv1')).status).toBe(204);
    expect((await engine.call('GET', 'kv1/x/y')).status).toBe(404);
    await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' });
    expect((await engine.call('GET', 'kv1/x/y')).status).toBe(404);
  });
});
