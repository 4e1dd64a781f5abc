import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appended } from '../../../src/ceremony/evidence.ts';
import { approvalText } from '../../../src/ceremony/statement.ts';
import { manifestDigest } from '../../../src/operator/recoveryceremony/plan/manifest.ts';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { CeremonyBench, condition, VAULTS } from './support.ts';

const custodians = ['ada', 'grace', 'edith'];
const approvals = { approvers: ['boss', 'chief'], required: 2 };
let bench: CeremonyBench;

beforeAll(async () => {
  bench = await CeremonyBench.start('127.77.1.2', [...custodians, 'boss', 'chief', 'wit', 'mallory']);
});

afterAll(async () => {
  await bench?.close();
});

const initialize = {
  type: 'Initialize',
  threshold: 2,
  custodians,
  rootToken: { encryptTo: 'ada' },
  keyTest: 'Skip',
};
const consented = { ...initialize, people: ['boss', 'chief'], approvals };
const isInitialized = async (): Promise<boolean> =>
  (await bench.engine.call('GET', 'sys/init', undefined, '')).body.initialized;

describe('an approval', () => {
  test('that is forged, foreign, replayed or somebody else’s is refused, and nothing happens', async () => {
    await bench.make('other', { ...consented, people: ['boss', 'chief', 'wit'] });
    await bench.make('plan', consented);
    await bench.phase('plan', 'AwaitingApproval');
    const [name, other] = [await bench.nameOf('plan'), await bench.nameOf('other')];
    const sign = (who: string, text: string): Promise<string> => bench.person(who).sign(text);
    const boss = approvalText(name, 'boss');
    const tries: Record<string, object> = {
      'forged by another key': { person: 'boss', signature: await sign('mallory', boss) },
      garbage: { person: 'boss', signature: 'x' },
      'of another ceremony': { person: 'boss', digest: other.digest },
      'replayed from another ceremony': {
        person: 'boss',
        signature: await sign('boss', approvalText(other, 'boss')),
      },
      'in the name of another': { person: 'chief', signature: await sign('boss', boss) },
      'of a stranger': {
        person: 'mallory',
        signature: await sign('mallory', approvalText(name, 'mallory')),
      },
      'of a custodian who is no approver': {
        person: 'ada',
        signature: await sign('ada', approvalText(name, 'ada')),
      },
    };
    for (const [index, [what, change]] of Object.entries(tries).entries()) {
      const verdict = await bench.say('CeremonyApproval', `try-${index}`, {
        ceremonyRef: { name: 'plan' },
        role: 'Approver',
        digest: name.digest,
        signature: await sign('boss', boss),
        ...change,
      });
      expect(verdict.accepted, what).toBe(false);
      expect(verdict.message.length, what).toBeGreaterThan(20);
    }
    // The same consent twice is one.
    expect(await bench.approve('plan', 'boss')).toMatchObject({ accepted: true });
    const again = { person: 'boss', digest: name.digest, signature: await sign('boss', boss) };
    const twice = { ceremonyRef: { name: 'plan' }, role: 'Approver', ...again };
    expect(await bench.say('CeremonyApproval', 'twice', twice)).toMatchObject({ accepted: true });
    const waiting = await bench.ceremony('plan', ({ status }) => status?.['approvals'] === '1/2');
    expect(waiting.status?.phase).toBe('AwaitingApproval');
    expect(await isInitialized()).toBe(false);
    const steps = await bench.steps('plan');
    expect(steps.filter((step) => step === 'operator refused')).toHaveLength(Object.keys(tries).length);
  });

  test('cannot be made up by writing evidence or status', async () => {
    await bench.kinds.stopOperator();
    await bench.tamper('plan-evidence', (data) => {
      const bundle = JSON.parse(data['evidence.json'] ?? '');
      bundle.statements.push({ ...bundle.statements[0], person: 'chief' });
      // A chain is easily made longer; what stands in it has to be signed.
      const digest = manifestDigest(bundle.manifest);
      for (const [who, step] of [
        ['chief', 'approved'],
        ['operator', 'started'],
      ] as const)
        bundle.entries = appended(bundle.entries, digest, {
          who,
          step,
          facts: {},
          time: new Date().toISOString(),
        });
      return { 'evidence.json': JSON.stringify(bundle) };
    });
    await bench.kinds.plane.api.call(
      'PATCH',
      `/apis/sealedvault.io/v1alpha1/namespaces/${VAULTS}/ceremonyapprovals/try-0/status`,
      { status: { accepted: true, message: 'trust me' } },
      'application/merge-patch+json',
    );
    bench.kinds.startOperator();
    await bench.kinds.wait('ceremonyapproval/try-0', ({ status }) => status?.['accepted'] === false);
    const waiting = await bench.ceremony('plan', ({ status }) => status?.['approvals'] === '1/2');
    expect(waiting.status?.phase).toBe('AwaitingApproval');
    expect(await isInitialized()).toBe(false);
  });

  test('does not count for a plan that somebody exchanged', async () => {
    await bench.tamper('plan-manifest', (data) => {
      const manifest = JSON.parse(data['manifest.json'] ?? '');
      return { 'manifest.json': JSON.stringify({ ...manifest, threshold: 3 }) };
    });
    await bench.approve('other', 'boss');
    // The other plan is as it was; this one has none any more, and goes on with none.
    await bench.kinds.kubectl.run([
      '--namespace',
      VAULTS,
      'annotate',
      'recoveryceremony',
      'plan',
      'look=again',
    ]);
    const failed = await bench.phase('plan', 'Failed');
    expect(condition(failed, 'Committed').reason).toBe('ManifestChanged');
    expect(await isInitialized()).toBe(false);
  });

  test('of a Kubernetes user whom the plan does not name for that person is refused', async () => {
    const people = ['boss', 'chief'].map((name) => ({
      name,
      publicKey: bench.person(name).armored,
      username: `${name}@example.org`,
    }));
    await bench.kinds.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind: 'RecoveryCeremony',
      metadata: { name: 'users', namespace: VAULTS },
      spec: {
        vaultRef: { name: 'demo' },
        ...initialize,
        custodians: custodians.map((name) => ({ name, publicKey: bench.person(name).armored })),
        people,
        approvals,
      },
    } as KubernetesObject);
    await bench.phase('users', 'AwaitingApproval');
    expect(await bench.approve('users', 'boss')).toMatchObject({ accepted: false });
    const right = { username: 'chief@example.org' };
    expect(await bench.approve('users', 'chief', right)).toMatchObject({ accepted: true });
  });
});

