import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeToken, SOFTHSM, type TestToken } from '../../seal/support.ts';
import { TestEngine } from '../../api/support/engine.ts';
import { vaultObject } from '../kinds/support.ts';
import { CeremonyBench, condition, type Found, VAULTS } from './support.ts';

/**
 * A vault goes to another HSM because its specification says so and people agree. The engine is real, with two SoftHSM
 * stores; what a kubelet does with a new pod, the test does with the engine.
 */
const custodians = ['ada', 'grace', 'edith'];
const shares: string[] = [];
let bench: CeremonyBench;
let next: TestToken;

beforeAll(async () => {
  next = makeToken('canary-pin-of-next', 'next');
  bench = await CeremonyBench.start('127.77.6.1', [...custodians, 'boss']);
  await bench.make('init', {
    type: 'Initialize',
    threshold: 2,
    custodians,
    keyTest: 'Skip',
    rootToken: { encryptTo: 'ada' },
  });
  await bench.phase('init', 'Completed');
  for (const who of custodians) shares.push(await bench.share('init', who));
  bench.engine.root = await bench.open('init-root-token', 'root-token.asc', 'ada');
  await bench.engine.active();
  await bench.engine.call('POST', 'sys/mounts/kv', { type: 'kv', seal_wrap: true });
  await bench.engine.call('PUT', 'kv/a', { value: 'canary-value' });
});

afterAll(async () => {
  const log = bench.kinds.log.join('');
  for (const canary of [next.pin, bench.engine.token.pin, bench.engine.root, ...shares])
    expect(log).not.toContain(canary);
  await bench?.close();
  next?.[Symbol.dispose]();
});

interface Rendered {
  readonly migrate_by_ceremony?: boolean;
  readonly seal: object;
}

async function rendered(wanted: (config: Rendered) => boolean): Promise<Rendered> {
  const parse = (map: Found): Rendered => JSON.parse(map.data?.['engine.json'] ?? '{}') as Rendered;
  return parse(await bench.kinds.wait('configmap/demo-config', (map) => wanted(parse(map))));
}

const oldBlock = (more: object): object => ({
  pkcs11: { lib: SOFTHSM, token_label: bench.engine.token.label, key_label: 'root', ...more },
});
const nextBlock = (more: object): object => ({
  pkcs11: { lib: SOFTHSM, token_label: next.label, key_label: 'root', generate_key: 'true', ...more },
});
const onlyNextEnv = (): Record<string, string> => ({ SOFTHSM2_CONF: next.conf, VAULT_HSM_PIN: next.pin });
const nextEnv = (): Record<string, string> => ({
  SOFTHSM2_CONF_next: next.conf,
  VAULT_HSM_PIN_next: next.pin,
});

/** The pod is replaced by one that reaches both HSMs, as the operator asked for. */
async function podWithBoth(): Promise<void> {
  const { seal } = await rendered((config) => config.migrate_by_ceremony === true);
  expect(seal).toMatchObject([
    { pkcs11: { name: 'next', agent_address: 'unix:///run/hsm-next/private/agent.sock' } },
    { pkcs11: { name: 'in-force', disabled: 'true', agent_address: 'unix:///run/hsm/private/agent.sock' } },
  ]);
  await bench.engine.reconfigure(
    {
      ...bench.edge,
      migrate_by_ceremony: true,
      seal: [nextBlock({ name: 'next' }), oldBlock({ name: 'in-force', disabled: 'true' })],
    },
    nextEnv(),
  );
  await bench.engine.active();
}

async function podWithOne(seal: object, env: Record<string, string> = {}): Promise<void> {
  await rendered((config) => config.migrate_by_ceremony === undefined);
  await bench.engine.reconfigure({ ...bench.edge, seal }, env);
  await bench.engine.active();
}

interface Container {
  readonly name: string;
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string } };
  }[];
}

