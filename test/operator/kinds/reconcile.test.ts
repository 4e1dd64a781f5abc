import { randomBytes } from 'node:crypto';
import type { PrivateKey } from 'openpgp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { custodianKey, decrypt } from '../../unit/operator/recoveryceremony/world.ts';
import { until } from '../../support/cluster/command.ts';
import { FakeEngine } from './engine.ts';
import { condition, type Found, KindsBench, OPERATOR, VAULTS, vaultObject } from './support.ts';

const people = ['ada', 'grace', 'edith'];
const pin = `canary-${randomBytes(8).toString('hex')}`;
const owned = [
  'serviceaccount/demo',
  'configmap/demo-config',
  'configmap/demo-ca',
  'secret/demo-tls',
  'service/demo-headless',
  'service/demo-active',
  'service/demo-ceremony',
  'networkpolicy/demo',
  'poddisruptionbudget/demo',
  'statefulset/demo',
];
const keys = new Map<string, { publicKey: string; privateKey: PrivateKey }>();

let bench: KindsBench;
const engine = new FakeEngine();

/** Puts slot and PIN into their Secret, as a person would. */
const putPin = (value: string): Promise<string> =>
  bench.kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hsm', namespace: VAULTS },
      stringData: { slot: '5', pin: value },
    } as never,
  ]);
const PIN_REVISION = 'sealedvault.io/pin-revision';
const pinRevision = (set: Found | undefined): string | undefined =>
  (set?.spec as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined)?.template
    ?.metadata?.annotations?.[PIN_REVISION];
async function revisionOfPin(): Promise<string> {
  const secret = await bench.get('secret/hsm');
  return `${secret?.metadata.uid}/${secret?.metadata.resourceVersion}`;
}

beforeAll(async () => {
  for (const name of people) keys.set(name, await custodianKey(name));
  bench = await KindsBench.start();
  bench.startOperator();
});

afterAll(async () => {
  await engine.stop();
  await bench?.close();
});

describe('a vault', () => {
  test('gets its objects, and says which Secret is missing', async () => {
    await bench.apply(vaultObject('demo'));
    const vault = await bench.wait(
      'sv/demo',
      (found) => condition(found, 'CredentialsAvailable').status === 'False',
    );
    expect(condition(vault, 'CredentialsAvailable')).toMatchObject({ reason: 'SecretNotFound' });
    for (const what of owned) {
      const found = await bench.wait(what, () => true);
      expect(found.metadata.ownerReferences, what).toEqual([
        expect.objectContaining({ uid: vault.metadata.uid, controller: true }),
      ]);
    }
    const authority = await bench.get('secret/vaults.demo-ca', OPERATOR);
    expect(Object.keys(authority?.data ?? {})).toContain('ca.key');
    expect(Object.keys((await bench.get('secret/demo-tls'))?.data ?? {}).sort()).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ]);
  });

  test('has its pods when the PIN is there', async () => {
    await putPin(pin);
    const set = await bench.wait('statefulset/demo', (found) => pinRevision(found) !== undefined);
    await bench.wait('sv/demo', (found) => condition(found, 'CredentialsAvailable').status === 'True');
    expect(pinRevision(set)).toBe(await revisionOfPin());
  });

  test('runs in a restricted namespace, and shows what its engine says', async () => {
    await bench.runPod('demo', '127.77.0.1');
    await engine.start('127.77.0.1', await bench.engineFiles('demo'));
    const vault = await bench.wait('sv/demo', (found) => found.status?.phase === 'Uninitialized');
    expect(condition(vault, 'Initialized')).toMatchObject({ status: 'False', reason: 'NotInitialized' });
    const pod = await bench.wait(
      'pod/demo-0',
      ({ metadata }) => metadata.labels?.['vault-initialized'] === 'false',
    );
    expect(pod.metadata.labels).toMatchObject({ 'sealedvault.io/active': 'false', 'vault-sealed': 'true' });
  });

  test('has the HSM agent started anew when the PIN changes, and keeps the pod', async () => {
    const before = await bench.wait('statefulset/demo', () => true);
    const { restarts } = engine;
    await putPin(`${pin}-2`);
    const wanted = await revisionOfPin();
    await bench.wait('pod/demo-0', ({ metadata }) => metadata.annotations?.[PIN_REVISION] === wanted);
    await bench.wait('sv/demo', () => true);
    expect(engine.restarts).toBe(restarts + 1);
    expect(pinRevision(await bench.get('statefulset/demo'))).toBe(pinRevision(before));
  });

  test.each([
    ['placement Engine', { placement: 'Engine' }],
    [
      'an init container',
      {
        library: {
          path: '/hsm/library/a.so',
          sha256: 'ab'.repeat(32),
          from: { initContainer: { image: 'vendor', command: ['cp'] } },
        },
      },
    ],
    ['an image volume', { library: { path: '/hsm/library/a.so', from: { image: { reference: 'vendor' } } } }],
  ])('with %s has a pod that the restricted level accepts', async (what, hsm) => {
    const name = `variant-${what.at(-1)}${what.length}`;
    await bench.apply(vaultObject(name, {}, hsm));
    const pod = await bench.podOf(name);
    const made = await bench.plane.api.call<Found>(
      'POST',
      `/api/v1/namespaces/${VAULTS}/pods?dryRun=All`,
      pod,
    );
    expect(made.metadata.name).toBe(`${name}-0`);
    await bench.kubectl.run(['--namespace', VAULTS, 'delete', 'sv', name]);
  });
});

