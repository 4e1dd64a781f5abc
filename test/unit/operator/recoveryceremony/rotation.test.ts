import type { PrivateKey } from 'openpgp';
import { beforeAll, expect, test } from 'vitest';
import { proveShare } from '../../../../src/ceremony/share-proof.ts';
import { approvalText, possessionText } from '../../../../src/ceremony/statement.ts';
import { VaultClientError } from '../../../../src/client/errors.ts';
import { CEREMONY_APPROVAL } from '../../../../src/operator/recoveryceremony/approvals/kind.ts';
import { createRecoveryCeremonyController } from '../../../../src/operator/recoveryceremony/controller.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../../../../src/operator/recoveryceremony/kind.ts';
import { SHARE_RECEIPT } from '../../../../src/operator/recoveryceremony/receipts/kind.ts';
import type { KubeObject, ResourceType } from '../../../../src/operator/runtime/runtime.ts';
import { CONFIG_MAP, SECRET } from '../../../../src/operator/sealedvault/types.ts';
import { QuorumEngine } from './quorum-engine.ts';
import { answerKeyTest, ceremonyWorld, custodianKey, Killed, signText } from './world.ts';

const key = { namespace: 'vaults', name: 'rotate' };
const custodians = ['ada', 'grace'];
const keys = new Map<string, { publicKey: string; privateKey: PrivateKey }>();

beforeAll(async () => {
  for (const name of [...custodians, 'boss']) keys.set(name, await custodianKey(name));
});

function privateKey(name: string): PrivateKey {
  const found = keys.get(name);
  if (found === undefined) throw new Error(name);
  return found.privateKey;
}

const person = (name: string): object => ({ name, publicKey: keys.get(name)?.publicKey });

/** A vault, a ceremony, and people who do their part as soon as they can. */
class Play {
  readonly engine = new QuorumEngine();
  readonly world = ceremonyWorld('rotate', {
    type: 'RotateRecovery',
    threshold: 2,
    custodians: custodians.map(person),
    people: [person('boss')],
    approvals: { approvers: ['boss'], required: 1 },
  });

  get ceremony(): RecoveryCeremony {
    const found = this.world.read<RecoveryCeremony>(RECOVERY_CEREMONY, key);
    if (found === undefined) throw new Error('no ceremony');
    return found;
  }

  /** One reconcile of a new process; it may die. */
  async reconcile(): Promise<void> {
    const options = { ...this.world.options(), vaultClient: () => this.engine.client(this.world) };
    try {
      await createRecoveryCeremonyController(options).reconcile(key, this.world.context());
    } catch (error) {
      if (!(error instanceof Killed) && !(error as Error).message.endsWith('failed')) throw error;
    }
  }

  async people(): Promise<void> {
    const digest = this.ceremony.status?.manifestDigest;
    if (digest === undefined) return;
    const name = { ...key, uid: 'ceremony-uid', digest };
    const ceremonyRef = { name: key.name };
    const put = (type: ResourceType, who: string, spec: object): void => {
      const where = { namespace: key.namespace, name: who };
      if (this.world.read(type, where) !== undefined) return;
      const { apiVersion, kind } = type;
      this.world.put(type, { apiVersion, kind, metadata: where, spec } as KubeObject);
    };
    const signature = await signText(approvalText(name, 'boss'), privateKey('boss'));
    put(CEREMONY_APPROVAL, 'boss', { ceremonyRef, person: 'boss', role: 'Approver', digest, signature });
    for (const who of custodians) {
      const answer = await answerKeyTest(this.world, name, who, privateKey(who));
      if (answer !== undefined) put(SHARE_RECEIPT, `${who}-key-test`, answer);
    }
    await this.engine.give();
    for (const who of custodians) {
      const share = this.engine.shares.get(who);
      const secret = { namespace: key.namespace, name: `rotate-share-${who}` };
      if (share === undefined || this.world.read(SECRET, secret) === undefined) continue;
      const proof = proveShare(share, possessionText(name, who));
      put(SHARE_RECEIPT, who, { ceremonyRef, custodian: who, digest, proof });
    }
  }

  async settle(rounds = 16): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      await this.reconcile();
      await this.people();
    }
  }

  expectDone(what: string): void {
    const { status } = this.ceremony;
    expect(status?.phase, what).toBe('Completed');
    expect(this.engine.sets, what).toBe(1);
    expect(this.engine.state, what).toBe('committed');
    expect(status?.generation, what).toBe(2);
    expect(status?.custodians?.map(({ proven, delivery }) => `${proven} ${delivery}`)).toEqual([
      'true Delivered',
      'true Delivered',
    ]);
    const map = this.world.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, {
      namespace: 'vaults',
      name: 'rotate-evidence',
    });
    const { entries, proofs, attestation } = JSON.parse(map?.data['evidence.json'] ?? '');
    expect(proofs, what).toHaveLength(2);
    expect(attestation.head, what).toBe(status?.evidence?.head);
    const steps = entries.map(({ who, step }: { who: string; step: string }) => `${who} ${step}`);
    for (const step of [
      'boss approved',
      'operator key-test',
      'ada key-tested',
      'grace key-tested',
      'operator started',
      'engine shares-made',
      'engine committed',
    ])
      expect(
        steps.filter((each: string) => each === step),
        what,
      ).toHaveLength(1);
    expect(
      steps.filter((step: string) => step.endsWith(' proved')),
      what,
    ).toHaveLength(2);
    expect(this.ceremony.metadata.finalizers, what).toEqual([]);
  }
}

test('a rotation is complete when its people have done their part', async () => {
  const play = new Play();
  await play.settle();
  play.expectDone('undisturbed');
  const before = play.world.effects;
  await play.settle(3);
  expect(play.world.effects).toBe(before);
});

test('it survives the death of the operator before and after every single effect', async () => {
  const counted = new Play();
  await counted.settle();
  expect(counted.world.effects).toBeGreaterThan(20);
  for (let effect = 1; effect <= counted.world.effects; effect += 1) {
    for (const when of ['before', 'after'] as const) {
      const play = new Play();
      play.world.killAt = { effect, when };
      await play.settle();
      play.expectDone(`${when} effect ${effect}`);
    }
  }
}, 120_000);

test('an API server that fails for a long time loses nothing', async () => {
  const play = new Play();
  for (const what of ['status', 'create secrets', 'apply configmaps', 'prove', 'open'])
    play.world.failures.set(what, 5);
  await play.settle(60);
  play.expectDone('failures');
});

test('a silent engine is waited for, with the reason', async () => {
  const play = new Play();
  await play.settle(3);
  const { phase } = play.ceremony.status ?? {};
  play.engine.client = () =>
    ({
      request: async () => {
        throw new VaultClientError('connection', 'the vault cannot be reached');
      },
    }) as never;
  await play.settle(3);
  expect(play.ceremony.status?.conditions?.at(-1)?.reason).toBe('VaultNotReachable');
  expect(phase).not.toBe('Failed');
  expect(play.ceremony.status?.phase).not.toBe('Failed');
  Reflect.deleteProperty(play.engine, 'client');
  await play.settle();
  play.expectDone('silence');
});
