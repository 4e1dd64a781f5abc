import type { PrivateKey } from 'openpgp';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { keyTestText } from '../../../../src/ceremony/statement.ts';
import { createRecoveryCeremonyController } from '../../../../src/operator/recoveryceremony/controller.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../../../../src/operator/recoveryceremony/kind.ts';
import { parseManifest, manifestText } from '../../../../src/operator/recoveryceremony/plan/manifest.ts';
import { SHARE_RECEIPT, type ShareReceipt } from '../../../../src/operator/recoveryceremony/receipts/kind.ts';
import { type Facts, nextStep } from '../../../../src/operator/recoveryceremony/recoveryceremony.ts';
import type { KubeObject } from '../../../../src/operator/runtime/runtime.ts';
import { CONFIG_MAP } from '../../../../src/operator/sealedvault/types.ts';
import { answerKeyTest, ceremonyWorld, custodianKey, decrypt, signText, type World } from './world.ts';

type Data = KubeObject & { data: Record<string, string> };

const namespace = 'vaults';
const key = { namespace, name: 'init' };
const messages = { namespace, name: 'init-key-test' };
const keys = new Map<string, { publicKey: string; privateKey: PrivateKey }>();

beforeAll(async () => {
  for (const name of ['ada', 'grace', 'mallory']) keys.set(name, await custodianKey(name));
});

const pair = (name: string): { publicKey: string; privateKey: PrivateKey } => {
  const found = keys.get(name);
  if (found === undefined) throw new Error(name);
  return found;
};
const begin = (spec: object = {}): World =>
  ceremonyWorld('init', {
    type: 'Initialize',
    threshold: 2,
    custodians: ['ada', 'grace'].map((name) => ({ name, publicKey: pair(name).publicKey })),
    rootToken: { never: {} },
    ...spec,
  });
const approved = (): object => ({
  people: [{ name: 'boss', publicKey: pair('mallory').publicKey }],
  approvals: { approvers: ['boss'], required: 1 },
});
const ceremonyOf = (world: World): RecoveryCeremony => {
  const found = world.read<RecoveryCeremony>(RECOVERY_CEREMONY, key);
  if (found === undefined) throw new Error('no ceremony');
  return found;
};
const nameOf = (world: World) => ({
  ...key,
  uid: 'ceremony-uid',
  digest: ceremonyOf(world).status?.manifestDigest ?? '',
});
const noteOf = (world: World, type: string) =>
  ceremonyOf(world).status?.conditions?.find((each) => each.type === type);
const testsOf = (world: World) => ceremonyOf(world).status?.custodians?.map(({ keyTest }) => keyTest);
const mapOf = (world: World, name: string): Data | undefined =>
  world.read<Data>(CONFIG_MAP, { namespace, name });

async function settle(world: World, rounds = 6): Promise<void> {
  for (let round = 0; round < rounds; round += 1)
    await createRecoveryCeremonyController(world.options()).reconcile(key, world.context());
}

/** Applies an answer and says what became of it. */
async function say(
  world: World,
  name: string,
  spec: ShareReceipt['spec'] | undefined,
): Promise<{ accepted: boolean; message: string }> {
  if (spec === undefined) throw new Error('there is no message to answer');
  const { apiVersion, kind } = SHARE_RECEIPT;
  world.put(SHARE_RECEIPT, { apiVersion, kind, metadata: { namespace, name }, spec } as KubeObject);
  await settle(world, 2);
  const { status } = world.read<ShareReceipt>(SHARE_RECEIPT, { namespace, name }) ?? {};
  if (status === undefined) throw new Error('nobody judged it');
  return status;
}

const answer = (world: World, who: string): Promise<ShareReceipt['spec'] | undefined> =>
  answerKeyTest(world, nameOf(world), who, pair(who).privateKey);

