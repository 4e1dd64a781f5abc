import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { namespaces } from '../../../deploy/demo/names.ts';
import { withoutDefinitions, writeOverlay } from '../../../deploy/demo/overlay.ts';
import { kinds } from '../../../src/operator/kinds.ts';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import { KindsBench, VAULTS, vaultObject } from './support.ts';

/** What a newcomer types, on a real API server. */
let bench: KindsBench;
const samples = join(projectRoot, 'deploy', 'samples');
const kubectl = (...args: string[]): Promise<string> => bench.kubectl.run(['--namespace', VAULTS, ...args]);

beforeAll(async () => {
  bench = await KindsBench.start();
  const role = readFileSync(join(projectRoot, 'deploy/operator/clusterrole-sealedvault-person.yaml'), 'utf8');
  await bench.kubectl.apply([parse(role) as KubernetesObject]);
  await kubectl('create', 'rolebinding', 'people', '--clusterrole=sealedvault-person', '--user=ada');
});

afterAll(async () => {
  await bench?.close();
});

describe('kubectl', () => {
  test.each(['get', 'describe', 'delete'])('%s sealedvault NAME means the one vault', async (verb) => {
    await bench.apply(vaultObject('one'));
    expect(await kubectl(verb, 'sealedvault', 'one')).toContain('one');
  });

  test('patch, scale and label sealedvault NAME', async () => {
    await bench.apply(vaultObject('two'));
    await kubectl('patch', 'sealedvault', 'two', '--type=merge', '--patch', '{"spec":{"logLevel":"debug"}}');
    await kubectl('scale', 'sealedvault', 'two', '--replicas=0');
    await kubectl('label', 'sealedvault', 'two', 'colour=red');
    expect((await bench.get('sealedvault/two'))?.spec).toMatchObject({ logLevel: 'debug', replicas: 0 });
  });

  test('no category is a name of any type that the API server has', async () => {
    const resources = await types();
    const names = resources.flatMap(({ name, singularName, shortNames, kind }) => [
      name,
      singularName,
      kind.toLowerCase(),
      ...(shortNames ?? []),
    ]);
    const categories = new Set(resources.flatMap((each) => each.categories ?? []));
    expect(categories).toContain('sealedvault-all');
    expect([...categories].filter((category) => names.includes(category))).toEqual([]);
  });

  test('delete sealedvault --all takes no ceremony along', async () => {
    await bench.apply(vaultObject('three'));
    await kubectl('apply', '-f', join(samples, 'drill'));
    await kubectl('delete', 'sealedvault', '--all');
    expect(await kubectl('get', 'sealedvault-all', '-o', 'name')).toBe(
      'recoveryceremony.sealedvault.io/demo-drill\n',
    );
    await kubectl('delete', '-f', join(samples, 'drill'));
  });

  test.each(kinds.map(({ type }) => type.plural))('explain %s describes its fields', async (plural) => {
    const told = await kubectl('explain', `${plural}.spec`, '--recursive=false');
    expect(told).not.toContain('<no description>');
  });
});

describe('the samples', () => {
  test('of the folder itself start one ceremony', async () => {
    await kubectl('apply', '-f', samples);
    expect(await kubectl('get', 'recoveryceremonies', '-o', 'name')).toBe(
      'recoveryceremony.sealedvault.io/demo-init\n',
    );
  });

  test('of every folder are accepted', async () => {
    const folders = readdirSync(samples, { withFileTypes: true }).filter((each) => each.isDirectory());
    expect(folders.length).toBeGreaterThan(5);
    for (const { name } of folders) await kubectl('apply', '--dry-run=server', '-f', join(samples, name));
  });
});

interface ApiType {
  readonly name: string;
  readonly singularName: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly group: string;
}

/** Every type that the API server has, sub-resources included. */
async function types(): Promise<ApiType[]> {
  const { groups } = await bench.plane.api.call<{ groups: { preferredVersion: { groupVersion: string } }[] }>(
    'GET',
    '/apis',
  );
  const roots = ['api/v1', ...groups.map(({ preferredVersion }) => `apis/${preferredVersion.groupVersion}`)];
  const lists = roots.map(async (path) => {
    const { resources } = await bench.plane.api.call<{ resources: ApiType[] }>('GET', `/${path}`);
    return resources.map((each) => ({ ...each, group: path === 'api/v1' ? '' : (path.split('/')[1] ?? '') }));
  });
  return (await Promise.all(lists)).flat();
}

