import type { PrivateKey } from 'openpgp';
import { beforeAll, describe, expect, test } from 'vitest';
import { createRecoveryCeremonyController } from '../../../../src/operator/recoveryceremony/controller.ts';
import { DRILL_SCHEDULE } from '../../../../src/operator/drillschedule/kind.ts';
import { RECOVERY_CEREMONY, type RecoveryCeremony } from '../../../../src/operator/recoveryceremony/kind.ts';
import { FINALIZER } from '../../../../src/operator/recoveryceremony/run.ts';
import type { KubeObject } from '../../../../src/operator/runtime/runtime.ts';
import { CONFIG_MAP, SECRET } from '../../../../src/operator/sealedvault/types.ts';
import { ceremonyWorld, custodianKey, decrypt, Killed, signingKey, type World } from './world.ts';

type SecretData = KubeObject & { data: Record<string, string> };

const names = ['ada', 'grace', 'edith'];
const key = { namespace: 'vaults', name: 'init' };
const keys = new Map<string, { publicKey: string; privateKey: PrivateKey }>();

beforeAll(async () => {
  for (const name of [...names, 'mallory']) keys.set(name, await custodianKey(name));
});

function publicKey(name: string): string {
  const found = keys.get(name);
  if (found === undefined) throw new Error(name);
  return found.publicKey;
}

function world(change: (spec: Record<string, unknown>) => void = () => {}): World {
  const spec: Record<string, unknown> = {
    type: 'Initialize',
    threshold: 2,
    custodians: [
      { name: 'ada', publicKey: publicKey('ada') },
      { name: 'grace', publicKey: publicKey('grace') },
      { name: 'edith', publicKeyFrom: { configMapKeyRef: { name: 'keys', key: 'edith' } } },
    ],
    rootToken: { encryptTo: 'ada' },
    keyTest: 'Skip',
  };
  change(spec);
  const made = ceremonyWorld('init', spec);
  made.put(CONFIG_MAP, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'keys', namespace: 'vaults' },
    data: { edith: publicKey('edith') },
  } as KubeObject);
  return made;
}

const ceremonyOf = (made: World): RecoveryCeremony => {
  const found = made.read<RecoveryCeremony>(RECOVERY_CEREMONY, key);
  if (found === undefined) throw new Error('no ceremony');
  return found;
};

/** Reconciles with a new process each time until nothing is left to do. */
async function settle(made: World, rounds = 12): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const controller = createRecoveryCeremonyController(made.options());
    const before = made.effects;
    try {
      await controller.reconcile(key, made.context());
    } catch (error) {
      if (!(error instanceof Killed) && !(error as Error).message.endsWith('failed')) throw error;
      continue;
    }
    if (made.effects === before) return;
  }
}

async function expectDelivered(made: World): Promise<void> {
  expect(made.engine.sets).toBe(1);
  for (const [index, name] of names.entries()) {
    const secret = made.read<SecretData>(SECRET, { namespace: 'vaults', name: `init-share-${name}` });
    const armored = Buffer.from(secret?.data['share.asc'] ?? '', 'base64').toString();
    const pair = keys.get(name);
    if (pair === undefined) throw new Error(name);
    expect(await decrypt(armored, pair.privateKey)).toBe(`share ${index} of set 1`);
    expect(secret?.metadata.ownerReferences).toBeUndefined();
  }
  const status = ceremonyOf(made).status;
  expect(status?.phase).toBe('Completed');
  expect(status?.delivered).toBe('3/3');
  const conditions = status?.conditions?.filter(({ type }) => type !== 'Failed');
  expect(conditions?.map(({ type, status: state }) => `${type}=${state}`)).toEqual([
    'PreflightPassed=True',
    'SharesGenerated=True',
    'Delivered=True',
    'Committed=True',
    'EvidenceSealed=True',
  ]);
  expect(ceremonyOf(made).metadata.finalizers ?? []).not.toContain(FINALIZER);
}

