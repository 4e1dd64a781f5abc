import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
import { begin, sitDown } from '../../deploy/demo/life.ts';
import { answerKeyTest, ceremony } from '../../deploy/demo/person.ts';
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
import {
  agentOf,
  type Container,
  engineOf,
  p11KitServer,
  P11_KIT_SOCKET,
  type Pod,
  VaultPod,
} from './vault-pod.ts';

const dir = mkdtempSync(join(tmpdir(), 'sv-'));
const people = ['ada', 'grace', 'edith'];
/** Holds what shells, YAML and configuration files stumble over, and a mark to search for. */
const mark = `canary${randomBytes(6).toString('hex')}`;
const pin = `pin "${mark}" $HOME 'ü' #1`;
const value = `value-${randomBytes(12).toString('hex')}`;

let cluster: Cluster;
let kubectl: Kubectl;
let pod: VaultPod;
let custodians: Custodians;
let image: string;
let token: string;

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
  const built = await projectImage(toTerminal);
  ({ image } = built);
  const helm = await helmBinary(toTerminal);
  cluster = await startCluster({
    name: `e${process.pid}`.slice(0, 11),
    dir: join(dir, 'cluster'),
    lifetime: 'parent',
  });
  await cluster.loadImage(built.archive);
  kubectl = new Kubectl(cluster.plane.kubectl, cluster.kubeconfigPath);
  pod = new VaultPod(kubectl);
  custodians = await Custodians.create(join(dir, 'gnupg'), [...people, 'boss'], toTerminal);
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
  await until('a running engine', 120_000, async () => engineOf(await pod.get())?.containerID);
  const { client, forward } = await openVault(kubectl, { service: `pod/${pod.name}` });
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
  await pod.killContainer(engineOf);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('a killed HSM agent is replaced while the engine serves on', async () => {
  const before = engineOf(await pod.get())?.restartCount;
  await pod.killContainer(agentOf);
  expect(engineOf(await pod.get())?.restartCount).toBe(before);
  await expectValue(kubectl, token, value);
  // The new agent is only of use when the engine finds it.
  await pod.killContainer(engineOf);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('a changed PIN restarts the HSM agent alone; a wrong one is told before it does harm, the right one heals it', async () => {
  await pod.outlook('False');
  const before = await pod.get();
  await changePin(kubectl, `wrong-${mark}`);
  const wrong = await pod.agentAfter(agentOf(before)?.restartCount ?? 0);
  const told = await pod.outlook('True');
  expect(JSON.stringify(told.status)).not.toContain(mark);
  expect(JSON.stringify(told.status)).toContain('ERR_HSM_PIN_INCORRECT');
  await expectValue(kubectl, token, value);
  await changePin(kubectl, pin);
  const after = await pod.agentAfter(agentOf(wrong)?.restartCount ?? 0);
  await pod.outlook('False');
  expect(after.metadata.uid).toBe(before.metadata.uid);
  expect(engineOf(after)?.restartCount).toBe(engineOf(before)?.restartCount);
  await expectValue(kubectl, token, value);
  await pod.killContainer(engineOf);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('the PIN enters the HSM agent alone, and no pod has a service account token', async () => {
  const { spec } = await pod.get();
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
    (await kubectl.get(namespaces.vault, `pod/${pod.name}`)) === undefined ? true : undefined,
  );
  expect(await claims()).toEqual(before);
  await applyVault(kubectl);
  await waitForPod(kubectl, `pod/${pod.name}`, undefined);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('with the library in its own container the engine opens the same vault', async () => {
  const { uid } = (await pod.get()).metadata;
  await pod.change({ hsm: { placement: 'Engine' } });
  await waitForPod(kubectl, `pod/${pod.name}`, uid);
  await vaultReady();
  const { spec } = await pod.get();
  expect(spec.initContainers ?? []).toEqual([]);
  expect(spec.containers.map(({ name }) => name)).toEqual(['engine']);
  await expectValue(kubectl, token, value);
});

test('a ceremony moves it to another HSM, whose sidecar stands beside the old library until then', async () => {
  const nextPin = `next ${mark}`;
  await createToken(kubectl, image, nextPin, 'next');
  await pod.change({
    hsm: {
      name: 'next',
      tokenLabel: 'next',
      slotFrom: null,
      pinFrom: { secretKeyRef: { name: 'hsm-next', key: 'pin' } },
      placement: 'Sidecar',
    },
  });
  await until('a word that a ceremony is needed', 60_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, `sealedvault/${names.vault}`);
    return found?.status?.conditions?.find(({ reason }) => reason === 'SealMigrationNeeded');
  });
  const life = {
    kubectl,
    custodians,
    kubeconfig: cluster.kubeconfigPath,
    gnupgHome: join(dir, 'gnupg'),
    folder: join(dir, 'desk'),
    report: toTerminal,
  };
  const { uid } = (await pod.get()).metadata;
  await begin(life, 'demo-migrate', 'AwaitingApproval');
  const paper = await sitDown(life);
  paper.forward.stop();
  const place = ['--yes', '--namespace', namespaces.vault];
  await ceremony(paper.desk, ['approve', 'demo-migrate', '--as', 'boss', ...place]);
  await waitForPhase(kubectl, 'recoveryceremony/demo-migrate', 'Collecting', 180_000, toTerminal);
  const both = await pod.get();
  expect(both.metadata.uid).not.toBe(uid);
  expect(both.spec.initContainers?.map(({ name }) => name)).toEqual(['next-hsm-agent']);
  // It serves while its people gather.
  await expectValue(kubectl, token, value);
  const { desk, forward } = await sitDown(life);
  try {
    for (const who of ['ada', 'edith'])
      await ceremony(desk, ['submit', 'demo-migrate', '--as', who, '--from', names.ceremony, ...place]);
  } finally {
    forward.stop();
  }
  await waitForPhase(kubectl, 'recoveryceremony/demo-migrate', done.ceremony, 120_000, toTerminal);
  await waitForPod(kubectl, `pod/${pod.name}`, both.metadata.uid);
  await vaultReady();
  const { spec } = await pod.get();
  expect(spec.initContainers?.map(({ name }) => name)).toEqual(['hsm-agent']);
  expect(spec.containers.map(({ name }) => name)).toEqual(['engine']);
  expect(JSON.stringify(spec)).not.toContain(`"${names.pin}"`);
  await until('evidence that the vault signed', 120_000, async () => {
    const found = await kubectl.get<Progressing>(namespaces.vault, 'recoveryceremony/demo-migrate');
    return found?.status?.conditions?.find(
      ({ type, status }) => type === 'EvidenceSealed' && status === 'True',
    );
  });
  const base = join(life.folder, 'migration');
  await ceremony(desk, ['report', 'demo-migrate', '--out', base, '--namespace', namespaces.vault]);
  const page = readFileSync(`${base}.html`, 'utf8');
  expect(page).toContain('HSM afterwards');
  const verdict = await ceremony({ ...desk, kubeconfig: '/nonexistent', port: 1 }, [
    'verify',
    `${base}.json`,
  ]);
  expect(verdict).not.toMatch(/^Wrong:/m);
  await expectValue(kubectl, token, value);
  const texts = await everythingVisible(kubectl);
  for (const [where, text] of texts) expect(text.includes(mark), where).toBe(false);
});

test('through p11-kit 0.25, which another pod serves, the engine opens the same vault', async () => {
  await kubectl.apply([p11KitServer(image)]);
  const { uid } = (await pod.get()).metadata;
  await pod.change({
    hsm: {
      library: {
        path: '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so',
        env: [{ name: 'P11_KIT_SERVER_ADDRESS', value: `unix:path=${P11_KIT_SOCKET}` }],
      },
    },
  });
  await waitForPod(kubectl, `pod/${pod.name}`, uid);
  await vaultReady();
  await expectValue(kubectl, token, value);
});

test('with the policy Delete the data goes along, and the shares stay', async () => {
  await pod.change({ deletionPolicy: 'Delete' });
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
