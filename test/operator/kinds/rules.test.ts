import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { type Found, KindsBench, VAULTS, vaultObject } from './support.ts';

let bench: KindsBench;

beforeAll(async () => {
  bench = await KindsBench.start();
});

afterAll(async () => {
  await bench?.close();
});

const collection = (plural: string): string => `/apis/sealedvault.io/v1alpha1/namespaces/${VAULTS}/${plural}`;
const dryRun = (plural: string, object: KubernetesObject): Promise<Found> =>
  bench.plane.api.call<Found>('POST', `${collection(plural)}?dryRun=All`, object);
const vault = (spec: object = {}, hsm: object = {}, name = 'rules'): Promise<Found> =>
  dryRun('sealedvaults', vaultObject(name, spec, hsm));
const slot = { secretKeyRef: { name: 'hsm', key: 'slot' } };
const path = '/usr/lib/softhsm/libsofthsm2.so';

function ceremonyObject(spec: object): KubernetesObject {
  return {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'RecoveryCeremony',
    metadata: { name: 'rules', namespace: VAULTS },
    spec: {
      vaultRef: { name: 'demo' },
      type: 'Initialize',
      threshold: 2,
      custodians: ['ada', 'grace', 'edith'].map((name) => ({ name, publicKey: 'key' })),
      rootToken: { encryptTo: 'ada' },
      ...spec,
    },
  };
}
const ceremony = (spec: object): Promise<Found> => dryRun('recoveryceremonies', ceremonyObject(spec));

test.each(['sealedvaults', 'recoveryceremonies', 'ceremonyapprovals', 'sharereceipts', 'drillschedules'])(
  'the definition of %s is structural and accepted',
  async (plural) => {
    const found = await bench.find(
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.sealedvault.io`,
    );
    const conditions = (found?.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`);
    expect(conditions).toContain('Established=True');
    expect(conditions).toContain('NamesAccepted=True');
    expect(conditions.filter((each) => each.startsWith('NonStructuralSchema'))).toEqual([]);
  },
);

test('defaults are put in, and unknown fields are pruned', async () => {
  const made = await vault({ colour: 'red' });
  expect(made.spec).toMatchObject({
    replicas: 1,
    deletionPolicy: 'Retain',
    logLevel: 'info',
    audit: [{ stdout: {} }],
    hsm: { placement: 'Sidecar', generateKey: false, volumes: [], library: { env: [] } },
  });
  expect(made.spec).not.toHaveProperty('colour');
});

describe('a SealedVault is refused', () => {
  test.each<[string, () => Promise<Found>]>([
    ['Exactly one of slotFrom, tokenLabel and serial', () => vault({}, { tokenLabel: 'a' })],
    ['Exactly one of slotFrom, tokenLabel and serial', () => vault({}, { slotFrom: undefined })],
    ['keyLabel or keyId must be given', () => vault({}, { keyLabel: undefined })],
    ['rsaOaepHash has no meaning', () => vault({}, { mechanism: 'CKM_AES_GCM', rsaOaepHash: 'sha256' })],
    ['replicas must be 0 or 1', () => vault({ replicas: 2 })],
    ['Exactly one of stdout and file', () => vault({ audit: [{ stdout: {}, file: { path: '/vault/a' } }] })],
    ['Exactly one of stdout and file', () => vault({ audit: [{}] })],
    [
      'Exactly one of image, persistentVolumeClaim and initContainer',
      () => vault({}, { library: { path, from: {} } }),
    ],
    [
      'Exactly one of persistentVolumeClaim, secret and configMap',
      () => vault({}, { volumes: [{ name: 'a', mountPath: '/a' }] }),
    ],
    [
      'Variables that begin with VAULT_',
      () => vault({}, { library: { path, env: [{ name: 'VAULT_HSM_PIN', value: 'x' }] } }),
    ],
    ['The name of a vault becomes part', () => vault({}, {}, '1st')],
    ['The name of a vault becomes part', () => vault({}, {}, 'a'.repeat(41))],
    ['spec.audit[0].file.path', () => vault({ audit: [{ file: { path: '/etc/a' } }] })],
    ['Unsupported value', () => vault({ deletionPolicy: 'Shred' })],
  ])('%s', async (message, create) => {
    await expect(create()).rejects.toThrow(message);
  });

  test('whose storage changes', async () => {
    await bench.apply(vaultObject('storage'));
    const other = vaultObject('storage', { storage: { lmdb: { size: '2Gi' } } });
    await expect(bench.apply(other)).rejects.toThrow('The storage of a vault cannot be changed.');
    await bench.apply(vaultObject('storage', { replicas: 0 }));
  });
});