describe('a ceremony', () => {
  const ceremony = (name: string): object => ({
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'RecoveryCeremony',
    metadata: { name, namespace: VAULTS },
    spec: {
      vaultRef: { name: 'demo' },
      type: 'Initialize',
      threshold: 2,
      custodians: people.map((person) => ({ name: person, publicKey: keys.get(person)?.publicKey })),
      rootToken: { encryptTo: 'ada' },
      keyTest: 'Skip',
    },
  });

  test('delivers one set, though answers are lost and the operator is replaced', async () => {
    engine.dropAnswers = 2;
    await bench.apply(ceremony('init') as never);
    await until('the first call', 20_000, async () => (engine.calls > 0 ? true : undefined));
    await bench.stopOperator();
    bench.startOperator();
    const done = await bench.wait('recoveryceremony/init', (found) => found.status?.phase === 'Completed');
    expect(engine.sets).toBe(1);
    expect(engine.calls).toBeGreaterThan(2);
    expect(condition(done, 'Committed').status).toBe('True');
    expect(done.status?.['delivered']).toBe('3/3');
    for (const [index, person] of people.entries()) {
      const secret = await bench.get(`secret/init-share-${person}`);
      const armored = Buffer.from(secret?.data?.['share.asc'] ?? '', 'base64').toString();
      const pair = keys.get(person);
      if (pair === undefined) throw new Error(person);
      expect(await decrypt(armored, pair.privateKey)).toBe(`share ${index} of set 1`);
      expect(secret?.metadata.ownerReferences).toBeUndefined();
    }
    await bench.wait('recoveryceremony/init', ({ metadata }) => (metadata.finalizers ?? []).length === 0);
  });

  test('makes the vault ready, and its pod the active one', async () => {
    const vault = await bench.wait('sv/demo', (found) => found.status?.phase === 'Ready');
    expect(vault.status).toMatchObject({
      activePod: 'demo-0',
      sealType: 'pkcs11',
      initialized: true,
      sealed: false,
    });
    await bench.wait('pod/demo-0', ({ metadata }) => metadata.labels?.['sealedvault.io/active'] === 'true');
  });

  test('of an initialized vault fails', async () => {
    await bench.apply(ceremony('again') as never);
    const failed = await bench.wait('recoveryceremony/again', (found) => found.status?.phase === 'Failed');
    expect(condition(failed, 'Committed').reason).toBe('VaultAlreadyInitialized');
    expect(engine.sets).toBe(1);
  });
});