describe('a ceremony', () => {
  test('delivers one set of shares and the root token', async () => {
    const made = world();
    await settle(made);
    await expectDelivered(made);
    const root = made.read<SecretData>(SECRET, { namespace: 'vaults', name: 'init-root-token' });
    const ada = keys.get('ada');
    if (ada === undefined) throw new Error('ada');
    expect(
      await decrypt(Buffer.from(root?.data['root-token.asc'] ?? '', 'base64').toString(), ada.privateKey),
    ).toBe('hvs.root');
    expect(made.events).toEqual(
      expect.arrayContaining(['Normal KeysAccepted', 'Normal Delivered', 'Normal Committed']),
    );
  });

  test('is quiet when it is complete', async () => {
    const made = world();
    await settle(made);
    const before = made.effects;
    await settle(made, 3);
    expect(made.effects).toBe(before);
  });

  test('is quiet while it waits, whatever for', async () => {
    const waiting: Record<string, (made: World) => void> = {
      vault: (made) => made.objects.delete('sealedvaults/vaults/demo'),
      pod: (made) => made.objects.delete('pods/vaults/demo-0'),
      key: (made) => made.objects.delete('configmaps/vaults/keys'),
      conflict: (made) =>
        made.put(SECRET, {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { namespace: 'vaults', name: 'init-share-ada' },
        }),
    };
    for (const [what, prepare] of Object.entries(waiting)) {
      const made = world();
      prepare(made);
      await settle(made, 3);
      const before = made.read(RECOVERY_CEREMONY, key)?.metadata.resourceVersion;
      for (let times = 0; times < 3; times += 1)
        await createRecoveryCeremonyController(made.options()).reconcile(key, made.context());
      expect(made.read(RECOVERY_CEREMONY, key)?.metadata.resourceVersion, what).toBe(before);
    }
  });

  test('survives the death of the operator before and after every single effect', async () => {
    const counted = world();
    await settle(counted);
    expect(counted.effects).toBeGreaterThan(9);
    for (let effect = 1; effect <= counted.effects; effect += 1) {
      for (const when of ['before', 'after'] as const) {
        const made = world();
        made.killAt = { effect, when };
        await settle(made, 20);
        await expectDelivered(made);
      }
    }
  });

  test('survives writes of Secrets that fail', async () => {
    const made = world();
    made.failures.set('create secrets', 3);
    await settle(made);
    await expectDelivered(made);
  });

  test('asks what it asked before, although a key was replaced in between', async () => {
    const made = world();
    made.failures.set('create secrets', 1);
    await createRecoveryCeremonyController(made.options())
      .reconcile(key, made.context())
      .catch(() => undefined);
    expect(made.engine.sets).toBe(1);
    made.put(CONFIG_MAP, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'keys', namespace: 'vaults' },
      data: { edith: publicKey('mallory') },
    } as KubeObject);
    await settle(made);
    await expectDelivered(made);
  });

  test('overwrites no Secret, fails, and goes on when it was moved away', async () => {
    const made = world();
    const where = { namespace: 'vaults', name: 'init-share-grace' };
    made.put(SECRET, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: where,
      data: { 'share.asc': 'b3RoZXI=' },
    } as KubeObject);
    await settle(made);
    expect(ceremonyOf(made).status?.phase).toBe('Failed');
    expect(ceremonyOf(made).status?.conditions?.at(-1)?.reason).toBe('SecretConflict');
    expect(made.read<SecretData>(SECRET, where)?.data['share.asc']).toBe('b3RoZXI=');
    expect(ceremonyOf(made).metadata.finalizers).toContain(FINALIZER);
    made.objects.delete('secrets/vaults/init-share-grace');
    await settle(made);
    await expectDelivered(made);
  });

  test('fails when something else has initialized the vault', async () => {
    const made = world();
    const client = made.engine.client(made);
    await client.init({
      recovery_shares: 1,
      recovery_threshold: 1,
      recovery_pgp_keys: [],
      omit_root_token: true,
      ceremony_id: 'x',
    });
    await settle(made);
    expect(ceremonyOf(made).status?.phase).toBe('Failed');
    expect(ceremonyOf(made).status?.conditions?.at(-1)?.reason).toBe('VaultAlreadyInitialized');
    expect([...made.objects.keys()].filter((id) => id.includes('init-share'))).toEqual([]);
    expect(made.events).toContain('Warning VaultAlreadyInitialized');
  });

  test('waits while the vault is sealed, and delivers afterwards', async () => {
    const made = world();
    made.failures.set('create secrets', 1);
    await createRecoveryCeremonyController(made.options())
      .reconcile(key, made.context())
      .catch(() => undefined);
    made.engine.sealed = true;
    await settle(made, 3);
    expect(ceremonyOf(made).status?.phase).toBe('Initializing');
    expect(ceremonyOf(made).status?.conditions?.at(-1)?.reason).toBe('VaultSealed');
    made.engine.sealed = false;
    await settle(made);
    await expectDelivered(made);
  });

  test('refuses bad keys before anything happens, and names each', async () => {
    const made = world((spec) => {
      spec['custodians'] = [
        { name: 'ada', publicKey: publicKey('ada') },
        { name: 'grace', publicKey: publicKey('ada') },
        { name: 'edith', publicKey: 'no key' },
      ];
    });
    await settle(made);
    const { status } = ceremonyOf(made);
    expect(status?.phase).toBe('Failed');
    expect(made.engine.sets).toBe(0);
    expect(status?.custodians?.map(({ problem }) => problem !== undefined)).toEqual([true, true, true]);
    expect(made.read(CONFIG_MAP, { namespace: 'vaults', name: 'init-manifest' })).toBeUndefined();
  });

  test('asks of a key only what its owner does with it', async () => {
    const [signer, other] = [await signingKey('boss'), await signingKey('wit')];
    const people = [
      { name: 'boss', publicKey: signer },
      { name: 'wit', publicKey: other },
    ];
    const made = world((spec) => {
      spec['people'] = people;
      spec['approvals'] = { approvers: ['boss'], required: 1 };
      spec['witnesses'] = { names: ['wit'], required: 1 };
    });
    await settle(made, 3);
    expect(ceremonyOf(made).status?.phase).toBe('AwaitingApproval');
    const receives = world((spec) => {
      spec['custodians'] = [...people, { name: 'ada', publicKey: publicKey('ada') }];
    });
    await settle(receives, 3);
    expect(ceremonyOf(receives).status?.phase).toBe('Failed');
    expect(ceremonyOf(receives).status?.custodians?.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('no encryption sub-key'),
      expect.stringContaining('no encryption sub-key'),
      undefined,
    ]);
    const requester = world((spec) => {
      Object.assign(spec, { type: 'GenerateRoot', custodians: [], requester: 'boss', people });
      for (const field of ['threshold', 'rootToken', 'keyTest']) Reflect.deleteProperty(spec, field);
    });
    await settle(requester, 3);
    const committed = ceremonyOf(requester).status?.conditions?.find(({ type }) => type === 'Committed');
    expect(committed).toMatchObject({ reason: 'KeysRefused' });
    expect(committed?.message).toMatch(/boss: the key has no encryption sub-key/);
    expect(committed?.message).not.toContain('wit:');
  });

  test('warns of a key that expires before the end of the next drill', async () => {
    const short = await custodianKey('short', 30 * 86_400);
    const made = world((spec) => {
      spec['custodians'] = [
        { name: 'ada', publicKey: publicKey('ada') },
        { name: 'grace', publicKey: short.publicKey },
      ];
    });
    made.put(DRILL_SCHEDULE, {
      apiVersion: DRILL_SCHEDULE.apiVersion,
      kind: DRILL_SCHEDULE.kind,
      metadata: { name: 'drills', namespace: 'vaults' },
      spec: { vaultRef: { name: 'demo' }, everyDays: 90, withinDays: 14, suspend: false },
    } as KubeObject);
    await settle(made);
    const { status } = ceremonyOf(made);
    expect(status?.phase).toBe('Completed');
    expect(status?.custodians?.map(({ warning }) => warning?.includes('before the next drill'))).toEqual([
      undefined,
      true,
    ]);
    expect(status?.conditions?.[0]?.message).toContain('grace');
  });

  test('waits for a key that is not there yet', async () => {
    const made = world();
    made.objects.delete('configmaps/vaults/keys');
    await settle(made, 3);
    expect(ceremonyOf(made).status?.phase).toBe('Preflight');
    expect(made.engine.sets).toBe(0);
    made.put(CONFIG_MAP, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'keys', namespace: 'vaults' },
      data: { edith: publicKey('edith') },
    } as KubeObject);
    await settle(made);
    await expectDelivered(made);
  });

  test('that is deleted after the initialization still delivers first', async () => {
    const made = world();
    made.failures.set('create secrets', 1);
    await createRecoveryCeremonyController(made.options())
      .reconcile(key, made.context())
      .catch(() => undefined);
    const live = ceremonyOf(made);
    made.put(RECOVERY_CEREMONY, {
      ...live,
      metadata: { ...live.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    });
    await settle(made);
    await expectDelivered(made);
  });

  test('that is deleted before the initialization initializes nothing', async () => {
    const made = world();
    made.failures.set('init', 1);
    await createRecoveryCeremonyController(made.options())
      .reconcile(key, made.context())
      .catch(() => undefined);
    const live = ceremonyOf(made);
    expect(live.metadata.finalizers).toContain(FINALIZER);
    made.put(RECOVERY_CEREMONY, {
      ...live,
      metadata: { ...live.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    });
    await settle(made);
    expect(made.engine.sets).toBe(0);
    expect(ceremonyOf(made).metadata.finalizers).toEqual([]);
  });

  test('writes nothing that is not an OpenPGP message', async () => {
    const made = world((spec) => {
      spec['rootToken'] = { never: {} };
    });
    const real = made.options();
    const plain = {
      ...real,
      vaultClient: () =>
        ({
          initialized: async () => true,
          init: async () => ({
            status: 200,
            certificateExpires: undefined,
            body: {
              ok: true,
              recoveryKeys: names.map(() => Buffer.alloc(33, 0x85).toString('base64')),
              rootToken: '',
            },
          }),
        }) as unknown as ReturnType<typeof real.vaultClient>,
    };
    await createRecoveryCeremonyController(plain).reconcile(key, made.context());
    expect(ceremonyOf(made).status?.conditions?.at(-1)?.reason).toBe('EngineAnswerUnusable');
    expect([...made.objects.keys()].filter((id) => id.includes('init-share'))).toEqual([]);
  });
});