describe('a key test', () => {
  test('lets nothing be asked of the engine before every custodian answered', async () => {
    const world = begin();
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('TestingKeys');
    expect(noteOf(world, 'KeysTested')).toMatchObject({ status: 'False', reason: 'AwaitingKeyTest' });
    expect(noteOf(world, 'Committed')?.message).toContain('ada, grace');
    expect(testsOf(world)).toEqual(['Pending', 'Pending']);
    expect(await say(world, 'a', await answer(world, 'ada'))).toMatchObject({ accepted: true });
    expect(testsOf(world)).toEqual(['Answered', 'Pending']);
    expect(noteOf(world, 'Committed')?.message).not.toContain('ada');
    expect(world.engine.sets).toBe(0);
    expect(await say(world, 'g', await answer(world, 'grace'))).toMatchObject({ accepted: true });
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('Completed');
    expect(noteOf(world, 'KeysTested')?.status).toBe('True');
    expect(world.engine.sets).toBe(1);
    expect(testsOf(world)).toEqual(['Answered', 'Answered']);
  });

  test('is quiet while it waits, and keeps its messages', async () => {
    const world = begin();
    await settle(world);
    const [before, map] = [world.effects, mapOf(world, 'init-key-test')];
    await settle(world, 4);
    expect(world.effects).toBe(before);
    expect(mapOf(world, 'init-key-test')).toBe(map);
    expect(map).toMatchObject({ immutable: true });
  });

  test('goes on beside approvals, and the word of the ceremony names both', async () => {
    const world = begin(approved());
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('AwaitingApproval');
    expect(noteOf(world, 'Committed')?.message).toMatch(/boss can give one.*not answered yet by ada, grace/);
    expect(noteOf(world, 'KeysTested')?.reason).toBe('AwaitingKeyTest');
    expect(await say(world, 'a', await answer(world, 'ada'))).toMatchObject({ accepted: true });
    expect(testsOf(world)).toEqual(['Answered', 'Pending']);
  });

  test('tells what its messages say nowhere else', async () => {
    const world = begin();
    await settle(world);
    const message = mapOf(world, 'init-key-test')?.data['ada.asc'] ?? '';
    const challenge = (await decrypt(message, pair('ada').privateKey)).split('\n')[1] ?? '';
    expect(challenge).toMatch(/^[0-9a-f]{64}$/);
    await say(world, 'a', await answer(world, 'ada'));
    expect(JSON.stringify([...world.objects.values()])).not.toContain(challenge);
  });
});

describe('an answer is refused', () => {
  test('when it is wrong, another’s, of another ceremony, or signed by another', async () => {
    const [world, other] = [begin(), begin()];
    await settle(world);
    await settle(other);
    const right = await answer(world, 'ada');
    if (right === undefined) throw new Error('no message');
    const name = nameOf(world);
    const signed = async (custodian: string, by: string, text: string): Promise<ShareReceipt['spec']> => ({
      ...right,
      custodian,
      keyTest: { answer: text },
      signature: await signText(keyTestText(name, { custodian, answer: text }), pair(by).privateKey),
    });
    const told = right.keyTest?.answer ?? '';
    const tries: Record<string, readonly [ShareReceipt['spec'], RegExp]> = {
      'made up': [await signed('ada', 'ada', '0'.repeat(64)), /The answer is wrong/],
      'that of ada, told to grace': [await signed('grace', 'grace', told), /The answer is wrong/],
      'that of ada, in the name of grace': [{ ...right, custodian: 'grace' }, /The answer is wrong/],
      'signed by another': [await signed('ada', 'mallory', told), /The signature does not count/],
      'of a stranger': [await signed('mallory', 'mallory', told), /Nobody of this name/],
      'without a signature': [{ ...right, signature: 'x' }, /The signature does not count/],
      'to another ceremony': [{ ...right, digest: nameOf(other).digest }, /for another plan/],
      'of another ceremony, under this digest': [
        { ...((await answer(other, 'ada')) ?? right), digest: name.digest },
        /The answer is wrong/,
      ],
    };
    for (const [index, [what, [spec, words]]] of Object.entries(tries).entries()) {
      const verdict = await say(world, `try-${index}`, spec);
      expect(verdict.accepted, what).toBe(false);
      expect(verdict.message, what).toMatch(words);
    }
    expect(testsOf(world)).toEqual(['Pending', 'Pending']);
    expect(world.engine.sets).toBe(0);
  });

  test('of a Kubernetes user whom the plan does not name for the custodian', async () => {
    const custodians = ['ada', 'grace'].map((name) => ({
      name,
      publicKey: pair(name).publicKey,
      username: `${name}@example.org`,
    }));
    const world = begin({ custodians });
    await settle(world);
    const spec = await answer(world, 'ada');
    expect((await say(world, 'a', spec)).message).toContain('spec.username must be theirs');
    const mine = spec === undefined ? undefined : { ...spec, username: 'ada@example.org' };
    expect(await say(world, 'b', mine)).toMatchObject({ accepted: true });
  });

  test('when the ceremony asks for none', async () => {
    const [world, tested] = [begin({ ...approved(), keyTest: 'Skip' }), begin()];
    await settle(world);
    await settle(tested);
    const spec = (await answer(tested, 'ada')) ?? { ceremonyRef: key, custodian: 'ada', digest: '' };
    const here = { ...spec, digest: nameOf(world).digest };
    expect((await say(world, 'a', here)).message).toBe('This ceremony asks for no key test.');
  });

  test('when the ceremony was cancelled while it waited', async () => {
    const world = begin();
    await settle(world);
    const spec = await answer(world, 'ada');
    const live = ceremonyOf(world);
    const cancelled: RecoveryCeremony = { ...live, spec: { ...live.spec, cancel: true } };
    world.put(RECOVERY_CEREMONY, cancelled);
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('Cancelled');
    expect(noteOf(world, 'KeysTested')).toMatchObject({ status: 'False', reason: 'Cancelled' });
    const verdict = { accepted: false, message: 'The ceremony is over.' };
    expect(await say(world, 'late', spec)).toEqual(verdict);
    expect(world.engine.sets).toBe(0);
  });
});

