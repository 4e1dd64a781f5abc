import { mkdtempSync, rmSync } from 'node:fs';
import { createPublicKey, verify } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isShareProof, proofKeyOf, proveShare } from '../../src/ceremony/share-proof.ts';
import { readEngineStatement } from '../../src/ceremony/engine-statement.ts';
import { possessionText } from '../../src/ceremony/statement.ts';
import { Secret } from '../../src/lib/secret.ts';
import { TestEngine } from './support/engine.ts';
import { asOperator, operatorConfig } from './support/operator.ts';
import { makePerson, type Person } from './support/person.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-ceremony-'));
const digest = (fill: string): string => `sha256:${fill.repeat(64)}`;
const canaries: string[] = [];
let engine: TestEngine;
let people: Record<string, Person>;
/** Shares in hex, by name. */
let shares: Record<string, string> = {};

beforeAll(async () => {
  const made = await Promise.all(['ada', 'grace', 'edith', 'joan'].map((name) => makePerson(name)));
  people = Object.fromEntries(made.map((person) => [person.name, person]));
  engine = await TestEngine.start(operatorConfig(dir));
  const { status, body } = await operator('PUT', 'sys/init', {
    recovery_shares: 3,
    recovery_threshold: 2,
    recovery_pgp_keys: ['ada', 'grace', 'edith'].map((name) => people[name]?.publicKey),
    recovery_custodians: ['ada', 'grace', 'edith'],
    root_token_pgp_key: people['ada']?.publicKey,
    ceremony_id: 'first',
    ceremony_digest: digest('9'),
  });
  expect(status).toBe(200);
  engine.root = (await people['ada']?.open(body.root_token)) ?? '';
  for (const [index, name] of ['ada', 'grace', 'edith'].entries())
    shares[name] = (await people[name]?.open(body.recovery_keys_base64[index])) ?? '';
  canaries.push(engine.root, ...Object.values(shares));
});
afterAll(async () => {
  for (const canary of canaries) expect(engine.logLines.join('')).not.toContain(canary);
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

const operator = (method: string, path: string, body?: object): ReturnType<typeof asOperator> =>
  asOperator(engine.addresses[1] ?? '', method, path, body);
const anybody = (method: string, path: string, body?: object): ReturnType<TestEngine['call']> =>
  engine.call(method, path, body, '');
const statusOf = async (id: string): Promise<any> => (await anybody('GET', `sys/ceremony/${id}`)).body;
const secretOf = (hex = ''): Secret => Secret.own(new Uint8Array(Buffer.from(hex, 'hex')));

async function submit(id: string, key = '', more: object = {}): ReturnType<TestEngine['call']> {
  const { nonce, digest: agreed } = await statusOf(id);
  return anybody('POST', `sys/ceremony/${id}/submit`, { nonce, digest: agreed, key, ...more });
}

async function prove(
  id: string,
  custodian: string,
  share: string | undefined,
): ReturnType<TestEngine['call']> {
  const { ceremony, digest: agreed } = await statusOf(id);
  using secret = secretOf(share);
  const proof = proveShare(secret, possessionText({ ...ceremony, uid: id, digest: agreed }, custodian));
  return anybody('POST', `sys/ceremony/${id}/prove`, { custodian, proof });
}

const rotation = (names: readonly string[], threshold: number, plan = digest('a')): object => ({
  ceremony: { namespace: 'vaults', name: 'rotate' },
  type: 'rotate-recovery',
  digest: plan,
  threshold,
  custodians: names.map((name) => ({ name, pgp_key: people[name]?.publicKey })),
});
const rootToken = (ttl: string): object => ({
  ceremony: { namespace: 'vaults', name: 'root' },
  type: 'generate-root',
  digest: digest('b'),
  requester: { name: 'joan', pgp_key: people['joan']?.publicKey },
  ttl,
});

describe('who holds recovery shares', () => {
  test('is known from the first day, with keys that prove it', async () => {
    const { body } = await operator('GET', 'sys/recovery-shares');
    expect(body).toMatchObject({ generation: 1, threshold: 2 });
    expect(body.holders.map(({ name }: any) => name)).toEqual(['ada', 'grace', 'edith']);
    for (const { name, fingerprint, proof_key: key } of body.holders) {
      expect(fingerprint).toBe(people[name]?.fingerprint);
      using share = secretOf(shares[name]);
      expect(key).toBe(proofKeyOf(share));
      expect(isShareProof(key, 'drill', proveShare(share, 'drill'))).toBe(true);
    }
  });

  test.each([
    ['GET', 'sys/recovery-shares'],
    ['PUT', 'sys/ceremony/x'],
    ['DELETE', 'sys/ceremony/x'],
    ['GET', 'sys/ceremony/x/messages'],
    ['POST', 'sys/ceremony/x/attest'],
    ['POST', 'sys/ceremony/x/revoke-token'],
  ])('only the operator: %s %s', async (method, path) => {
    const { status, body } = await engine.call(method, path, method === 'GET' ? undefined : {});
    expect({ status, errors: body.errors }).toEqual({
      status: 403,
      errors: [expect.stringContaining('operator')],
    });
  });
});

describe('a root token by ceremony', () => {
  test('needs a plan that can be carried out', async () => {
    const plans: [object, RegExp][] = [
      [{ ...rootToken('1h'), type: 'other' }, /type must be/],
      [{ ...rootToken('1h'), digest: 'abc' }, /digest must be/],
      [{ ...rootToken('1h'), requester: undefined }, /requester/],
      [{ ...rootToken('1h'), requester: { name: 'joan', pgp_key: 'AAAA' } }, /PGP key/],
      [rootToken('0'), /ttl is required/],
      [rotation(['ada', 'grace'], 3), /threshold cannot be larger/],
      [rotation(['ada', 'ada'], 2), /name of their own/],
      [{ ...rotation(['ada', 'grace'], 2), custodians: 'ada' }, /list of/],
    ];
    for (const [plan, words] of plans) {
      const { status, body } = await operator('PUT', 'sys/ceremony/bad', plan);
      expect(status).toBe(400);
      expect(body.errors[0]).toMatch(words);
    }
    expect((await anybody('GET', 'sys/ceremony')).status).toBe(404);
  });

  test('is made by a quorum, for one person, for a time', async () => {
    const begun = await operator('PUT', 'sys/ceremony/root-1', rootToken('1h'));
    expect(begun).toMatchObject({
      status: 200,
      body: { state: 'collecting', threshold: 2, progress: 0, requester: { name: 'joan' } },
    });
    expect((await operator('PUT', 'sys/ceremony/root-1', rootToken('1h'))).body.nonce).toBe(begun.body.nonce);
    expect((await operator('PUT', 'sys/ceremony/root-1', rootToken('2h'))).status).toBe(409);
    const other = await operator('PUT', 'sys/ceremony/root-2', rootToken('1h'));
    expect(other).toMatchObject({ status: 409, body: { errors: [expect.stringContaining('vaults/root')] } });

    for (const wrong of [{ nonce: 'x' }, { digest: digest('c') }]) {
      const { status, body } = await submit('root-1', shares['ada'], wrong);
      expect({ status, error: body.errors[0] }).toEqual({
        status: 400,
        error: expect.stringContaining('nonce and digest'),
      });
    }
    expect((await submit('root-1', 'ab'.repeat(33))).body.errors[0]).toContain('no share of this vault');
    expect((await submit('root-1', 'zz')).status).toBe(400);
    expect((await submit('root-1', '')).status).toBe(400);
    expect((await operator('GET', 'sys/ceremony/root-1/messages')).status).toBe(400);

    expect((await submit('root-1', shares['grace'])).body).toMatchObject({
      progress: 1,
      submitted: ['grace'],
    });
    expect((await submit('root-1', shares['grace'])).body.errors[0]).toContain('already');
    const done = await submit('root-1', shares['edith']);
    expect(done.body).toMatchObject({
      state: 'committed',
      submitted: ['grace', 'edith'],
      token: { state: 'active' },
    });
    expect((await submit('root-1', shares['ada'])).status).toBe(400);

    const { body } = await operator('GET', 'sys/ceremony/root-1/messages');
    const token = (await people['joan']?.open(body.root_token)) ?? '';
    canaries.push(token);
    const self = await engine.call('GET', 'auth/token/lookup-self', undefined, token);
    expect(self.body.data).toMatchObject({ policies: ['root'], explicit_max_ttl: 3600, renewable: false });
    expect((await operator('POST', 'sys/ceremony/root-1/revoke-token')).status).toBe(204);
    expect((await engine.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403);
    expect((await statusOf('root-1')).token.state).toBe('revoked');
    expect((await operator('DELETE', 'sys/ceremony/root-1')).status).toBe(400);
  });

  test('expires by itself', async () => {
    await operator('PUT', 'sys/ceremony/root-3', rootToken('1s'));
    for (const name of ['ada', 'grace']) await submit('root-3', shares[name]);
    await expect
      .poll(async () => (await statusOf('root-3')).token.state, { timeout: 10_000 })
      .toBe('expired');
  });
});

describe('new recovery shares by ceremony', () => {
  test('a restart in the middle forgets shares, and keeps the plan', async () => {
    await operator('PUT', 'sys/ceremony/rotate-1', rotation(['ada', 'grace', 'joan'], 2));
    const before = await statusOf('rotate-1');
    await submit('rotate-1', shares['ada']);
    await engine.restart();
    const after = await statusOf('rotate-1');
    expect(after).toMatchObject({ state: 'collecting', progress: 0, digest: before.digest });
    expect(after.nonce).not.toBe(before.nonce);
    expect((await submit('rotate-1', shares['ada'], { nonce: before.nonce })).status).toBe(400);
    for (const name of ['ada', 'grace']) expect((await submit('rotate-1', shares[name])).status).toBe(200);
    expect(await statusOf('rotate-1')).toMatchObject({ state: 'proving', submitted: ['ada', 'grace'] });
  });

  test('come into force when all have proved theirs, and not before, across restarts', async () => {
    const { body } = await operator('GET', 'sys/ceremony/rotate-1/messages');
    const fresh: Record<string, string> = {};
    for (const name of ['ada', 'grace', 'joan'])
      fresh[name] = (await people[name]?.open(body.shares[name])) ?? '';
    canaries.push(...Object.values(fresh));
    expect((await prove('rotate-1', 'ada', fresh['joan'])).body.errors[0]).toContain('not made with');
    expect((await prove('rotate-1', 'ada', shares['ada'])).status).toBe(400);
    expect((await prove('rotate-1', 'edith', fresh['joan'])).body.errors[0]).toContain('nobody of this name');
    expect((await prove('rotate-1', 'ada', fresh['ada'])).body).toMatchObject({ state: 'proving' });
    await engine.restart();
    expect((await operator('GET', 'sys/ceremony/rotate-1/messages')).body).toEqual(body);
    expect((await prove('rotate-1', 'ada', fresh['ada'])).status).toBe(200);
    expect((await prove('rotate-1', 'joan', fresh['joan'])).body.custodians).toMatchObject([
      { name: 'ada', proven: true },
      { name: 'grace', proven: false },
      { name: 'joan', proven: true },
    ]);
    // The old shares are still the right ones.
    expect((await operator('GET', 'sys/recovery-shares')).body.generation).toBe(1);
    expect((await prove('rotate-1', 'grace', fresh['grace'])).body.state).toBe('committed');
    expect((await prove('rotate-1', 'grace', fresh['grace'])).status).toBe(200);
    const { body: holders } = await operator('GET', 'sys/recovery-shares');
    expect(holders).toMatchObject({ generation: 2, threshold: 2 });
    expect(holders.holders.map(({ name }: any) => name)).toEqual(['ada', 'grace', 'joan']);

    await operator('PUT', 'sys/ceremony/root-4', rootToken('1h'));
    expect((await submit('root-4', shares['ada'])).body.errors[0]).toContain('earlier set');
    for (const name of ['joan', 'grace']) await submit('root-4', fresh[name]);
    expect((await statusOf('root-4')).state).toBe('committed');
    shares = fresh;
  });

  test('that were cancelled change nothing', async () => {
    await operator('PUT', 'sys/ceremony/rotate-2', rotation(['edith', 'joan'], 2));
    for (const name of ['ada', 'grace']) await submit('rotate-2', shares[name]);
    expect((await operator('DELETE', 'sys/ceremony/rotate-2')).status).toBe(204);
    expect((await operator('DELETE', 'sys/ceremony/rotate-2')).status).toBe(204);
    expect(await statusOf('rotate-2')).toMatchObject({ state: 'cancelled' });
    expect((await operator('GET', 'sys/ceremony/rotate-2/messages')).status).toBe(400);
    expect((await operator('GET', 'sys/recovery-shares')).body.generation).toBe(2);
    expect((await operator('DELETE', 'sys/ceremony/none')).status).toBe(404);
  });

  test('never replace shares that another rekey made meanwhile', async () => {
    await operator('PUT', 'sys/ceremony/rotate-3', rotation(['ada', 'grace'], 2));
    for (const name of ['ada', 'grace']) await submit('rotate-3', shares[name]);
    const { body } = await operator('GET', 'sys/ceremony/rotate-3/messages');
    const pending: Record<string, string> = {};
    for (const name of ['ada', 'grace']) pending[name] = (await people[name]?.open(body.shares[name])) ?? '';

    const rekey = await engine.call('POST', 'sys/rotate/recovery/init', {
      secret_shares: 2,
      secret_threshold: 2,
      pgp_keys: ['ada', 'grace'].map((name) => people[name]?.publicKey),
    });
    const { nonce } = rekey.body.data;
    let last: any;
    for (const name of ['ada', 'joan'])
      last = await engine.call('POST', 'sys/rotate/recovery/update', { key: shares[name], nonce });
    expect(last.body.data.complete).toBe(true);
    expect((await operator('GET', 'sys/recovery-shares')).body).toMatchObject({ generation: 3 });

    await prove('rotate-3', 'ada', pending['ada']);
    const refused = await prove('rotate-3', 'grace', pending['grace']);
    expect(refused).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('replaced')] } });
    const now = await Promise.all(
      ['ada', 'grace'].map(async (name, index) => people[name]?.open(last.body.data.keys_base64[index])),
    );
    shares = { ada: now[0] ?? '', grace: now[1] ?? '' };
    canaries.push(...Object.values(shares));
    await operator('DELETE', 'sys/ceremony/rotate-3');
    await operator('PUT', 'sys/ceremony/root-5', rootToken('1h'));
    for (const name of ['ada', 'grace']) await submit('root-5', shares[name]);
    expect(await statusOf('root-5')).toMatchObject({
      state: 'committed',
      submitted: ['holder 1', 'holder 2'],
    });
  });

  test('of two quorums at the same time count once', async () => {
    await operator('PUT', 'sys/ceremony/root-6', rootToken('1h'));
    const answers = await Promise.all(
      ['ada', 'ada', 'grace', 'grace'].map((name) => submit('root-6', shares[name])),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
    expect((await statusOf('root-6')).state).toBe('committed');
  });
});

