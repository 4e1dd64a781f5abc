import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import { projectRoot } from '../../test/support/cluster/paths.ts';
import { namespaces } from './names.ts';

const base = join(projectRoot, 'deploy', 'operator');
const plain = 'localhost/sealedvault:0.1.0';

/**
 * Writes an overlay of `deploy/operator`, as a user would: another image, and a namespace whose Secrets may be read.
 * @param folder Where the overlay is written.
 * @param image Image of the operator and the vault.
 */
export function writeOverlay(folder: string, image: string): void {
  mkdirSync(folder, { recursive: true });
  const at = image.lastIndexOf(':');
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(folder, base), 'secrets.yaml'],
    images: [
      {
        name: plain.slice(0, plain.lastIndexOf(':')),
        newName: image.slice(0, at),
        newTag: image.slice(at + 1),
      },
    ],
    // The image of vaults' pods is told to the operator.
    patches: [{ path: 'image.yaml' }],
  };
  const name = 'sealedvault-secrets';
  const metadata = { name, namespace: namespaces.vault };
  const api = 'rbac.authorization.k8s.io';
  const verbs = ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'];
  const account = { kind: 'ServiceAccount', name: 'sealedvault', namespace: namespaces.operator };
  const write = (file: string, ...objects: readonly object[]): void =>
    writeFileSync(join(folder, file), objects.map((object) => stringify(object)).join('---\n'));
  write('kustomization.yaml', kustomization);
  write('image.yaml', imagePatch(image));
  write(
    'secrets.yaml',
    {
      apiVersion: `${api}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs }],
    },
    {
      apiVersion: `${api}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: api, kind: 'Role', name },
      subjects: [account],
    },
  );
}

function imagePatch(image: string): KubernetesObject {
  const container = { name: 'controller', env: [{ name: 'SEALEDVAULT_IMAGE', value: image }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'sealedvault', namespace: namespaces.operator },
    spec: { template: { spec: { containers: [container] } } },
  };
}

/** @returns the files of the operator's objects, but for the definitions: with those every vault would go */
export function withoutDefinitions(): readonly string[] {
  return readdirSync(base)
    .filter((file) => file !== 'kustomization.yaml' && !file.startsWith('customresourcedefinition'))
    .map((file) => join(base, file));
}
