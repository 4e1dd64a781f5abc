import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInmem } from '../../../src/engine/physical/inmem.ts';
import { openLmdb } from '../../../src/engine/physical/lmdb.ts';
import type { Physical } from '../../../src/engine/physical/physical.ts';
import { seeded } from '../../seal/fault-schedule.ts';
import { slowPhysical } from '../../support/slow-physical.ts';
import { World } from './world.ts';

const SEED = Number(process.env['SEALEDVAULT_RACE_SEED'] ?? '1');
const folder = mkdtempSync(join(tmpdir(), 'sealedvault-token-races-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Ways in which a token ends, each given the token, its accessor and where it logged in. */
const ENDS: Readonly<{ [name: string]: (world: World, held: Held) => Promise<unknown> }> = {
  'by its accessor': (world, { accessor }) => world.call('POST', 'auth/token/revoke-accessor', { accessor }),
  'by its value': (world, { token }) => world.call('POST', 'auth/token/revoke', { token }),
  'by itself': (world, { token }) => world.call('POST', 'auth/token/revoke-self', {}, token),
  'by its parent': (world, { parent }) => world.call('POST', 'auth/token/revoke', { token: parent }),
  'with its children left': (world, { token }) => world.call('POST', 'auth/token/revoke-orphan', { token }),
  'by the prefix of its path': (world, { path }) =>
    world.call('POST', `sys/leases/revoke-prefix/${path.replace(/\/$/, '')}`),
  'by the end of its auth method': (world, { path }) =>
    world.call('DELETE', `sys/auth/${path.split('/')[1] ?? ''}`),
};

/** What its holder does meanwhile, again and again. */
const WAYS_TO_STAY: Readonly<{ [name: string]: (world: World, held: Held) => Promise<unknown> }> = {
  'renewing itself': (world, { token }) => world.call('POST', 'auth/token/renew-self', {}, token),
  'being renewed': (world, { accessor }) => world.call('POST', 'auth/token/renew-accessor', { accessor }),
  'making children': async (world, { token, children }) => {
    const { body } = await world.call('POST', 'auth/token/create', { policies: ['maker'] }, token);
    if (body?.auth !== undefined) children.push(body.auth.client_token);
  },
  'writing its cubbyhole': (world, { token }) => world.call('POST', 'cubbyhole/a', { b: 'c' }, token),
};

interface Held {
  readonly token: string;
  readonly accessor: string;
  readonly parent: string;
  /** Where it was made; ends in a slash. */
  readonly path: string;
  readonly children: string[];
}

describe.each([
  ['a storage with delays', () => Promise.resolve<Physical>(createInmem())],
  ['LMDB', () => openLmdb({ path: join(folder, 'data') })],
])('on %s', (name, open) => {
  let world: World;
  let storage: ReturnType<typeof slowPhysical>;
  let count = 0;
  beforeAll(async () => {
    storage = slowPhysical(await open(), seeded(SEED));
    storage.slow = false;
    world = await World.open(storage);
    await world.done('POST', 'sys/policies/acl/maker', {
      policy: 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }',
    });
    storage.slow = name !== 'LMDB';
  });
  afterAll(async () => world.stop());

  const works = async (token: string): Promise<boolean> =>
    (await world.call('GET', 'auth/token/lookup-self', {}, token)).status === 200;

  /** A token of a login, or a child of a token that can be revoked by it. */
  async function hold(end: string): Promise<Held> {
    count += 1;
    const mount = `up${count}`;
    await world.done('POST', `sys/auth/${mount}`, { type: 'userpass' });
    await world.done('POST', `auth/${mount}/users/u`, { password: 'p', token_policies: 'maker' });
    const login = (await world.done('POST', `auth/${mount}/login/u`, { password: 'p' })).auth;
    if (end !== 'by its parent')
      return {
        token: login.client_token,
        accessor: login.accessor,
        parent: '',
        path: `auth/${mount}/login/`,
        children: [],
      };
    const child = (await world.done('POST', 'auth/token/create', { policies: ['maker'] }, login.client_token))
      .auth;
    return {
      token: child.client_token,
      accessor: child.accessor,
      parent: login.client_token,
      path: '',
      children: [],
    };
  }

  test.each(Object.keys(ENDS).flatMap((end) => Object.keys(WAYS_TO_STAY).map((way) => [end, way] as const)))(
    'a token that is revoked %s stays so, whatever its holder does: %s',
    async (end, way) => {
      for (let round = 0; round < 2; round += 1) {
        const held = await hold(end);
        let ended = false;
        const staying = Array.from({ length: 6 }, async () => {
          while (!ended) {
            await WAYS_TO_STAY[way]?.(world, held);
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
        await new Promise((resolve) => setTimeout(resolve, 10));
        await ENDS[end]?.(world, held);
        ended = true;
        await Promise.all(staying);
        expect(await works(held.token)).toBe(false);
        if (end === 'with its children left') continue;
        for (const child of held.children) expect(await works(child)).toBe(false);
      }
    },
  );

  test('a token with ten uses serves ten requests, beside renewals and whatever else is asked', async () => {
    const { auth } = await world.done('POST', 'auth/token/create', {
      policies: ['maker'],
      num_uses: 10,
      ttl: '1h',
    });
    const served = await Promise.all(
      Array.from({ length: 60 }, async (_each, index) => {
        if (index % 3 === 0)
          await world.call('POST', 'auth/token/renew-accessor', { accessor: auth.accessor });
        return (await world.call('GET', 'auth/token/lookup-self', {}, auth.client_token)).status === 200;
      }),
    );
    expect(served.filter(Boolean)).toHaveLength(10);
  });

  test('of sixty guesses at once no more are judged than a name has failures, and then it is locked', async () => {
    await world.done('POST', 'sys/auth/guessed', { type: 'userpass' });
    await world.done('POST', 'auth/guessed/users/u', { password: 'right' });
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => world.call('POST', 'auth/guessed/login/u', { password: 'wrong' })),
    );
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(55);
    expect((await world.call('POST', 'auth/guessed/login/u', { password: 'right' })).status).toBe(403);
  });

  test('sixty good log-ins at once all come through', async () => {
    await world.done('POST', 'sys/auth/good', { type: 'userpass' });
    await world.done('POST', 'auth/good/users/u', { password: 'right' });
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => world.call('POST', 'auth/good/login/u', { password: 'right' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
  });

  test('a wrapped answer is given once, to one of twenty who ask', async () => {
    const wrapped = await world.vault.wrapping.wrap({ kind: 'data', data: { a: 'b' } }, 'id', 'x', 60);
    if (wrapped.kind !== 'wrapped') throw new Error('nothing was wrapped');
    const { token } = wrapped.info;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_each, index) =>
        index % 2 === 0
          ? world.call('POST', 'sys/wrapping/unwrap', { token })
          : world.call('POST', 'sys/wrapping/unwrap', {}, token),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test('no log-in lands after its auth method, no lease after its engine', async () => {
    for (let round = 0; round < 5; round += 1) {
      count += 1;
      const mount = `late${count}`;
      await world.done('POST', `sys/auth/${mount}`, { type: 'approle' });
      await world.done('POST', `auth/${mount}/role/r`, { role_id: 'r', bind_secret_id: true });
      await world.done('POST', `auth/${mount}/role/r/custom-secret-id`, { secret_id: 's' });
      const logins = Array.from({ length: 20 }, () =>
        world.call('POST', `auth/${mount}/login`, { role_id: 'r', secret_id: 's' }),
      );
      await world.done('DELETE', `sys/auth/${mount}`);
      for (const { body } of await Promise.all(logins))
        if (body?.auth !== undefined) expect(await works(body.auth.client_token)).toBe(false);
    }
  });
});

test('a token that no index leads to is found and revoked by tidy', async () => {
  const world = await World.open(createInmem());
  const { auth } = await world.done('POST', 'auth/token/create', { policies: ['default'], ttl: '1h' });
  const { tokens, barrier } = world.vault;
  const entry = await tokens.lookup(auth.client_token);
  if (entry === undefined) throw new Error('the token is not there');
  await barrier.delete(`sys/token/accessor/${tokens.hash(entry.accessor)}`);
  await barrier.delete(`sys/token/path/${entry.path}/h${entry.hash}`);
  await world.done('POST', 'auth/token/tidy');
  await expect.poll(() => tokens.lookup(auth.client_token)).toBeUndefined();
  await world.stop();
});

test('a token of a very long path is revoked by the prefix of it', async () => {
  const world = await World.open(createInmem());
  const name = `a${'é'.repeat(700)}`;
  await world.done('POST', 'sys/auth/long', { type: 'userpass' });
  const { entry, text } =
    (await world.vault.tokens.create({
      parent: '',
      policies: ['default'],
      path: `auth/long/login/${name}`,
      displayName: '',
      meta: null,
      numUses: 0,
      ttl: 3600,
      explicitMaxTtl: 0,
      period: 0,
      renewable: true,
      orphan: true,
      entityId: '',
    })) ?? {};
  if (entry === undefined || text === undefined) throw new Error('no token was made');
  const [lease = ''] = (await world.done('LIST', 'sys/leases/lookup/auth/long/login/')).data.keys;
  expect(lease).toMatch(/^~[0-9a-f]{64}\/$/);
  await world.done('POST', `sys/leases/revoke-prefix/auth/long/login/${name}`);
  expect(await world.vault.tokens.lookup(text)).toBeUndefined();
  await world.stop();
});