describe('ceremonies of before', () => {
  test('are still told of, and none of them is started again', async () => {
    expect(await statusOf('rotate-1')).toMatchObject({ state: 'committed', submitted: ['ada', 'grace'] });
    expect(await statusOf('rotate-2')).toMatchObject({ state: 'cancelled' });
    const again = await operator('PUT', 'sys/ceremony/rotate-2', rotation(['edith', 'joan'], 2));
    expect(again).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    const other = await operator('PUT', 'sys/ceremony/rotate-2', rotation(['ada', 'joan'], 2));
    expect(other.status).toBe(409);
    expect(
      (await anybody('POST', 'sys/ceremony/rotate-2/submit', { key: shares['ada'] })).body.errors,
    ).toEqual(['this ceremony takes no shares (any more)']);
    expect((await anybody('GET', 'sys/ceremony/..%2Fholders')).status).toBe(400);
    expect((await operator('PUT', 'sys/ceremony/a.b', rotation(['ada', 'grace'], 2))).status).toBe(400);
  });

  test('end the root token that they made, and give its message to the operator alone', async () => {
    expect(await statusOf('root-5')).toMatchObject({ token: { state: 'active' } });
    expect((await operator('GET', 'sys/ceremony/root-5/messages')).body.root_token).toBeDefined();
    expect((await anybody('GET', 'sys/ceremony/root-5/messages')).status).toBe(403);
    expect((await operator('POST', 'sys/ceremony/root-5/revoke-token', {})).status).toBe(204);
    expect(await statusOf('root-5')).toMatchObject({ token: { state: 'revoked' } });
  });

  test('are forgotten when they are many, but for those whose root token is still good', async () => {
    for (let index = 1; index <= 40; index += 1) {
      await operator('PUT', `sys/ceremony/many-${index}`, rootToken('1h'));
      await operator('DELETE', `sys/ceremony/many-${index}`);
    }
    expect((await anybody('GET', 'sys/ceremony/rotate-2')).status).toBe(404);
    expect((await anybody('GET', 'sys/ceremony/many-1')).status).toBe(404);
    expect(await statusOf('many-20')).toMatchObject({ state: 'cancelled' });
    expect(await statusOf('root-6')).toMatchObject({ token: { state: 'active' } });
  });
});

