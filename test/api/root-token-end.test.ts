import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

let engine: TestEngine;
let ending = '';
const create = (body: object, path = 'create', token = ending): ReturnType<TestEngine['call']> =>
  engine.call('POST', `auth/token/${path}`, body, token);
beforeAll(async () => {
  engine = await TestEngine.initialized();
  ending = (await create({ policies: ['root'], ttl: '1h' }, 'create', engine.root)).body.auth.client_token;
  await engine.call('POST', 'auth/token/roles/any', { orphan: true, renewable: true });
  await engine.call('POST', 'auth/token/roles/periodic', { token_period: '24h' });
});
afterAll(() => engine.stop());

const LONGER: readonly (readonly [string, object])[] = [
  ['create', {}],
  ['create', { ttl: '2h' }],
  ['create', { ttl: '30m', explicit_max_ttl: '2h' }],
  ['create', { explicit_max_ttl: '24h' }],
  ['create', { period: '10m' }],
  ['create', { no_parent: true, ttl: '2h' }],
  ['create-orphan', {}],
  ['create-orphan', { ttl: '61m' }],
  ['create-orphan', { period: '1m' }],
  ['create/any', { ttl: '2h' }],
  ['create/periodic', { ttl: '1m' }],
];

test.each(LONGER)(
  'a root token with an end makes no root token that outlives it: %s %j',
  async (path, body) => {
    for (const policies of [
      { policies: ['root'] },
      path.startsWith('create/') ? { policies: ['root'] } : {},
    ]) {
      const { status, body: answer } = await create({ ...body, ...policies }, path);
      expect([status, answer.errors[0]]).toEqual([
        400,
        expect.stringMatching(/^expiring root tokens cannot create/),
      ]);
    }
  },
);

test.each(['create', 'create-orphan', 'create/any'])(
  'one that ends before it is made, and never renewed beyond: %s',
  async (path) => {
    const made = await create({ policies: ['root'], ttl: '10m' }, path);
    expect(made.status).toBe(200);
    const token: string = made.body.auth.client_token;
    const renewed = await engine.call('POST', 'auth/token/renew-self', { increment: '100h' }, token);
    expect(renewed.body.auth.lease_duration).toBeLessThanOrEqual(3600);
    const self = await engine.call('GET', 'auth/token/lookup-self', undefined, token);
    expect(self.body.data.explicit_max_ttl).toBeGreaterThan(3500);
    expect(self.body.data.explicit_max_ttl).toBeLessThanOrEqual(3600);
    // Nor can that one.
    expect((await create({ policies: ['root'], ttl: '2h' }, 'create-orphan', token)).status).toBe(400);
  },
);

test('other tokens are made as before', async () => {
  expect((await create({ policies: ['default'], ttl: '24h', no_parent: true })).status).toBe(200);
  expect((await create({ policies: ['root'] }, 'create', engine.root)).body.auth.lease_duration).toBe(0);
});