describe('quantities are those of Kubernetes', () => {
  const claim = (size: unknown): Promise<unknown> =>
    bench.plane.api.call('POST', `/api/v1/namespaces/${VAULTS}/persistentvolumeclaims?dryRun=All`, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'quantity' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } } },
    });
  const sized = (size: unknown): Promise<unknown> => vault({ storage: { lmdb: { size } } });

  test.each(['1Gi', '1.5Gi', '1e9', '1E9', '5E', '1k', '+1Gi', '.5Gi', '1.', '100', 1_073_741_824])(
    '%j is one, as the API server itself thinks',
    async (size) => {
      await claim(size);
      await sized(size);
      await vault({ resources: { requests: { memory: size, cpu: 1 }, limits: { cpu: '500m' } } });
    },
  );

  test.each(['1ki', '1K', '1gi', '1GB', '', 'x', '1 Gi', '1e', '-1Gi', '0', 0, -1, true, '1Gi\n'])(
    '%j is none, as the API server itself thinks',
    async (size) => {
      await expect(claim(size)).rejects.toThrow();
      await expect(sized(size)).rejects.toThrow();
    },
  );
});

test('each way of naming a token is accepted', async () => {
  for (const way of [
    {},
    { slotFrom: undefined, tokenLabel: 'token' },
    { slotFrom: undefined, serial: '12ab' },
  ])
    expect((await vault({}, way)).metadata.name).toBe('rules');
  expect(
    (
      await vault(
        {},
        { slotFrom: slot, library: { path, from: { persistentVolumeClaim: { claimName: 'lib' } } } },
      )
    ).metadata.name,
  ).toBe('rules');
});

const people = ['boss', 'wit'].map((name) => ({ name, publicKey: 'key' }));
const consent = (approvers: string[], names: string[]): object => ({
  people,
  approvals: { approvers, required: 1 },
  witnesses: { names, required: 1 },
});
const root = (spec: object): object => ({
  type: 'GenerateRoot',
  threshold: undefined,
  custodians: undefined,
  rootToken: { ttl: '1h' },
  people,
  requester: 'boss',
  ...spec,
});

describe('a RecoveryCeremony is refused', () => {
  const one = [{ name: 'ada', publicKey: 'key' }];
  test.each<[string, object]>([
    ['The threshold cannot be larger', { threshold: 4 }],
    ['the threshold must be at least 2', { threshold: 1 }],
    ['Every custodian must have a name of their own', { custodians: [...one, ...one], threshold: 2 }],
    ['encryptTo must name one of the custodians', { rootToken: { encryptTo: 'mallory' } }],
    ['Exactly one of encryptTo and never', { rootToken: { encryptTo: 'ada', never: {} } }],
    ['Exactly one of encryptTo and never', { rootToken: {} }],
    ['Exactly one of publicKey and publicKeyFrom', { custodians: [{ name: 'ada' }], threshold: 1 }],
    [
      'Exactly one of configMapKeyRef and secretKeyRef',
      { custodians: [{ name: 'ada', publicKeyFrom: {} }], threshold: 1 },
    ],
    ['Unsupported value', { type: 'Guess' }],
    ['other types have neither', { type: 'Drill' }],
    ['other types have neither', { type: 'RotateRecovery', threshold: undefined, rootToken: undefined }],
    ['only GenerateRoot has rootToken', { type: 'RotateRecovery' }],
    ['GenerateRoot names the requester', root({ requester: undefined })],
    ['only GenerateRoot has rootToken', root({ rootToken: { never: {} } })],
    ['The requester must be one of', root({ requester: 'mallory' })],
    ['Every approver must be one of', consent(['mallory'], ['wit'])],
    ['a custodian cannot be a witness', consent(['boss'], ['ada'])],
    ['nobody witnesses themselves', consent(['boss'], ['boss'])],
    ['The requester cannot be a witness', { ...consent(['boss'], ['wit']), requester: 'wit' }],
    ['The requester cannot approve', { ...consent(['boss'], ['wit']), requester: 'boss' }],
    [
      'At most as many approvals',
      { ...consent(['boss'], ['wit']), approvals: { approvers: ['boss'], required: 2 } },
    ],
    ['At most as many approvals', consent(['boss', 'boss'], ['wit'])],
    ['Every person must have a name of their own', { people: [{ name: 'ada', publicKey: 'key' }] }],
    [
      'The custodians of one group reach the threshold alone',
      { custodians: ['ada', 'grace', 'edith'].map((name) => ({ name, publicKey: 'key', group: 'ops' })) },
    ],
    ['spec.expiresAfter', { expiresAfter: 'soon' }],
    ['A key test is for custodians', root({ keyTest: 'Required' })],
    ['spec.keyTest', { keyTest: 'Perhaps' }],
  ])('%s', async (message, spec) => {
    await expect(ceremony(spec)).rejects.toThrow(message);
  });

  test('when it changes', async () => {
    const named = (spec: object): KubernetesObject => ({
      ...ceremonyObject(spec),
      metadata: { name: 'kept', namespace: VAULTS },
    });
    await bench.apply(named({}));
    for (const spec of [{ threshold: 3 }, { keyTest: 'Skip' }])
      await expect(bench.apply(named(spec))).rejects.toThrow('A ceremony cannot be changed');
  });

  test('but for cancel, which cannot be taken back', async () => {
    const named = (spec: object): KubernetesObject => ({
      ...ceremonyObject(spec),
      metadata: { name: 'ended', namespace: VAULTS },
    });
    await bench.apply(named({}));
    await bench.apply(named({ cancel: true }));
    await expect(bench.apply(named({ cancel: false }))).rejects.toThrow('A cancelled ceremony stays so');
    await expect(bench.apply(named({ cancel: true, requester: 'ada' }))).rejects.toThrow('cannot be changed');
  });

  test('but not with people in roles that are apart', async () => {
    for (const spec of [consent(['boss', 'ada'], ['wit']), root({}), root({ rootToken: undefined })])
      expect((await ceremony(spec)).metadata.name).toBe('rules');
    const drill = { type: 'Drill', threshold: undefined, custodians: undefined, rootToken: undefined };
    expect((await ceremony(drill)).spec).toMatchObject({ expiresAfter: '72h', cancel: false, people: [] });
  });

  test('but not with a key test where there are custodians, or without one', async () => {
    const glass = { type: 'BreakGlass', rootToken: undefined, keyTest: 'Required' };
    for (const spec of [
      { ...consent(['boss'], ['wit']), ...glass },
      { keyTest: 'Required' },
      { keyTest: 'Skip' },
      root({ keyTest: 'Skip' }),
    ])
      expect((await ceremony(spec)).metadata.name).toBe('rules');
  });

  test('but not with one custodian and no root token', async () => {
    expect((await ceremony({ custodians: one, threshold: 1, rootToken: { never: {} } })).metadata.name).toBe(
      'rules',
    );
  });
});

