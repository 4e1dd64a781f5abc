import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { client as VaultClient } from 'node-vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Custodians } from '../../deploy/demo/custodians.ts';
import { expectValue, openVault, writeAndRead } from '../../deploy/demo/client.ts';
import {
  applyCeremony,
  applyVault,
  changePin,
  createNamespaces,
  createToken,
  installOperator,
} from '../../deploy/demo/install.ts';
import { done, names, namespaces, type Progressing } from '../../deploy/demo/names.ts';
import { answerKeyTest } from '../../deploy/demo/person.ts';
import { everythingVisible, rootToken, share } from '../../deploy/demo/results.ts';
import { replacePod, waitForPhase, waitForPod } from '../../deploy/demo/wait.ts';
import type { KubernetesObject } from '../support/cluster/api.ts';
import { helmBinary } from '../support/cluster/binaries.ts';
import { until } from '../support/cluster/command.ts';
import { processesOf } from '../support/cluster/containers.ts';
import { projectImage } from '../support/cluster/images.ts';
import { Kubectl } from '../support/cluster/kubectl.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { toTerminal } from '../support/cluster/progress.ts';

const dir = mkdtempSync(join(tmpdir(), 'sv-'));
const people = ['ada', 'grace', 'edith'];
/** Holds what shells, YAML and configuration files stumble over, and a mark to search for. */
const mark = `canary${randomBytes(6).toString('hex')}`;
const pin = `pin "${mark}" $HOME 'ü' #1`;
const value = `value-${randomBytes(12).toString('hex')}`;
const pod = `${names.vault}-0`;

let cluster: Cluster;
let kubectl: Kubectl;
let custodians: Custodians;
let token: string;

interface ContainerStatus {
  readonly name: string;
  readonly containerID: string;
  readonly restartCount: number;
  readonly ready: boolean;
}

interface Container {
  readonly name: string;
  readonly env?: {
    readonly name: string;
    readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string } };
  }[];
}

interface Pod extends KubernetesObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: {
    readonly containers: Container[];
    readonly initContainers?: Container[];
    readonly volumes?: object[];
  };
  readonly status: {
    readonly containerStatuses: ContainerStatus[];
    readonly initContainerStatuses?: ContainerStatus[];
    readonly conditions: { readonly type: string; readonly status: string }[];
  };
}

const agentOf = (found: Pod): ContainerStatus | undefined => found.status.initContainerStatuses?.[0];
const engineOf = (found: Pod): ContainerStatus | undefined => found.status.containerStatuses[0];

async function vaultPod(): Promise<Pod> {
  const found = await kubectl.get<Pod>(namespaces.vault, `pod/${pod}`);
  if (found === undefined) throw new Error(`${pod} is not there`);
  return found;
}

/** Ends every process of a container at once and waits until it was started again and the pod is ready. */
async function killContainer(which: (found: Pod) => ContainerStatus | undefined): Promise<Pod> {
  const before = which(await vaultPod());
  if (before === undefined) throw new Error('no such container');
  const processes = processesOf(before.containerID);
  expect(processes.length).toBeGreaterThan(0);
  for (const process_ of processes) process.kill(process_, 'SIGKILL');
  return until(`${before.name} started again`, 120_000, async () => {
    const now = await vaultPod();
    const ready = now.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    return ready && (which(now)?.restartCount ?? 0) > before.restartCount ? now : undefined;
  });
}

/** The processes of all replicas of the operator. */
async function operatorProcesses(): Promise<number[]> {
  const pods = await kubectl.list<Pod>(namespaces.operator, 'pods', 'app.kubernetes.io/component=operator');
  return pods.flatMap((found) =>
    found.status.containerStatuses.flatMap(({ containerID }) => processesOf(containerID)),
  );
}

async function ceremonyPhase(): Promise<string> {
  const path = `/apis/sealedvault.io/v1alpha1/namespaces/${namespaces.vault}/recoveryceremonies/${names.ceremony}`;
  return (await cluster.plane.api.find<Progressing>(path))?.status?.phase ?? '';
}

const vaultReady = (): Promise<unknown> =>
  waitForPhase(kubectl, `sealedvault/${names.vault}`, done.vault, 180_000);