describe('a person with the role sealedvault-person alone', () => {
  const mayDo = async (attributes: object): Promise<boolean> => {
    const review = await bench.plane.api.call<{ status: { allowed: boolean } }>(
      'POST',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user: 'ada', groups: ['system:authenticated'], resourceAttributes: attributes },
      },
    );
    return review.status.allowed;
  };
  const read = ['get', 'list', 'watch'];
  const allowed = new Map([
    ['sealedvault.io/sealedvaults', read],
    ['sealedvault.io/recoveryceremonies', read],
    ['sealedvault.io/drillschedules', read],
    ['sealedvault.io/ceremonyapprovals', [...read, 'create']],
    ['sealedvault.io/sharereceipts', [...read, 'create']],
    ['/configmaps', ['get']],
  ]);

  test('may do what is listed, and nothing else with any type', async () => {
    const verbs =
      'get list watch create update patch delete deletecollection bind escalate impersonate approve'.split(
        ' ',
      );
    const found = new Map<string, string[]>();
    for (const { group, name } of await types()) {
      // What every authenticated user may ask of the API server about themselves.
      if (['authorization.k8s.io', 'authentication.k8s.io'].includes(group)) continue;
      const [resource = '', subresource = ''] = name.split('/');
      const asked = verbs.map(async (verb) => {
        const attributes = { namespace: VAULTS, group, resource, subresource, verb };
        return (await mayDo(attributes)) ? [verb] : [];
      });
      const may = (await Promise.all(asked)).flat();
      if (may.length > 0) found.set(`${group}/${name}`, may);
    }
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(allowed));
  });

  test('may do nothing of it in another namespace', async () => {
    for (const [type, verbs] of allowed)
      for (const verb of verbs) {
        const [group, resource] = type.split('/');
        expect(await mayDo({ namespace: 'default', group, resource, verb }), type).toBe(false);
      }
  });

  test('reads one Secret by its name with the Role of the guide, and no other', async () => {
    const as = ['--as=ada', 'get', 'secret'];
    for (const who of ['ada', 'grace'])
      await kubectl('create', 'secret', 'generic', `demo-init-share-${who}`, '--from-literal=share.asc=x');
    await expect(kubectl(...as, 'demo-init-share-ada')).rejects.toThrow('forbidden');
    const name = 'demo-init-share-ada';
    await kubectl('create', 'role', name, '--verb=get', '--resource=secrets', `--resource-name=${name}`);
    await kubectl('create', 'rolebinding', name, `--role=${name}`, '--user=ada');
    expect(await kubectl(...as, name)).toContain(name);
    await expect(kubectl(...as, 'demo-init-share-grace')).rejects.toThrow('forbidden');
    await expect(kubectl(...as)).rejects.toThrow('forbidden');
  });
});

// At the end: what it removes, the role of people too, is not needed any more.
test('the operator is installed by kubectl alone, with an image and a namespace of one’s own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealedvault-overlay-'));
  writeOverlay(folder, 'registry.example.org:5000/team/sealedvault:7.8');
  for (const name of Object.values(namespaces))
    await bench.kubectl
      .run(['create', 'namespace', name, '--dry-run=client', '-o', 'yaml'])
      .then((text) => bench.kubectl.run(['apply', '-f', '-'], text));
  await bench.kubectl.run(['apply', '--server-side', '--force-conflicts', '--kustomize', folder]);
  const deployment = await bench.get('deployment/sealedvault', namespaces.operator);
  const text = JSON.stringify(deployment?.spec);
  expect(text).toContain('"image":"registry.example.org:5000/team/sealedvault:7.8"');
  expect(text).toContain('"value":"registry.example.org:5000/team/sealedvault:7.8"');
  expect(text).not.toContain('localhost/sealedvault');
  const can = [
    'auth',
    'can-i',
    'list',
    'secrets',
    '--as=system:serviceaccount:sealedvault-system:sealedvault',
  ];
  expect(await bench.kubectl.run([...can, '--namespace', namespaces.vault])).toContain('yes');
  await expect(bench.kubectl.run([...can, '--namespace', 'default'])).rejects.toThrow();
  await bench.kubectl.run([
    'delete',
    ...withoutDefinitions().flatMap((file) => ['-f', file]),
    '--wait=false',
  ]);
  rmSync(folder, { recursive: true, force: true });
});