async function template(): Promise<{ readonly initContainers: readonly Container[] }> {
  const set = await bench.kinds.wait('statefulset/demo', () => true);
  return (set.spec as { template: { spec: { initContainers: Container[] } } }).template.spec;
}

const pinSecret = (container: Container | undefined): string | undefined =>
  container?.env.find(({ name }) => name === 'VAULT_HSM_PIN')?.valueFrom?.secretKeyRef.name;
const names = (containers: readonly Container[]): string[] => containers.map(({ name }) => name);
const value = async (): Promise<unknown> => (await bench.engine.call('GET', 'kv/a')).body.data?.value;
const vault = (wanted: (found: Found) => boolean): Promise<Found> =>
  bench.kinds.wait('sealedvault/demo', wanted);
const move = (name: string, more: object = {}): Promise<void> =>
  bench.make(name, {
    type: 'SealMigration',
    people: ['boss'],
    approvals: { approvers: ['boss'], required: 1 },
    ...more,
  });

test('there is nothing to migrate while the vault is under the HSM of its specification', async () => {
  await move('early');
  const waiting = await bench.ceremony(
    'early',
    (found) => condition(found, 'Committed').reason === 'NothingToMigrate',
  );
  expect(waiting.status?.['manifestDigest']).toBeUndefined();
  await bench.cancel('early');
  await bench.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'recoveryceremony', 'early']);
});

test('another HSM in the specification changes nothing by itself', async () => {
  const before = await template();
  await bench.kinds.apply(
    vaultObject('demo', {}, { name: 'second', pinFrom: { secretKeyRef: { name: 'hsm-next', key: 'pin' } } }),
  );
  const told = await vault((found) => condition(found, 'SealAsSpecified').status === 'False');
  expect(condition(told, 'SealAsSpecified')).toMatchObject({ reason: 'SealMigrationNeeded' });
  expect(condition(told, 'SealAsSpecified').message).toContain('RecoveryCeremony of type SealMigration');
  expect(await template()).toEqual(before);
  expect(condition(told, 'CredentialsAvailable').status).toBe('True');
});

test('it takes approvals, and has nothing of what makes shares', async () => {
  await expect(move('bad-1', { approvals: undefined })).rejects.toThrow(/it needs approvals/);
  await expect(move('bad-2', { type: 'Drill', sealMigration: { dryRun: true } })).rejects.toThrow(
    /belongs to the type SealMigration/,
  );
  await expect(move('bad-3', { threshold: 1 })).rejects.toThrow(/other types have neither/);
});

test('pods stay as they are until the Secrets of the other HSM are there', async () => {
  await move('dry', { sealMigration: { dryRun: true } });
  await bench.phase('dry', 'AwaitingApproval');
  const before = await template();
  expect(await bench.approve('dry', 'boss')).toMatchObject({ accepted: true });
  await bench.phase('dry', 'ProvingSeals');
  const told = await vault((found) => condition(found, 'CredentialsAvailable').status === 'False');
  expect(condition(told, 'CredentialsAvailable').message).toContain('hsm-next');
  expect(condition(told, 'SealAsSpecified').reason).toBe('SealMigrating');
  expect(await template()).toEqual(before);
  await bench.kinds.kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hsm-next', namespace: VAULTS },
      stringData: { pin: 'not the one' },
    } as never,
  ]);
});