/** As any client can ask for it; the client's own method knows no recovery shares. */
function initialize(client: VaultClient): Promise<unknown> {
  return client.request({
    path: '/sys/init',
    method: 'PUT',
    json: { recovery_shares: 1, recovery_threshold: 1 },
  });
}

beforeAll(async () => {
  const { image, archive } = await projectImage(toTerminal);
  const helm = await helmBinary(toTerminal);
  cluster = await startCluster({
    name: `e${process.pid}`.slice(0, 11),
    dir: join(dir, 'cluster'),
    lifetime: 'parent',
  });
  await cluster.loadImage(archive);
  kubectl = new Kubectl(cluster.plane.kubectl, cluster.kubeconfigPath);
  custodians = await Custodians.create(join(dir, 'gnupg'), people, toTerminal);
  await createNamespaces(kubectl);
  await installOperator(helm, cluster.kubeconfigPath, kubectl, image);
  await createToken(kubectl, image, pin);
});

afterAll(async () => {
  await custodians?.remove();
  await cluster?.remove();
  rmSync(dir, { recursive: true, force: true });
});

test('before its ceremony the vault runs sealed, and nobody but the operator may initialise it', async () => {
  await applyVault(kubectl);
  await until('a running engine', 120_000, async () => engineOf(await vaultPod())?.containerID);
  const { client, forward } = await openVault(kubectl, { service: `pod/${pod}` });
  try {
    expect(await client.health()).toMatchObject({ initialized: false, sealed: true });
    await expect(initialize(client)).rejects.toMatchObject({
      response: { statusCode: 403 },
    });
    expect(await client.health()).toMatchObject({ initialized: false });
  } finally {
    forward.stop();
  }
});

test('a ceremony initialises it, though every operator is killed as soon as it has begun', async () => {
  const processes = await operatorProcesses();
  expect(processes.length).toBeGreaterThanOrEqual(2);
  await applyCeremony(kubectl, custodians);
  await waitForPhase(kubectl, `recoveryceremony/${names.ceremony}`, 'TestingKeys', 120_000, toTerminal);
  const at = { gnupgHome: join(dir, 'gnupg'), kubeconfig: cluster.kubeconfigPath };
  await answerKeyTest(at, names.ceremony, people);
  const phase = await until(
    'a ceremony that has begun',
    60_000,
    async () => [await ceremonyPhase()].find((each) => each !== 'TestingKeys'),
    5,
  );
  for (const pid of processes) process.kill(pid, 'SIGKILL');
  expect(phase).not.toBe(done.ceremony);
  await waitForPhase(kubectl, `recoveryceremony/${names.ceremony}`, done.ceremony, 240_000, toTerminal);
  await vaultReady();
});

test('each share is encrypted to its custodian alone, and the root token to ada', async () => {
  const shares = new Set<string>();
  for (const name of people) {
    const message = await share(kubectl, name);
    expect(await custodians.keyIds(name)).toEqual(
      expect.arrayContaining(await custodians.recipients(message)),
    );
    expect(await custodians.recipients(message)).toHaveLength(1);
    shares.add(await custodians.decrypt(message));
  }
  expect(shares.size).toBe(people.length);
  const message = await rootToken(kubectl);
  expect(await custodians.keyIds('ada')).toEqual(
    expect.arrayContaining(await custodians.recipients(message)),
  );
  token = (await custodians.decrypt(message)).trim();
  expect(token.startsWith('hvs.')).toBe(true);
});

test('a stock client writes and reads a secret', async () => {
  await writeAndRead(kubectl, token, value);
});

