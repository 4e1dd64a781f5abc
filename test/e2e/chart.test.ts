import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ApiClient, type KubernetesObject } from '../support/cluster/api.ts';
import { helmBinary } from '../support/cluster/binaries.ts';
import { attempt, run } from '../support/cluster/command.ts';
import { type ControlPlane, startControlPlane } from '../support/cluster/controlplane.ts';
import { Kubectl } from '../support/cluster/kubectl.ts';
import { projectRoot } from '../support/cluster/paths.ts';
import { toTerminal } from '../support/cluster/progress.ts';

const chart = join(projectRoot, 'charts', 'sealedvault');
const home = 'sealedvault-system';
const dir = mkdtempSync(join(tmpdir(), 'sealedvault-chart-'));

let helm: string;
let plane: ControlPlane;
let kubectl: Kubectl;

interface Rule {
  readonly apiGroups?: string[];
  readonly resources?: string[];
  readonly verbs: string[];
}

async function template(...flags: string[]): Promise<KubernetesObject[]> {
  const text = await run(helm, ['template', 'sealedvault', chart, '--namespace', home, ...flags]);
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

async function ensureNamespace(name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
}

/** What the operator's own service account may do, as the API server sees it. */
async function allowed(verb: string, resource: string, namespace?: string, group = ''): Promise<boolean> {
  const spec = {
    user: `system:serviceaccount:${home}:sealedvault`,
    resourceAttributes: { verb, resource, group, ...(namespace === undefined ? {} : { namespace }) },
  };
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const answer = await plane.api.call<{ status: { allowed: boolean } }>('POST', path, review);
  return answer.status.allowed;
}

beforeAll(async () => {
  helm = await helmBinary(toTerminal);
  plane = await startControlPlane({ dir: join(dir, 'plane') });
  kubectl = new Kubectl(plane.kubectl, plane.kubeconfigPath);
  for (const namespace of [home, 'vaults', 'other']) await ensureNamespace(namespace);
});

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('chart', () => {
  test('passes helm lint in strict mode', async () => {
    const result = await attempt(helm, ['lint', '--strict', chart]);
    expect(result.status, result.stdout + result.stderr).toBe(0);
  });

  test.each([
    ['an unknown value', 'replica=3'],
    ['an unknown watch mode', 'watch.mode=everything'],
    ['a namespace that cannot exist', 'secretNamespaces={Vaults}'],
    ['a container that may run as root', 'podSecurityContext.runAsNonRoot=false'],
    ['a digest that is none', 'image.digest=latest'],
  ])('refuses %s', async (_what, value) => {
    const result = await attempt(helm, ['template', 'sealedvault', chart, '--set', value]);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain("values don't meet the specifications of the schema");
  });

  test.each([
    ['default values', []],
    ['namespaced mode', ['--set', 'watch.mode=namespaced', '--set', 'watch.namespaces={vaults,other}']],
    ['one replica, no policies', ['--set', 'replicas=1', '--set', 'networkPolicy.enabled=false']],
  ])('is accepted by the API server: %s', async (_what, flags) => {
    const objects = await template(...flags);
    expect(objects.length).toBeGreaterThan(10);
    const lines = await kubectl.apply(objects, ['--dry-run=server']);
    expect(lines.trim().split('\n')).toHaveLength(objects.length);
  });

  test('no ClusterRole names Secrets, and none grants everything', async () => {
    const objects = [...(await template()), ...(await template('--set', 'watch.mode=namespaced'))];
    const rules = objects
      .filter((object) => object.kind === 'ClusterRole')
      .flatMap((role) => role['rules'] as Rule[]);
    expect(rules.length).toBeGreaterThan(5);
    for (const rule of rules) {
      expect(rule.resources).not.toContain('secrets');
      for (const list of [rule.resources, rule.apiGroups, rule.verbs]) expect(list).not.toContain('*');
    }
  });

  test('namespaced mode binds no ClusterRole to the operator', async () => {
    const objects = await template('--set', 'watch.mode=namespaced', '--set', 'watch.namespaces={vaults}');
    expect(objects.filter((object) => object.kind === 'ClusterRoleBinding')).toEqual([]);
  });

  test('the manifests for kustomize are what the chart renders', async () => {
    const result = await attempt(process.execPath, [join(projectRoot, 'deploy', 'generate.ts'), '--check']);
    expect(result.status, result.stdout + result.stderr).toBe(0);
    const objects = await run(plane.kubectl, ['kustomize', join(projectRoot, 'deploy', 'operator')]);
    const answer = await kubectl.run(['apply', '--server-side', '--dry-run=server', '-f', '-'], objects);
    expect(answer).toContain('deployment.apps/sealedvault');
  });
});

describe('installed chart', () => {
  beforeAll(async () => {
    const flags = ['--namespace', home, '--set', 'secretNamespaces={vaults}'];
    await run(helm, ['install', 'sealedvault', chart, ...flags, '--kubeconfig', plane.kubeconfigPath]);
  });

  test('the operator may use Secrets in the named namespaces and nowhere else', async () => {
    for (const verb of ['get', 'list', 'watch', 'create', 'patch', 'delete']) {
      expect(await allowed(verb, 'secrets', 'vaults'), verb).toBe(true);
      expect(await allowed(verb, 'secrets', home), verb).toBe(true);
      expect(await allowed(verb, 'secrets', 'other'), verb).toBe(false);
      expect(await allowed(verb, 'secrets'), verb).toBe(false);
    }
  });

  test('the operator may hold a lease in its own namespace only', async () => {
    expect(await allowed('update', 'leases', home, 'coordination.k8s.io')).toBe(true);
    expect(await allowed('update', 'leases', 'kube-system', 'coordination.k8s.io')).toBe(false);
    expect(await allowed('get', 'leases', undefined, 'coordination.k8s.io')).toBe(false);
  });

  test('the operator may neither enter pods nor widen its rights', async () => {
    expect(await allowed('create', 'pods/exec', 'vaults')).toBe(false);
    expect(await allowed('create', 'pods/attach', 'vaults')).toBe(false);
    expect(await allowed('create', 'serviceaccounts/token', 'vaults')).toBe(false);
    expect(await allowed('create', 'roles', 'vaults', 'rbac.authorization.k8s.io')).toBe(false);
    expect(await allowed('create', 'clusterrolebindings', undefined, 'rbac.authorization.k8s.io')).toBe(
      false,
    );
    expect(await allowed('impersonate', 'users')).toBe(false);
  });

  test('a token of its service account enters with these rights', async () => {
    const file = await plane.kubeconfigFor({ namespace: home, name: 'sealedvault' });
    const config = parse(readFileSync(file, 'utf8')) as { users: { user: { token: string } }[] };
    const token = config.users[0]?.user.token ?? '';
    const api = new ApiClient({ server: plane.server, authority: plane.caPem, token });
    await expect(api.call('GET', '/api/v1/namespaces/vaults/secrets')).resolves.toMatchObject({
      kind: 'SecretList',
    });
    await expect(api.call('GET', '/api/v1/secrets')).rejects.toMatchObject({ status: 403 });
  });

  test('its pods pass pod security admission at the level restricted', async () => {
    const [deployment] = (await template()).filter((object) => object.kind === 'Deployment');
    const spec = (deployment as { spec: { template: { metadata: object; spec: object } } }).spec.template;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe', namespace: home },
      spec: { ...spec.spec, serviceAccountName: 'default' },
    };
    await plane.api.apply(`/api/v1/namespaces/${home}/serviceaccounts/default`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
    });
    await expect(
      plane.api.call('POST', `/api/v1/namespaces/${home}/pods?dryRun=All`, pod),
    ).resolves.toMatchObject({ kind: 'Pod' });
    const privileged = { ...pod, spec: { ...pod.spec, hostNetwork: true } };
    await expect(
      plane.api.call('POST', `/api/v1/namespaces/${home}/pods?dryRun=All`, privileged),
    ).rejects.toMatchObject({ status: 403 });
  });

  test('the samples are accepted by the API server, which fills in the defaults', async () => {
    for (const file of ['softhsm.yaml', 'sealedvault.yaml', 'recoveryceremony.yaml']) {
      const flags = ['--namespace', 'vaults', '--server-side', '--dry-run=server', '--output', 'json'];
      const answer = await kubectl.run([
        'apply',
        ...flags,
        '--filename',
        join(projectRoot, 'deploy', 'samples', file),
      ]);
      if (file === 'sealedvault.yaml')
        expect(JSON.parse(answer)).toMatchObject({ spec: { deletionPolicy: 'Retain' } });
    }
  });

  test('an upgrade updates the custom resource definitions, and uninstalling keeps them', async () => {
    const names = readdirSync(join(projectRoot, 'crds')).filter((name) => name.endsWith('.yaml'));
    expect(names.length).toBeGreaterThan(0);
    const definition = parse(
      readFileSync(join(projectRoot, 'crds', names[0] ?? ''), 'utf8'),
    ) as KubernetesObject;
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata?.name}`;
    const columns = async (): Promise<number> => {
      const found = await plane.api.call<{ spec: { versions: { additionalPrinterColumns?: unknown[] }[] } }>(
        'GET',
        path,
      );
      return found.spec.versions[0]?.additionalPrinterColumns?.length ?? 0;
    };
    const before = await columns();
    expect(before).toBeGreaterThan(0);
    // What an older release would have left behind.
    await plane.api.call(
      'PATCH',
      path,
      [{ op: 'remove', path: '/spec/versions/0/additionalPrinterColumns' }],
      'application/json-patch+json',
    );
    expect(await columns()).not.toBe(before);
    const flags = [
      '--namespace',
      home,
      '--set',
      'secretNamespaces={vaults}',
      '--kubeconfig',
      plane.kubeconfigPath,
    ];
    await run(helm, ['upgrade', 'sealedvault', chart, ...flags, '--force-conflicts']);
    expect(await columns()).toBe(before);
    await run(helm, ['uninstall', 'sealedvault', '--namespace', home, '--kubeconfig', plane.kubeconfigPath]);
    await expect(plane.api.find(path)).resolves.toBeDefined();
    await expect(
      plane.api.find(`/apis/apps/v1/namespaces/${home}/deployments/sealedvault`),
    ).resolves.toBeUndefined();
  });
});

test('the definitions in crds/ and in the chart are the same but for the keep annotation', () => {
  expect(existsSync(join(projectRoot, 'crds'))).toBe(true);
  const shipped = readdirSync(join(chart, 'templates', 'crds')).sort();
  expect(shipped).toEqual(
    readdirSync(join(projectRoot, 'crds'))
      .filter((name) => name.endsWith('.yaml'))
      .sort(),
  );
});
