import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import createClient, { type client as VaultClient } from 'node-vault';
import type { KubernetesObject } from '../../test/support/cluster/api.ts';
import { run, until } from '../../test/support/cluster/command.ts';
import type { Kubectl, PortForward } from '../../test/support/cluster/kubectl.ts';
import { projectRoot } from '../../test/support/cluster/paths.ts';
import type { Custodians } from './custodians.ts';
import { sample } from './samples.ts';

/** Names that the samples use. */
export const names = {
  vault: 'demo',
  ceremony: 'demo-init',
  pin: 'hsm',
  custodianKeys: 'custodian-keys',
  token: 'softhsm',
} as const;

/** Where the demo's objects live. */
export const namespaces = { operator: 'sealedvault-system', vault: 'sealedvault-demo' } as const;

/** The conditions that say that a resource is done. */
export const done = { vault: 'Ready', ceremony: 'Complete' } as const;

const shareKey = 'share.asc';
const rootTokenKey = 'token.asc';

/** Prints the encrypted root token. */
export const rootTokenCommand: string = `kubectl get secret ${names.ceremony}-root-token --output go-template='{{index .data "${rootTokenKey}" | base64decode}}'`;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** A custom resource as far as its progress shows. */
export interface Progressing extends KubernetesObject {
  readonly status?: { readonly phase?: string; readonly conditions?: readonly Condition[] };
}

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
 * Installs the chart and waits until the operator is ready.
 * @param helm The helm program.
 * @param kubeconfig The cluster.
 * @param kubectl The cluster.
 * @param image Image of the operator and the vault.
 * @throws {CommandFailed} When the chart cannot be installed or its pods do not become ready within two minutes.
 */
export async function installOperator(
  helm: string,
  kubeconfig: string,
  kubectl: Kubectl,
  image: string,
): Promise<void> {
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
    ...values.flatMap((value) => ['--set', value]),
  ]);
  await kubectl.run([
    '--namespace',
    namespaces.operator,
    'rollout',
    'status',
    'deployment/sealedvault',
    '--timeout=120s',
  ]);
}

/**
 * Makes a SoftHSM token on a volume, in a pod, and the Secret with its slot and PIN.
 * @param kubectl The cluster.
 * @param image Image whose `hsm init-token` makes the token.
 * @param pin The PIN; the default is a random one that is not a number.
 * @returns Slot and PIN.
 * @throws {Error} When the pod does not make the token within two minutes.
 */
export async function createToken(
  kubectl: Kubectl,
  image: string,
  pin: string = randomPin(),
): Promise<{ slot: string; pin: string }> {
  const pins = { pin, 'so-pin': randomPin() };
  await kubectl.apply(
    [secret(`${names.token}-pins`, pins), ...sample('softhsm.yaml', image)].map((object) =>
      inNamespace(object),
    ),
  );
  const job = `${names.token}-init`;
  const finished = await until('HSM token', 120_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, `job/${job}`);
    return found?.status?.conditions?.find(
      ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
    );
  });
  const output = await kubectl.run(['--namespace', namespaces.vault, 'logs', `job/${job}`]);
  if (finished.type === 'Failed') throw new Error(`the HSM token was not made: ${output}`);
  const { slot } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { slot: string };
  await kubectl.apply([inNamespace(secret(names.pin, { slot, pin }))]);
  return { slot, pin };
}

/**
 * Applies the SealedVault and the ceremony that initialises it.
 * @param kubectl The cluster.
 * @param custodians Whose public keys the ceremony uses.
 * @throws {CommandFailed} When the API server refuses them.
 */
export async function applyVault(kubectl: Kubectl, custodians: Custodians): Promise<void> {
  const keys: Record<string, string> = {};
  for (const name of custodians.names) keys[name] = await custodians.publicKey(name);
  await kubectl.apply([
    inNamespace({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: names.custodianKeys }, data: keys }),
  ]);
  const objects = [...sample('sealedvault.yaml', ''), ...sample('recoveryceremony.yaml', '')];
  await kubectl.apply(objects.map((object) => inNamespace(object)));
}

/**
 * Waits until a custom resource has a condition, and says what it waits for whenever that changes.
 * @param kubectl The cluster.
 * @param what `type/name`.
 * @param condition The condition.
 * @param timeoutMs Limit.
 * @param onChange Told the phase and the message of the condition.
 * @returns The resource.
 * @throws {Error} With the last status, when the time is over.
 */
export async function waitForCondition(
  kubectl: Kubectl,
  what: string,
  condition: string,
  timeoutMs: number,
  onChange: (line: string) => void = () => undefined,
): Promise<Progressing> {
  let last = '';
  try {
    return await until(
      `${what} ${condition}`,
      timeoutMs,
      async () => {
        const found = await kubectl.get<Progressing>(namespaces.vault, what);
        const state = found?.status?.conditions?.find(({ type }) => type === condition);
        const line = `${found?.status?.phase ?? 'not seen yet'}: ${state?.message ?? state?.reason ?? 'no status yet'}`;
        if (line !== last) onChange(line);
        last = line;
        return state?.status === 'True' ? found : undefined;
      },
      500,
    );
  } catch (error: unknown) {
    throw new Error(`${what} did not become ${condition}; last: ${last}`, { cause: error });
  }
}

/**
 * Reads one value of a Secret.
 * @param kubectl The cluster.
 * @param name The Secret.
 * @param key The key in it.
 * @returns The decoded value.
 * @throws {Error} When there is no such Secret or key.
 */