describe('a ceremony ends', () => {
  test('when a key is another than in the plan that was signed', async () => {
    const keys = (who: string): KubernetesObject =>
      ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'keys', namespace: VAULTS },
        data: { edith: bench.person(who).armored },
      }) as KubernetesObject;
    await bench.kinds.apply(keys('edith'));
    await bench.kinds.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind: 'RecoveryCeremony',
      metadata: { name: 'swap', namespace: VAULTS },
      spec: {
        vaultRef: { name: 'demo' },
        ...initialize,
        custodians: [
          ...['ada', 'grace'].map((name) => ({ name, publicKey: bench.person(name).armored })),
          { name: 'edith', publicKeyFrom: { configMapKeyRef: { name: 'keys', key: 'edith' } } },
        ],
        people: [{ name: 'boss', publicKey: bench.person('boss').armored }],
        approvals: { approvers: ['boss'], required: 1 },
      },
    } as KubernetesObject);
    await bench.phase('swap', 'AwaitingApproval');
    await bench.kinds.apply(keys('mallory'));
    await bench.approve('swap', 'boss');
    const failed = await bench.phase('swap', 'Failed');
    expect(condition(failed, 'Committed')).toMatchObject({ reason: 'KeysChanged' });
    expect(condition(failed, 'Committed').message).toContain('edith');
    expect(await isInitialized()).toBe(false);
  });

  test('when it is cancelled or late, and then takes no approval any more', async () => {
    await bench.cancel('other');
    await bench.phase('other', 'Cancelled');
    expect(await bench.approve('other', 'chief')).toMatchObject({ accepted: false });
    await bench.make('late', { ...consented, expiresAfter: '4s' });
    const expired = await bench.phase('late', 'Expired');
    expect(condition(expired, 'Expired').status).toBe('True');
    expect(await bench.approve('late', 'chief')).toMatchObject({ accepted: false });
    expect(await isInitialized()).toBe(false);
    const { entries } = await bench.evidence('late');
    expect(entries.map(({ step }) => step)).toEqual(['planned', 'expired', 'refused']);
  });
});