describe('what people sign', () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  const object = (kind: string, spec: object, name = 'rules'): KubernetesObject => ({
    apiVersion: 'sealedvault.io/v1alpha1',
    kind,
    metadata: { name, namespace: VAULTS },
    spec: { ceremonyRef: { name: 'init' }, digest, ...spec },
  });
  const approval = (spec: object): object => ({
    person: 'boss',
    role: 'Approver',
    signature: 'sig',
    ...spec,
  });

  const answer = (spec: object): object => ({
    custodian: 'ada',
    keyTest: { answer: '0a'.repeat(32) },
    signature: 'sig',
    ...spec,
  });

  test.each<[string, string, object]>([
    ['A witness names the evidence', 'CeremonyApproval', approval({ role: 'Witness' })],
    ['A witness names the evidence', 'CeremonyApproval', approval({ evidence: digest })],
    ['Only a witness reports deviations', 'CeremonyApproval', approval({ deviations: 'rain' })],
    ['spec.digest', 'CeremonyApproval', approval({ digest: 'sha256:1' })],
    ['A receipt has a signature, a proof, or both', 'ShareReceipt', { custodian: 'ada' }],
    ['An answer to a test message', 'ShareReceipt', answer({ signature: undefined, proof: 'x' })],
    ['An answer to a test message', 'ShareReceipt', answer({ storage: 'safe 3' })],
    ['spec.keyTest.answer', 'ShareReceipt', answer({ keyTest: { answer: 'yes' } })],
    ['A drill must be over', 'DrillSchedule', { vaultRef: { name: 'demo' }, everyDays: 3, withinDays: 4 }],
  ])('is refused: %s', async (message, kind, spec) => {
    const plural = `${kind.toLowerCase()}s`;
    await expect(dryRun(plural, object(kind, spec))).rejects.toThrow(message);
  });

  test('cannot be changed', async () => {
    await bench.apply(object('CeremonyApproval', approval({}), 'kept'));
    const changed = object('CeremonyApproval', approval({ person: 'ada' }), 'kept');
    await expect(bench.apply(changed)).rejects.toThrow('What was signed cannot be changed');
    await bench.apply(object('ShareReceipt', { custodian: 'ada', proof: 'a' }, 'kept'));
    const other = object('ShareReceipt', { custodian: 'ada', proof: 'b' }, 'kept');
    await expect(bench.apply(other)).rejects.toThrow('What was signed cannot be changed');
  });
});

test('columns and scale are as kubectl expects them', async () => {
  const header = (await bench.kubectl.run(['--namespace', VAULTS, 'get', 'sv'])).split('\n')[0] ?? '';
  expect(header.split(/\s+/).filter((word) => word !== '')).toEqual([
    'NAME',
    'READY',
    'PHASE',
    'SEALED',
    'SEAL',
    'ACTIVE',
    'AGE',
  ]);
  await bench.kubectl.run(['--namespace', VAULTS, 'scale', 'sv/storage', '--replicas=1']);
  expect((await bench.get('sv/storage'))?.spec?.['replicas']).toBe(1);
  expect(await bench.kubectl.run(['--namespace', VAULTS, 'get', 'ceremony'])).toContain('THRESHOLD');
});