describe('messages', () => {
  test('that were deleted are made anew, and answers to the old ones stay right', async () => {
    const world = begin();
    await settle(world);
    const old = await answer(world, 'ada');
    world.objects.delete('configmaps/vaults/init-key-test');
    await settle(world, 2);
    expect(await say(world, 'a', old)).toMatchObject({ accepted: true });
    expect(await say(world, 'g', await answer(world, 'grace'))).toMatchObject({ accepted: true });
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('Completed');
  });

  test('are not those of another object of the name', async () => {
    const world = begin();
    world.put(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: messages } as KubeObject);
    await settle(world);
    expect(noteOf(world, 'Committed')).toMatchObject({ reason: 'SecretConflict' });
    expect(noteOf(world, 'Committed')?.message).toContain('init-key-test');
    world.objects.delete('configmaps/vaults/init-key-test');
    await settle(world);
    expect(noteOf(world, 'Committed')).toMatchObject({ reason: 'AwaitingKeyTest' });
  });

  test('cannot be made for a key that has expired since, and the ceremony says whose', async () => {
    const { publicKey } = await custodianKey('short', 3_600);
    const world = begin({
      custodians: [
        { name: 'ada', publicKey: pair('ada').publicKey },
        { name: 'short', publicKey },
      ],
    });
    await settle(world);
    world.objects.delete('configmaps/vaults/init-key-test');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
    await settle(world).finally(() => vi.useRealTimers());
    expect(noteOf(world, 'Committed')).toMatchObject({ reason: 'KeysRefused' });
    expect(noteOf(world, 'Committed')?.message).toContain('the key of short');
    expect(ceremonyOf(world).status?.phase).toBe('TestingKeys');
  });

  test('are answered anew when the evidence is lost, from what stands in the cluster', async () => {
    const world = begin();
    await settle(world);
    await say(world, 'a', await answer(world, 'ada'));
    world.objects.delete('configmaps/vaults/init-evidence');
    await settle(world);
    expect(testsOf(world)).toEqual(['Answered', 'Pending']);
  });
});

/** The plan as it was frozen before there were key tests. */
async function withoutKeyTest(world: World): Promise<World> {
  await settle(world, 1);
  const map = mapOf(world, 'init-manifest');
  const manifest = parseManifest(map?.data['manifest.json'] ?? '');
  if (map === undefined || manifest === undefined) throw new Error('no plan');
  const { keyTest, ...older } = manifest;
  expect(keyTest).toBe('Required');
  world.put(CONFIG_MAP, { ...map, data: { 'manifest.json': manifestText(older) } } as KubeObject);
  for (const name of ['init-evidence', 'init-key-test']) world.objects.delete(`configmaps/vaults/${name}`);
  const { status: _told, ...fresh } = ceremonyOf(world);
  world.put(RECOVERY_CEREMONY, fresh);
  return world;
}

describe('a plan', () => {
  test('of before key tests goes on without one', async () => {
    const world = await withoutKeyTest(begin());
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('Completed');
    expect(mapOf(world, 'init-key-test')).toBeUndefined();
    expect(noteOf(world, 'KeysTested')).toBeUndefined();
    expect(testsOf(world)).toEqual([undefined, undefined]);
  });

  test('without a key test is not that of a ceremony that asks for one', async () => {
    const world = await withoutKeyTest(begin({ keyTest: 'Required' }));
    await settle(world, 2);
    expect(noteOf(world, 'Committed')).toMatchObject({ reason: 'ManifestChanged' });
  });

  test('with Skip initializes at once', async () => {
    const world = begin({ keyTest: 'Skip' });
    await settle(world);
    expect(ceremonyOf(world).status?.phase).toBe('Completed');
  });
});

const waiting: Facts = {
  finished: false,
  deleting: false,
  ending: false,
  held: true,
  vaultFound: true,
  keys: 'good',
  frozen: true,
  intact: true,
  consent: true,
  keyTest: 'open',
  started: false,
  swapped: 'unchecked',
  act: 'untried',
  witnessed: false,
};

test.each<[string, Partial<Facts>, string]>([
  ['answers are missing', {}, 'wait'],
  ['messages are missing', { keyTest: 'unmade' }, 'test-keys'],
  ['messages are missing, and consent', { keyTest: 'unmade', consent: false }, 'test-keys'],
  ['messages cannot be published', { keyTest: 'blocked' }, 'wait'],
  ['all answered, consent is missing', { keyTest: 'passed', consent: false }, 'wait'],
  ['all answered', { keyTest: 'passed' }, 'recheck-keys'],
  ['a start that somebody wrote down', { started: true }, 'wait'],
  ['it ends', { ending: true }, 'end'],
  ['it ends before there are messages', { ending: true, keyTest: 'unmade' }, 'end'],
  ['it is deleted', { ending: true, deleting: true }, 'release'],
])('the next step when %s', (_what, change, step) => {
  expect(nextStep({ ...waiting, ...change })).toBe(step);
});
