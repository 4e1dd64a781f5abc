import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { until } from '../../support/cluster/command.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import { KindsBench, OPERATOR, VAULTS } from '../kinds/support.ts';

const operator = `system:serviceaccount:${OPERATOR}:sealedvault`;
const digest = `sha256:${'ab'.repeat(32)}`;
let bench: KindsBench;

/** As somebody with the chart's role for the people of ceremonies, or as the operator. */
const as = (user: string, args: readonly string[], input?: object): Promise<string> =>
  bench.kubectl.run(
    [...args, '--as', user, '--namespace', VAULTS],
    input === undefined ? undefined : JSON.stringify(input),
  );
const create = (user: string, object: object): Promise<string> =>
  as(user, ['create', '--filename', '-'], object);

const approval = (name: string, spec: object): object => ({
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'CeremonyApproval',
  metadata: { name, namespace: VAULTS },
  spec: { ceremonyRef: { name: 'init' }, person: 'ada', role: 'Approver', digest, signature: 'x', ...spec },
});

const evidence = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: VAULTS, labels: { 'sealedvault.io/ceremony': 'init' } },
  data: { 'evidence.json': '{}' },
});

beforeAll(async () => {
  bench = await KindsBench.start();
  const folder = join(projectRoot, 'deploy', 'operator');
  const wanted = /^(validatingadmission|clusterrole-sealedvault(-person)?\.yaml)/;
  const files = readdirSync(folder).filter((name) => wanted.test(name));
  expect(files.length).toBeGreaterThanOrEqual(8);
  await bench.kubectl.apply(
    files.map((name) => parse(readFileSync(join(folder, name), 'utf8')) as KubernetesObject) as never,
  );
  const bind = (name: string, role: string, users: string[]): object => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name, namespace: VAULTS },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: users.map((user) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user })),
  });
  await bench.kubectl.apply([
    bind('people', 'sealedvault-person', ['ada', 'grace']),
    bind('operator', 'sealedvault', [operator]),
  ] as never);
  // A policy takes effect some moments after it is there.
  await until('the policies', 30_000, async () => {
    const said = await create('ada', approval('probe', { username: 'grace' })).catch(
      (error: Error) => error.message,
    );
    if (said.includes('your own user name')) return true;
    await bench.kubectl.run(['delete', 'ceremonyapproval', 'probe', '--namespace', VAULTS]).catch(() => '');
    return undefined;
  });
});

afterAll(async () => {
  await bench?.close();
});

test('nobody names another as the maker of what was signed', async () => {
  await expect(create('ada', approval('a', { username: 'grace' }))).rejects.toThrow(
    'your own user name, ada',
  );
  await create('ada', approval('a', { username: 'ada' }));
  await create('grace', approval('b', {}));
  const receipt = {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'ShareReceipt',
    metadata: { name: 'r', namespace: VAULTS },
    spec: { ceremonyRef: { name: 'init' }, custodian: 'ada', username: 'ada', digest, proof: 'x' },
  };
  await expect(create('grace', receipt)).rejects.toThrow('your own user name, grace');
});

test('people make approvals, and neither change nor delete them, nor start a ceremony', async () => {
  const patch = ['patch', 'ceremonyapproval', 'a', '--type=merge', '--patch', '{"spec":{"role":"Witness"}}'];
  await expect(as('ada', patch)).rejects.toThrow('Forbidden');
  await expect(as('ada', ['delete', 'ceremonyapproval', 'a'])).rejects.toThrow('Forbidden');
  await expect(bench.kubectl.run([...patch, '--namespace', VAULTS])).rejects.toThrow('cannot be changed');
  expect(
    (await as('ada', ['get', 'ceremony']).catch((error: Error) => error.message)).includes('Forbidden'),
  ).toBe(false);
});

test('only the operator says what was accepted', async () => {
  const patch = [
    'patch',
    'ceremonyapproval',
    'a',
    '--subresource=status',
    '--type=merge',
    '--patch',
    '{"status":{"accepted":true,"message":"x"}}',
  ];
  // Not even whoever may do everything in the cluster.
  await expect(bench.kubectl.run([...patch, '--namespace', VAULTS])).rejects.toThrow(
    'Only the operator writes the status',
  );
  await as(operator, patch);
  expect((await bench.get('ceremonyapproval/a'))?.status?.['accepted']).toBe(true);
});

test('only the operator writes the plan and the evidence of a ceremony', async () => {
  await expect(bench.kubectl.apply([evidence('forged')] as never)).rejects.toThrow(
    'Only the operator writes',
  );
  await create(operator, evidence('init-evidence'));
  const seal = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'demo-seal', namespace: VAULTS, labels: { 'sealedvault.io/seal': 'demo' } },
  };
  await expect(bench.kubectl.apply([seal] as never)).rejects.toThrow('under which HSM a vault is');
  await create(operator, seal);
  const patch = ['patch', 'configmap', 'init-evidence', '--type=merge', '--namespace', VAULTS, '--patch'];
  await expect(bench.kubectl.run([...patch, '{"data":{"evidence.json":"x"}}'])).rejects.toThrow(
    'Only the operator writes',
  );
  // Taking the label away is writing it, too.
  await expect(bench.kubectl.run([...patch, '{"metadata":{"labels":null}}'])).rejects.toThrow(
    'Only the operator writes',
  );
});

test('the operator may make drills, and nothing that people sign', async () => {
  const drill = {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'RecoveryCeremony',
    metadata: { name: 'drill', namespace: VAULTS },
    spec: { vaultRef: { name: 'demo' }, type: 'Drill' },
  };
  await create(operator, drill);
  await expect(create('ada', { ...drill, metadata: { name: 'mine', namespace: VAULTS } })).rejects.toThrow(
    'Forbidden',
  );
  await expect(create(operator, approval('made-up', {}))).rejects.toThrow('Forbidden');
});