describe('the engine signs the end of a log of evidence', () => {
  const head = digest('d');
  const signed = async (id: string): Promise<any> => {
    const { status, body } = await operator('POST', `sys/ceremony/${id}/attest`, { head });
    expect(status).toBe(200);
    const key = createPublicKey({ key: Buffer.from(body.public_key, 'base64'), format: 'der', type: 'spki' });
    expect(verify(null, Buffer.from(body.statement), key, Buffer.from(body.signature, 'base64'))).toBe(true);
    return { ...body, said: readEngineStatement(body.statement) };
  };

  test('with its vault, the plan, and how far the ceremony came in it; always by the same key', async () => {
    const { said, engine_time: time, public_key: key } = await signed('root-6');
    const { cluster_id: cluster } = (await engine.call('GET', 'sys/seal-status')).body;
    expect(said).toEqual({
      cluster,
      uid: 'root-6',
      digest: digest('b'),
      type: 'generate-root',
      state: 'committed',
      given: 2,
      proven: 0,
      custodians: 0,
      evidence: head,
      time,
    });
    expect((await signed('first')).said).toMatchObject({
      digest: digest('9'),
      type: 'initialize',
      state: 'committed',
      custodians: 3,
    });
    expect((await signed('many-20')).said).toMatchObject({ state: 'cancelled', given: 0 });
    await engine.restart();
    expect((await signed('root-6')).public_key).toBe(key);
    expect((await operator('POST', 'sys/ceremony/root-6/attest', { head: 'x' })).status).toBe(400);
  });

  test('of ceremonies on record only, whatever else the caller says', async () => {
    for (const id of ['never', 'many-1', '..%2Fholders'])
      expect((await operator('POST', `sys/ceremony/${id}/attest`, { head })).status).not.toBe(200);
    const more = { head, digest: digest('f'), state: 'committed', type: 'rotate-recovery', cluster: 'x' };
    const { body } = await operator('POST', 'sys/ceremony/many-20/attest', more);
    expect(readEngineStatement(body.statement)).toMatchObject({ state: 'cancelled', digest: digest('b') });
  });

  test('of people alone, when the operator put it on record; it disturbs no other ceremony', async () => {
    const drill = { ceremony: { namespace: 'vaults', name: 'drill' }, type: 'record', digest: digest('c') };
    const { body: before } = await operator('PUT', 'sys/ceremony/root-8', rootToken('1h'));
    expect((await anybody('PUT', 'sys/ceremony/drill-1', drill)).status).toBe(403);
    for (const wrong of [{ ttl: '1h' }, { threshold: 2 }, { digest: 'x' }])
      expect((await operator('PUT', 'sys/ceremony/drill-1', { ...drill, ...wrong })).status).toBe(400);
    expect(await operator('PUT', 'sys/ceremony/drill-1', drill)).toMatchObject({
      status: 200,
      body: { state: 'recorded', nonce: '' },
    });
    expect((await operator('PUT', 'sys/ceremony/drill-1', drill)).status).toBe(200);
    expect((await operator('PUT', 'sys/ceremony/drill-1', rootToken('1h'))).status).toBe(409);
    expect((await signed('drill-1')).said).toMatchObject({ type: 'record', state: 'recorded' });
    expect((await submit('drill-1', shares['ada'])).status).toBe(400);
    expect((await operator('DELETE', 'sys/ceremony/drill-1')).status).toBe(400);
    expect((await statusOf('root-8')).nonce).toBe(before.nonce);
    await operator('DELETE', 'sys/ceremony/root-8');
  });
});

test('a sealed vault has no ceremony to show', async () => {
  await engine.call('PUT', 'sys/seal');
  expect((await anybody('GET', 'sys/ceremony')).status).toBe(503);
});