describe('a settled vault', () => {
  test('is written to no more', async () => {
    const versions = async (): Promise<Record<string, string | undefined>> => {
      const entries = await Promise.all(
        [...owned, 'sv/demo', 'pod/demo-0', 'recoveryceremony/init'].map(
          async (what) => [what, (await bench.get(what))?.metadata.resourceVersion] as const,
        ),
      );
      return Object.fromEntries(entries);
    };
    const before = await versions();
    await new Promise((resolve) => setTimeout(resolve, 35_000));
    expect(await versions()).toEqual(before);
  });

  test('tells what its HSM lacks, and a silent engine makes it no worse', async () => {
    engine.sealed = true;
    engine.warnings = ['the PIN is wrong: put the right one into the Secret'];
    const sealed = await bench.wait(
      'sv/demo',
      (found) => condition(found, 'HSMReachable').status === 'False',
      60_000,
    );
    expect(sealed.status?.phase).toBe('Sealed');
    await engine.stop();
    const silent = await bench.wait(
      'sv/demo',
      (found) => condition(found, 'Ready').reason === 'Unreachable',
      60_000,
    );
    expect(silent.status).toMatchObject({ initialized: true, phase: 'Degraded' });
    expect((await bench.get('pod/demo-0'))?.metadata.labels?.['vault-sealed']).toBe('true');
  });

  test('gives back what was changed or deleted', async () => {
    await bench.kubectl.run(['--namespace', VAULTS, 'delete', 'service/demo-active', 'secret/demo-tls']);
    await bench.wait('service/demo-active', () => true);
    await bench.wait('secret/demo-tls', () => true);
    await bench.kubectl.run([
      '--namespace',
      VAULTS,
      'patch',
      'statefulset/demo',
      '--patch',
      '{"spec":{"replicas":0}}',
    ]);
    await bench.wait('statefulset/demo', ({ spec }) => spec?.['replicas'] === 1);
  });
});

describe('the end of a vault', () => {
  const claim = (vault: string): object => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `data-${vault}-0`,
      namespace: VAULTS,
      labels: { 'app.kubernetes.io/name': 'sealedvault', 'sealedvault.io/vault': vault },
    },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });

  test('keeps its volume by default', async () => {
    await bench.kubectl.apply([claim('demo') as never]);
    await bench.kubectl.run(['--namespace', VAULTS, 'delete', 'sv/demo']);
    expect(await bench.get('sv/demo')).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const left = await bench.get('persistentvolumeclaim/data-demo-0');
    expect(left).toBeDefined();
    expect(left?.metadata).not.toHaveProperty('deletionTimestamp');
  });

  test('with deletionPolicy Delete takes pods, then volume and authority with it', async () => {
    await bench.apply(vaultObject('gone', { deletionPolicy: 'Delete' }));
    await bench.wait(
      'sv/gone',
      ({ metadata }) => metadata.finalizers?.includes('sealedvault.io/data') === true,
    );
    await bench.runPod('gone', '127.77.0.2');
    await bench.kubectl.apply([claim('gone') as never]);
    await bench.kubectl.run(['--namespace', VAULTS, 'delete', 'sv/gone', '--wait=false']);
    await until('no StatefulSet', 20_000, async () =>
      (await bench.get('statefulset/gone')) === undefined ? true : undefined,
    );
    const volume = await bench.get('persistentvolumeclaim/data-gone-0');
    expect(volume?.metadata).not.toHaveProperty('deletionTimestamp');
    expect((await bench.get('sv/gone'))?.status?.phase).toBe('Deleting');
    await bench.deletePod('gone-0');
    await bench.wait('persistentvolumeclaim/data-gone-0', ({ metadata }) => 'deletionTimestamp' in metadata);
    // The controller that protects volumes in use is not here.
    await bench.kubectl.run([
      '--namespace',
      VAULTS,
      'patch',
      'pvc/data-gone-0',
      '--type=merge',
      '--patch',
      '{"metadata":{"finalizers":null}}',
    ]);
    await until('no vault', 20_000, async () =>
      (await bench.get('sv/gone')) === undefined ? true : undefined,
    );
    expect(await bench.get('secret/vaults.gone-ca', OPERATOR)).toBeUndefined();
    expect(await bench.get('secret/vaults.demo-ca', OPERATOR)).toBeDefined();
  });
});

test('the PIN stands in no object but its Secret, and in no line of the log', async () => {
  const types = (await bench.kubectl.run(['api-resources', '--namespaced', '--verbs=list', '--output=name']))
    .trim()
    .split('\n');
  expect(types.length).toBeGreaterThan(10);
  for (const namespace of [VAULTS, OPERATOR]) {
    for (const type of types) {
      const text = await bench.kubectl.run(['--namespace', namespace, 'get', type, '--output', 'json']);
      const others =
        type === 'secrets'
          ? JSON.stringify(
              (JSON.parse(text) as { items: Found[] }).items.filter(
                ({ metadata }) => metadata.name !== 'hsm',
              ),
            )
          : text;
      for (const form of [pin, Buffer.from(pin).toString('base64').slice(0, 20)])
        expect(others.includes(form), `${namespace}: ${type}`).toBe(false);
    }
  }
  expect(bench.log.length).toBeGreaterThan(0);
  expect(bench.log.some((line) => line.includes(pin))).toBe(false);
});