test('a dry run lets both prove themselves, and goes back', async () => {
  await rendered((config) => config.migrate_by_ceremony === true);
  const both = await template();
  expect(names(both.initContainers)).toEqual(['hsm-agent', 'next-hsm-agent']);
  const [, agent] = both.initContainers;
  expect(pinSecret(agent)).toBe('hsm-next');
  const stuck = await bench.phase('dry', 'ProvingSeals');
  expect(condition(stuck, 'Committed')).toMatchObject({ reason: 'ProvingSeals' });
  await podWithBoth();
  // Its key is not made for a rehearsal.
  const lacking = await bench.ceremony('dry', (found) =>
    condition(found, 'Committed').message.includes('the new seal'),
  );
  expect(condition(lacking, 'SealsProven').status).toBe('False');
  // Somebody makes it on the HSM.
  const maker = await TestEngine.start();
  await maker.reconfigure({ seal: nextBlock({}) }, onlyNextEnv());
  expect((await maker.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 })).status).toBe(
    200,
  );
  await maker.stop();
  const done = await bench.phase('dry', 'Completed');
  expect(condition(done, 'SealsProven').status).toBe('True');
  expect(await bench.steps('dry')).toEqual([
    'operator planned',
    'boss approved',
    'operator started',
    'engine seals-proven',
    'engine committed',
  ]);
  await podWithOne(oldBlock({}));
  expect(names((await template()).initContainers)).toEqual(['hsm-agent']);
  expect(await value()).toBe('canary-value');
});

test('a quorum of the holders moves it, and its pods forget the old HSM', async () => {
  await move('to-next');
  await bench.phase('to-next', 'AwaitingApproval');
  await bench.approve('to-next', 'boss');
  await bench.phase('to-next', 'ProvingSeals');
  await podWithBoth();
  await bench.phase('to-next', 'Collecting');
  await bench.restartOperator();
  expect((await bench.submit('to-next', shares[0] ?? '')).status).toBe(200);
  expect(await value()).toBe('canary-value');
  expect((await bench.submit('to-next', shares[2] ?? '')).body).toMatchObject({ state: 'committed' });
  const done = await bench.phase('to-next', 'Completed');
  expect(condition(done, 'Committed').status).toBe('True');
  expect(condition(done, 'Delivered').status).toBe('absent');
  expect(await bench.steps('to-next')).toEqual([
    'operator planned',
    'boss approved',
    'operator started',
    'engine seals-proven',
    'ada share-given',
    'edith share-given',
    'engine committed',
  ]);
  const { manifest } = await bench.evidence('to-next');
  expect(manifest.sealMigration).toMatchObject({ to: { name: 'second' }, from: { slotFrom: {} } });
  await podWithOne(nextBlock({ generate_key: 'false' }), onlyNextEnv());
  expect(await value()).toBe('canary-value');
  const told = await vault((found) => condition(found, 'SealAsSpecified').status === 'True');
  expect(condition(told, 'SealAsSpecified').reason).toBe('SpecifiedHSM');
  const pod = await template();
  expect(names(pod.initContainers)).toEqual(['hsm-agent']);
  expect(pinSecret(pod.initContainers[0])).toBe('hsm-next');
});

test('what is not about the token follows the specification at once', async () => {
  await bench.kinds.apply(
    vaultObject(
      'demo',
      {},
      {
        name: 'second',
        keyLabel: 'root-2',
        pinFrom: { secretKeyRef: { name: 'hsm-next', key: 'pin' } },
      },
    ),
  );
  const map = await bench.kinds.wait('configmap/demo-config', (found) =>
    (found.data?.['agent.json'] ?? '').includes('root-2'),
  );
  expect(map.data?.['engine.json']).not.toContain('migrate_by_ceremony');
});

test('a ceremony that is cancelled lets the pods go back, also when they never came up', async () => {
  await bench.kinds.apply(vaultObject('demo', {}, { name: 'third' }));
  await vault((found) => condition(found, 'SealAsSpecified').reason === 'SealMigrationNeeded');
  await move('to-third');
  await bench.phase('to-third', 'AwaitingApproval');
  await bench.approve('to-third', 'boss');
  await rendered((config) => config.migrate_by_ceremony === true);
  await bench.kinds.deletePod('demo-0');
  await bench.cancel('to-third');
  await bench.phase('to-third', 'Cancelled');
  await rendered((config) => config.migrate_by_ceremony === undefined);
  const told = await vault((found) => condition(found, 'SealAsSpecified').reason === 'SealMigrationNeeded');
  expect(condition(told, 'SealAsSpecified').status).toBe('False');
  expect(names((await template()).initContainers)).toEqual(['hsm-agent']);
});