test('a deleted pod unseals itself and still has the secret', async () => {
  await replacePod(kubectl);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('a killed engine unseals itself and still has the secret', async () => {
  await killContainer(engineOf);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('a killed HSM agent is replaced while the engine serves on', async () => {
  const before = engineOf(await vaultPod())?.restartCount;
  await killContainer(agentOf);
  expect(engineOf(await vaultPod())?.restartCount).toBe(before);
  await expectValue(kubectl, token, value);
  // The new agent is only of use when the engine finds it.
  await killContainer(engineOf);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('a changed PIN rolls the pod; a wrong one leaves the vault sealed and says so, the right one heals it', async () => {
  const { uid } = (await vaultPod()).metadata;
  await changePin(kubectl, `wrong-${mark}`);
  const second = await until('a pod with the wrong PIN', 120_000, async () => {
    const now = (await vaultPod()).metadata.uid;
    return now === uid ? undefined : now;
  });
  const state = await until('a sealed vault', 120_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, `sealedvault/${names.vault}`);
    return found?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False') ===
      true
      ? found
      : undefined;
  });
  expect(JSON.stringify(state.status)).not.toContain(mark);
  await changePin(kubectl, pin);
  await waitForPod(kubectl, `pod/${pod}`, second);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('the PIN enters the HSM agent alone, and no pod has a service account token', async () => {
  const { spec } = await vaultPod();
  const takesPin = (container: Container): boolean =>
    container.env?.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === names.pin) === true;
  expect(spec.containers.filter(takesPin)).toEqual([]);
  expect(spec.initContainers?.filter(takesPin)).toHaveLength(1);
  expect(JSON.stringify(spec.volumes)).not.toContain('serviceAccountToken');
});

test('PIN, root token, shares and secret values stand in no object, event or log', async () => {
  const secrets = [mark, token, value];
  for (const name of people) secrets.push(await custodians.decrypt(await share(kubectl, name)));
  const texts = await everythingVisible(kubectl);
  expect(texts.size).toBeGreaterThan(10);
  // What has to be in there, or nothing was searched: a setting, and an audit entry.
  const found = (text: string): boolean => [...texts.values()].some((each) => each.includes(text));
  expect(found('demo-root')).toBe(true);
  expect(found('"type":"response"')).toBe(true);
  for (const [where, text] of texts) {
    expect(text.length, where).toBeGreaterThan(0);
    // A failing assertion must not print what it found.
    expect(
      secrets.some((secret) => text.includes(secret)),
      where,
    ).toBe(false);
  }
});

test('deleting the vault keeps its volume, and the same resource brings the same vault back', async () => {
  const claims = async (): Promise<string[]> =>
    (await kubectl.list<KubernetesObject>(namespaces.vault, 'persistentvolumeclaims')).map(
      ({ metadata }) => metadata?.uid ?? '',
    );
  const before = await claims();
  await kubectl.run(['--namespace', namespaces.vault, 'delete', `sealedvault/${names.vault}`]);
  await until('no pod', 120_000, async () =>
    (await kubectl.get(namespaces.vault, `pod/${pod}`)) === undefined ? true : undefined,
  );
  expect(await claims()).toEqual(before);
  await applyVault(kubectl);
  await waitForPod(kubectl, `pod/${pod}`, undefined);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

async function change(spec: object): Promise<void> {
  const patch = JSON.stringify({ spec });
  await kubectl.run([
    '--namespace',
    namespaces.vault,
    'patch',
    `sealedvault/${names.vault}`,
    '--type=merge',
    `--patch=${patch}`,
  ]);
}

test('with the library in its own container the engine opens the same vault', async () => {
  const { uid } = (await vaultPod()).metadata;
  await change({ hsm: { placement: 'Engine' } });
  await waitForPod(kubectl, `pod/${pod}`, uid);
  await vaultReady();
  const { spec } = await vaultPod();
  expect(spec.initContainers ?? []).toEqual([]);
  expect(spec.containers.map(({ name }) => name)).toEqual(['engine']);
  await expectValue(kubectl, token, value);
});

test('with the policy Delete the data goes along, and the shares stay', async () => {
  await change({ deletionPolicy: 'Delete' });
  const finalizers = (found: KubernetesObject | undefined): unknown =>
    (found?.metadata as { finalizers?: string[] } | undefined)?.finalizers?.length;
  await until('a finalizer', 60_000, async () =>
    finalizers(await kubectl.get<KubernetesObject>(namespaces.vault, `sealedvault/${names.vault}`)),
  );
  await kubectl.run([
    '--namespace',
    namespaces.vault,
    'delete',
    `sealedvault/${names.vault}`,
    '--timeout=120s',
  ]);
  const claims = await kubectl.list<KubernetesObject>(namespaces.vault, 'persistentvolumeclaims');
  expect(claims.map(({ metadata }) => metadata?.name)).toEqual(['softhsm-tokens']);
  for (const name of people)
    expect(await custodians.decrypt(await share(kubectl, name))).toMatch(/^[0-9a-f]{66}$/);
});