describe('of an initialized vault', () => {
  const shares = new Map<string, string>();
  const share = (who: string): string => shares.get(who) ?? '';
  const engineState = async (): Promise<string> =>
    (await bench.engine.call('GET', 'sys/ceremony', undefined, '')).body.state;

  beforeAll(async () => {
    await bench.make('init', initialize);
    await bench.phase('init', 'Completed');
    for (const who of custodians) shares.set(who, await bench.share('init', who));
    await bench.engine.active();
  });

  test('a witness who holds a share is refused, though another name is given', async () => {
    const wit = [{ name: 'somebody', publicKey: bench.person('grace').armored }];
    await bench.kinds.apply({
      apiVersion: 'sealedvault.io/v1alpha1',
      kind: 'RecoveryCeremony',
      metadata: { name: 'partial', namespace: VAULTS },
      spec: {
        vaultRef: { name: 'demo' },
        type: 'Drill',
        people: wit,
        witnesses: { names: ['somebody'], required: 1 },
      },
    } as KubernetesObject);
    const failed = await bench.phase('partial', 'Failed');
    expect(condition(failed, 'Committed').reason).toBe('NotSeparate');
  });

  test('the same share twice, a share for another ceremony and a stranger’s share are refused', async () => {
    await bench.make('rotate', {
      type: 'RotateRecovery',
      threshold: 2,
      custodians: ['ada', 'grace', 'chief'],
      keyTest: 'Skip',
    });
    await bench.phase('rotate', 'Collecting');
    expect((await bench.submit('rotate', share('ada'))).status).toBe(200);
    expect((await bench.submit('rotate', share('ada'))).status).toBe(400);
    expect((await bench.submit('rotate', 'ab'.repeat(33))).body.errors[0]).toContain(
      'no share of this vault',
    );
    const body = { nonce: 'x', digest: 'y', key: share('grace') };
    const elsewhere = await bench.engine.call('POST', 'sys/ceremony/another/submit', body, '');
    expect(elsewhere.status).toBe(404);
  });

  test('a second ceremony waits for the first', async () => {
    await bench.make('root', { type: 'GenerateRoot', people: ['chief'], requester: 'chief' });
    const waiting = await bench.ceremony(
      'root',
      (found) => condition(found, 'Committed').reason === 'AnotherCeremony',
    );
    expect(condition(waiting, 'Committed').message).toContain(`${VAULTS}/rotate`);
    // Whoever cancels again and again gets nothing but the end of their own ceremony.
    await bench.cancel('root');
    await bench.phase('root', 'Cancelled');
    expect(await engineState()).toBe('collecting');
  });

  test('a vault whose pod is gone is waited for', async () => {
    await bench.kinds.deletePod('demo-0');
    await bench.ceremony('rotate', (found) => condition(found, 'Committed').reason === 'VaultNotReachable');
    await bench.kinds.runPod('demo', '127.77.1.2');
    const back = await bench.ceremony('rotate', ({ status }) => status?.['progress'] === '1/2');
    expect(back.status?.phase).toBe('Collecting');
    await bench.ceremony('rotate', (found) => condition(found, 'Committed').reason === 'CollectingShares');
  });

  test('a Secret that somebody edited is not taken for a share, and not overwritten', async () => {
    const forged = Buffer.from('-----BEGIN PGP MESSAGE-----').toString('base64');
    await bench.kinds.kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'rotate-share-chief', namespace: VAULTS },
        data: { 'share.asc': forged },
      } as never,
    ]);
    expect((await bench.submit('rotate', share('grace'))).status).toBe(200);
    const failed = await bench.phase('rotate', 'Failed');
    expect(condition(failed, 'Committed').reason).toBe('SecretConflict');
    expect((await bench.kinds.get('secret/rotate-share-chief'))?.data?.['share.asc']).toBe(forged);
    await bench.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'secret', 'rotate-share-chief']);
    await bench.restartOperator();
    await bench.phase('rotate', 'Proving');
  });

  test('cancelled while new shares are proved, the old ones are in force', async () => {
    const made = await bench.share('rotate', 'ada');
    expect(await bench.receipt('rotate', 'ada', { share: made })).toMatchObject({ accepted: true });
    await bench.cancel('rotate');
    const cancelled = await bench.phase('rotate', 'Cancelled');
    expect(condition(cancelled, 'Committed').message).toContain('worthless');
    expect(await engineState()).toBe('cancelled');
    expect(await bench.receipt('rotate', 'grace', { share: made })).toMatchObject({ accepted: false });
    await bench.make('drill', { type: 'Drill' });
    await bench.phase('drill', 'Drilling');
    expect(await bench.receipt('drill', 'ada', { share: made })).toMatchObject({ accepted: false });
    const own = { share: share('ada'), suffix: '-own' };
    expect(await bench.receipt('drill', 'ada', own)).toMatchObject({ accepted: true });
  });

  test('a ceremony that is deleted lets go of the engine', async () => {
    await bench.make('gone', { type: 'GenerateRoot', people: ['chief'], requester: 'chief' });
    await bench.phase('gone', 'Collecting');
    await bench.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'recoveryceremony', 'gone']);
    expect(await engineState()).toBe('cancelled');
  });
});

test('no share is in a log, a ceremony or its evidence', async () => {
  const texts = await Promise.all(
    ['recoveryceremonies', 'ceremonyapprovals', 'sharereceipts', 'configmaps', 'events'].map((type) =>
      bench.kinds.kubectl.run(['get', type, '--all-namespaces', '--output', 'json']),
    ),
  );
  const all = [...texts, ...bench.kinds.log, ...bench.engine.logLines].join('\n');
  for (const who of custodians) expect(all.includes(await bench.share('init', who))).toBe(false);
});
