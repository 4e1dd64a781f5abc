import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import { run, until } from '../../test/support/cluster/command.ts';
import type { Kubectl } from '../../test/support/cluster/kubectl.ts';
import { projectRoot } from '../../test/support/cluster/paths.ts';
import type { Custodians } from './custodians.ts';
import { inNamespace, names, namespaces, type Progressing, secret } from './names.ts';
import { writeOverlay } from './overlay.ts';
import { readSecret } from './results.ts';
import { sample } from './samples.ts';

/**
 * Makes the two namespaces; both enforce the pod security level restricted.
 * @param kubectl The cluster.
 */
export async function createNamespaces(kubectl: Kubectl): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await kubectl.apply(
    Object.values(namespaces).map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })),
  );
}

/**
 * Installs the operator, and waits until it is ready: by its chart where there is a helm, else by kubectl's kustomize.
 * @param helm The helm program.
 * @param kubeconfig The cluster.
 * @param kubectl The cluster.
 * @param image Image of the operator and the vault.
 * @throws {CommandFailed} When the chart cannot be installed or its pods do not become ready within two minutes.
 */
export async function installOperator(
  helm: string | undefined,
  kubeconfig: string,
  kubectl: Kubectl,
  image: string,
): Promise<void> {
  if (helm === undefined) await applyOverlay(kubectl, image);
  else await installChart(helm, kubeconfig, image);
  await kubectl.run([
    '--namespace',
    namespaces.operator,
    'rollout',
    'status',
    'deployment/sealedvault',
    '--timeout=120s',
  ]);
}

async function applyOverlay(kubectl: Kubectl, image: string): Promise<void> {
  const overlay = mkdtempSync(join(tmpdir(), 'sealedvault-overlay-'));
  try {
    writeOverlay(overlay, image);
    await kubectl.run(['apply', '--server-side', '--force-conflicts', '--kustomize', overlay]);
  } finally {
    rmSync(overlay, { recursive: true, force: true });
  }
}

async function installChart(helm: string, kubeconfig: string, image: string): Promise<void> {
  const at = image.lastIndexOf(':');
  const values = [
    `image.repository=${image.slice(0, at)}`,
    `image.tag=${image.slice(at + 1)}`,
    `secretNamespaces={${namespaces.vault}}`,
  ];
  await run(helm, [
    'upgrade',
    'sealedvault',
    `${projectRoot}/charts/sealedvault`,
    '--install',
    '--namespace',
    namespaces.operator,
    '--kubeconfig',
    kubeconfig,
    // A tag of digits alone is a string, too.
    ...values.flatMap((value) => ['--set-string', value]),
  ]);
}

/**
 * Makes a SoftHSM token on a volume, in a pod, and the Secret with its slot and PIN.
 * @param kubectl The cluster.
 * @param image Image whose `hsm init-token` makes the token.
 * @param pin The PIN; the default is a random one that is not a number.
 * @param another The label of one more token on the same volume; its Secret has this name behind it.
 * @returns Slot and PIN.
 * @throws {Error} When the pod does not make the token within two minutes.
 */
export async function createToken(
  kubectl: Kubectl,
  image: string,
  pin: string = randomPin(),
  another?: string,
): Promise<{ slot: string; pin: string }> {
  const behind = another === undefined ? '' : `-${another}`;
  const pins = { pin, 'so-pin': randomPin() };
  const job = `${names.token}-init${behind}`;
  const objects = sample('softhsm.yaml', image).map((object) =>
    object.kind === 'Job' && another !== undefined ? forToken(object, job, another) : object,
  );
  await kubectl.apply(
    [secret(`${names.token}-pins${behind}`, pins), ...objects].map((object) => inNamespace(object)),
  );
  const finished = await until('HSM token', 120_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, `job/${job}`);
    return found?.status?.conditions?.find(
      ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
    );
  });
  const output = await kubectl.run(['--namespace', namespaces.vault, 'logs', `job/${job}`]);
  if (finished.type === 'Failed') throw new Error(`the HSM token was not made: ${output}`);
  const { slot } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { slot: string };
  await kubectl.apply([inNamespace(secret(`${names.pin}${behind}`, { slot, pin }))]);
  return { slot, pin };
}

/** The sample's Job, for a token of another label with PINs of its own. */
function forToken(object: KubernetesObject, name: string, label: string): KubernetesObject {
  const pins = `${names.token}-pins`;
  const changed = JSON.parse(JSON.stringify(object), (key, value: unknown) =>
    value === 'demo' ? label : key === 'name' && value === pins ? `${pins}-${label}` : value,
  ) as KubernetesObject;
  return { ...changed, metadata: { ...changed.metadata, name } };
}

/**
 * Puts another PIN into the Secret that the vault takes it from.
 * @param kubectl The cluster.
 * @param pin The PIN.
 * @throws {CommandFailed} When the API server refuses.
 */
export async function changePin(kubectl: Kubectl, pin: string): Promise<void> {
  const slot = await readSecret(kubectl, names.pin, 'slot');
  await kubectl.apply([inNamespace(secret(names.pin, { slot, pin }))]);
}

/**
 * Applies the SealedVault.
 * @param kubectl The cluster.
 * @throws {CommandFailed} When the API server refuses it.
 */
export async function applyVault(kubectl: Kubectl): Promise<void> {
  await kubectl.apply(sample('sealedvault.yaml', '').map((object) => inNamespace(object)));
}

/**
 * Applies the ceremony that initialises the vault, with the custodians' public keys in a ConfigMap.
 * @param kubectl The cluster.
 * @param custodians Whose public keys the ceremony uses.
 * @throws {CommandFailed} When the API server refuses it.
 */
export async function applyCeremony(kubectl: Kubectl, custodians: Custodians): Promise<void> {
  const keys: Record<string, string> = {};
  for (const name of custodians.names) keys[name] = await custodians.publicKey(name);
  const keyring = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: names.custodianKeys },
    data: keys,
  };
  await kubectl.apply([keyring, ...sample('recoveryceremony.yaml', '')].map((object) => inNamespace(object)));
}

/** A PIN that is not a number and holds what shells and parsers stumble over. */
function randomPin(): string {
  return `pin "${randomBytes(9).toString('base64url')}" für's HSM`;
}