export async function readSecret(kubectl: Kubectl, name: string, key: string): Promise<string> {
  const found = await kubectl.get<KubernetesObject & { data?: Record<string, string> }>(
    namespaces.vault,
    `secret/${name}`,
  );
  const value = found?.data?.[key];
  if (value === undefined)
    throw new Error(
      `Secret ${name} has no key ${key}; it has ${Object.keys(found?.data ?? {}).join(', ') || 'none'}`,
    );
  return Buffer.from(value, 'base64').toString('utf8');
}

/**
 * The root token as the ceremony left it: an OpenPGP message to one custodian.
 * @param kubectl The cluster.
 * @returns The message.
 * @throws {Error} When there is none.
 */
export function rootToken(kubectl: Kubectl): Promise<string> {
  return readSecret(kubectl, `${names.ceremony}-root-token`, rootTokenKey);
}

/**
 * A custodian's recovery share as the ceremony left it: an OpenPGP message.
 * @param kubectl The cluster.
 * @param custodian The custodian.
 * @returns The message.
 * @throws {Error} When there is none.
 */
export function share(kubectl: Kubectl, custodian: string): Promise<string> {
  return readSecret(kubectl, `${names.ceremony}-share-${custodian}`, shareKey);
}

/** A stock Vault client on a forwarded port. */
export interface OpenVault {
  readonly client: VaultClient;
  readonly forward: PortForward;
}

/**
 * Connects node-vault to the active pod over a forwarded port, trusting the vault's own authority.
 * @param kubectl The cluster.
 * @param token Vault token; it is kept by the client alone.
 * @returns The client, and the forwarded port to stop.
 * @throws {Error} When nothing answers within a minute.
 */
export async function openVault(kubectl: Kubectl, token?: string): Promise<OpenVault> {
  const authority = await kubectl.get<{ data?: Record<string, string> }>(
    namespaces.vault,
    `configmap/${names.vault}-ca`,
  );
  const ca = authority?.data?.['ca.crt'];
  if (ca === undefined) throw new Error(`ConfigMap ${names.vault}-ca has no ca.crt`);
  return until('an answer from the vault', 60_000, async () => {
    const forward = await kubectl.portForward(namespaces.vault, `service/${names.vault}-active`, 8200);
    try {
      const servername = `${names.vault}-active.${namespaces.vault}.svc`;
      const client = createClient({
        endpoint: `https://127.0.0.1:${forward.port}`,
        requestOptions: { agentOptions: { ca, servername } },
        ...(token === undefined ? {} : { token }),
      });
      await client.health();
      return { client, forward };
    } catch (error: unknown) {
      forward.stop();
      await sleep(500);
      throw error;
    }
  });
}

/**
 * Mounts a KV version 2 engine, writes a secret and reads it back, with node-vault.
 * @param kubectl The cluster.
 * @param token Root token.
 * @param value What to write.
 * @throws {Error} When the vault refuses or answers with something else.
 */
export async function writeAndRead(kubectl: Kubectl, token: string, value: string): Promise<void> {
  const { client, forward } = await openVault(kubectl, token);
  try {
    await client.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } });
    await client.write('secret/data/demo', { data: { value } });
  } finally {
    forward.stop();
  }
  await expectValue(kubectl, token, value);
}

/**
 * Reads the secret that `writeAndRead` wrote.
 * @param kubectl The cluster.
 * @param token Root token.
 * @param value What it has to be.
 * @throws {Error} When it is not.
 */
export async function expectValue(kubectl: Kubectl, token: string, value: string): Promise<void> {
  const { client, forward } = await openVault(kubectl, token);
  try {
    const answer = (await client.read('secret/data/demo')) as { data: { data: { value: string } } };
    if (answer.data.data.value !== value)
      throw new Error('the vault answered with another value than the one written');
  } finally {
    forward.stop();
  }
}

/**
 * Deletes the active pod and waits until the vault is unsealed and active again in a new one.
 * @param kubectl The cluster.
 * @returns Time from the deletion to being active, in milliseconds.
 * @throws {Error} When that takes more than three minutes.
 */
export async function replacePod(kubectl: Kubectl): Promise<number> {
  const pod = `pod/${names.vault}-0`;
  const before = (await kubectl.get<KubernetesObject>(namespaces.vault, pod))?.metadata?.uid;
  const started = performance.now();
  await kubectl.run(['--namespace', namespaces.vault, 'delete', pod, '--wait=false']);
  await waitForPod(kubectl, pod, before);
  return performance.now() - started;
}

/**
 * Waits until a pod is there under a new identity and ready.
 * @param kubectl The cluster.
 * @param pod `pod/name`.
 * @param before The former pod's uid.
 * @throws {Error} When that takes more than three minutes.
 */
export async function waitForPod(kubectl: Kubectl, pod: string, before: string | undefined): Promise<void> {
  await until(`a new ${pod}`, 180_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, pod);
    if (found?.metadata?.uid === before || found?.metadata === undefined) return undefined;
    return found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
      true
      ? true
      : undefined;
  });
}

/** A PIN that is not a number and holds what shells and parsers stumble over. */
function randomPin(): string {
  return `pin "${randomBytes(9).toString('base64url')}" für's HSM`;
}

function secret(name: string, stringData: Record<string, string>): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

function inNamespace(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, namespace: namespaces.vault } };
}
