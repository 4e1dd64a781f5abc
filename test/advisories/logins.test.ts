import { createSecretKey } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeBase32 } from '../../src/lib/totp/base32.ts';
import { codeAt } from '../../src/lib/totp/code.ts';
import { TestEngine } from '../api/support/engine.ts';
import { login, tokenWith, userpass } from './support.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await userpass(engine, { ann: {}, bob: {}, carl: {}, dora: {} });
});
afterAll(() => engine.stop());

test('CVE-2025-6004 CVE-2025-54998: case and blanks give no further guesses', async () => {
  const spellings = ['ann', 'Ann', 'ANN', 'aNn', 'anN', ' ann', 'ann ', 'ANn', 'aNN'];
  for (const name of spellings)
    expect((await login(engine, name, 'wrong')).status).toBeGreaterThanOrEqual(400);
  for (const name of ['ann', 'ANN', 'Ann'])
    expect((await login(engine, name, 'canary-of-ann')).status).toBe(403);
  expect((await login(engine, 'bob')).status).toBe(200);
  // Many at once are no more guesses than one after the other.
  const guesses = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      login(engine, index % 2 === 0 ? 'carl' : 'CARL', `wrong-${index}`),
    ),
  );
  expect(guesses.filter(({ status }) => status === 400).length).toBeLessThanOrEqual(5);
  expect((await login(engine, 'carl')).status).toBe(403);
});

test('CVE-2025-6010: a name that nobody has answers as one that somebody has, before and after the lock', async () => {
  const answers = async (name: string): Promise<unknown[]> => {
    const all: unknown[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      const { status, body } = await login(engine, name, 'wrong');
      all.push([status, body.errors]);
    }
    return all;
  };
  expect(await answers('nobody')).toEqual(await answers('dora'));
});

test('CVE-2025-6011 CVE-2025-54999: a name that nobody has takes the time of a password check', async () => {
  await engine.call('POST', 'auth/userpass/users/zoe', { password: 'canary-of-zoe' });
  await engine.call('POST', 'sys/auth/userpass/tune', { user_lockout_config: { lockout_disable: true } });
  const time = async (name: string): Promise<number> => {
    const times: number[] = [];
    for (let tries = 0; tries < 9; tries += 1) {
      const began = performance.now();
      await login(engine, name, 'wrong');
      times.push(performance.now() - began);
    }
    return times.toSorted((a, b) => a - b)[4] ?? 0;
  };
  await time('zoe');
  const [known, unknown] = [await time('zoe'), await time('nobody-at-all')];
  // Without a check the answer comes some twenty times sooner.
  expect(unknown).toBeGreaterThan(known / 3);
  expect(known).toBeGreaterThan(unknown / 3);
  await engine.call('POST', 'sys/auth/userpass/tune', { user_lockout_config: { lockout_disable: false } });
});

let method = '';
let secret = '';
const code = (seconds: number): string => {
  const bytes = decodeBase32(secret);
  if (typeof bytes === 'number') throw new Error('not base32');
  return codeAt(createSecretKey(bytes), { algorithm: 'SHA1', digits: 6, period: 30 }, seconds);
};
const now = (): number => Date.now() / 1000;
const requirement = async (): Promise<string> =>
  (await login(engine, 'bob')).body.auth.mfa_requirement.mfa_request_id;
const validate = (id: string, passcode: string) =>
  engine.call('POST', 'sys/mfa/validate', { mfa_request_id: id, mfa_payload: { [method]: [passcode] } }, '');

async function secondFactor(): Promise<void> {
  const { auth } = (await login(engine, 'bob')).body;
  const made = await engine.call('POST', 'identity/mfa/method/totp', {
    issuer: 'V',
    method_name: 'm',
    max_validation_attempts: 5,
  });
  method = made.body.data.method_id;
  const url = (
    await engine.call('POST', 'identity/mfa/method/totp/admin-generate', {
      method_id: method,
      entity_id: auth.entity_id,
    })
  ).body.data.url;
  secret = new URL(url).searchParams.get('secret') ?? '';
  await engine.call('POST', 'identity/mfa/login-enforcement/bob', {
    mfa_method_ids: [method],
    identity_entity_ids: [auth.entity_id],
  });
}

test('CVE-2022-30689: a second factor is asked for after a restart as before it', async () => {
  await secondFactor();
  for (let round = 0; round < 2; round += 1) {
    const { auth } = (await login(engine, 'bob')).body;
    expect(auth.client_token).toBe('');
    expect(Object.keys(auth.mfa_requirement.mfa_constraints)).toEqual(['bob']);
    await engine.restart();
  }
  const right = await validate(await requirement(), code(now()));
  expect(right.body.auth.client_token).toMatch(/^hvs\./);
});

test('CVE-2025-6015 CVE-2025-55003: a code of a second factor is good once, and guesses end, in whatever form', async () => {
  const used = code(now());
  for (const form of [
    used,
    ` ${used}`,
    `${used} `,
    `${used.slice(0, 3)} ${used.slice(3)}`,
    `\u00a0${used}`,
    `${used}\n`,
    `0${used}`,
  ]) {
    const answer = await validate(await requirement(), form);
    expect([form, answer.body.auth?.client_token]).toEqual([form, undefined]);
  }
  // From here on guesses are refused unseen, also spread over requests and in parallel.
  const ids = await Promise.all(Array.from({ length: 12 }, requirement));
  await Promise.all(ids.map((id, index) => validate(id, String(100_000 + index))));
  const fresh = await validate(await requirement(), code(now() + 30));
  expect(fresh.body.auth?.client_token).toBeUndefined();
  expect(fresh.status).toBe(403);
});

test('CVE-2023-24999: the accessor of one role’s secret ID destroys none of another role', async () => {
  await engine.call('POST', 'sys/auth/approle', { type: 'approle' });
  for (const name of ['mine', 'theirs'])
    await engine.call('POST', `auth/approle/role/${name}`, { token_policies: name });
  const made = async (name: string) => ({
    role_id: (await engine.call('GET', `auth/approle/role/${name}/role-id`)).body.data.role_id,
    ...(await engine.call('POST', `auth/approle/role/${name}/secret-id`, {})).body.data,
  });
  const [mine, theirs] = [await made('mine'), await made('theirs')];
  const token = await tokenWith(
    engine,
    'path "auth/approle/role/mine/*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  );
  const enter = async ({ role_id, secret_id }: any) =>
    (await engine.call('POST', 'auth/approle/login', { role_id, secret_id }, '')).status;
  for (const method of ['POST', 'PUT', 'DELETE'])
    for (const [what, field] of [
      ['secret-id-accessor', { secret_id_accessor: theirs.secret_id_accessor }],
      ['secret-id', { secret_id: theirs.secret_id }],
    ] as const) {
      await engine.call(method, `auth/approle/role/mine/${what}/destroy`, field, token);
      const query = new URLSearchParams(Object.entries(field) as [string, string][]);
      await engine.call(
        method,
        `auth/approle/role/mine/${what}/destroy?${query.toString()}`,
        undefined,
        token,
      );
      const found = await engine.call('POST', `auth/approle/role/mine/${what}/lookup`, field, token);
      expect([what, found.status]).not.toEqual([what, 200]);
    }
  expect(await enter(theirs)).toBe(200);
  await engine.call(
    'POST',
    'auth/approle/role/mine/secret-id-accessor/destroy',
    { secret_id_accessor: mine.secret_id_accessor },
    token,
  );
  expect(await enter(mine)).toBe(400);
});
