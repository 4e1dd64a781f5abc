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

test.each(['sealedvaults', 'recoveryceremonies'])(
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
  ])('%s', async (message, spec) => {
    await expect(ceremony(spec)).rejects.toThrow(message);
  });

  test('when it changes', async () => {
    const named = (spec: object): KubernetesObject => ({
      ...ceremonyObject(spec),
      metadata: { name: 'kept', namespace: VAULTS },
    });
    await bench.apply(named({}));
    await expect(bench.apply(named({ threshold: 3 }))).rejects.toThrow('A ceremony cannot be changed');
  });

  test('but not with one custodian and no root token', async () => {
    expect((await ceremony({ custodians: one, threshold: 1, rootToken: { never: {} } })).metadata.name).toBe(
      'rules',
    );
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
