import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import createClient, { type client as VaultClient } from 'node-vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNamespaces, createToken } from '../../deploy/demo/install.ts';
import { names, namespaces } from '../../deploy/demo/names.ts';
import type { KubernetesObject } from '../support/cluster/api.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { until } from '../support/cluster/command.ts';
import { processesOf } from '../support/cluster/containers.ts';
import { projectImage } from '../support/cluster/images.ts';
import { Kubectl } from '../support/cluster/kubectl.ts';
import { toTerminal } from '../support/cluster/progress.ts';

/** The image without the operator: an engine and its HSM agent in a StatefulSet that a person wrote. */
const dir = mkdtempSync(join(tmpdir(), 'sv-'));
const namespace = namespaces.vault;
const value = randomBytes(12).toString('hex');
let cluster: Cluster;
let kubectl: Kubectl;
let token = '';

const config = `
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
storage "lmdb" { path = "/vault/data" }
seal "pkcs11" { agent_address = "/run/hsm/agent/agent.sock" }
audit "stdout" "stdout" { }
`;

function objects(image: string): KubernetesObject[] {
  const labels = { app: 'engine' };
  const locked = {
    image,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
  const fromSecret = (key: string): object => ({ valueFrom: { secretKeyRef: { name: names.pin, key } } });
  const agent = {
    ...locked,
    name: 'hsm-agent',
    restartPolicy: 'Always',
    args: ['hsm-agent', '-listen=/run/hsm/agent/agent.sock'],
    env: [
      { name: 'SOFTHSM2_CONF', value: '/etc/softhsm/softhsm2.conf' },
      { name: 'VAULT_HSM_LIB', value: '/usr/lib/softhsm/libsofthsm2.so' },
      { name: 'VAULT_HSM_KEY_LABEL', value: 'root' },
      { name: 'VAULT_HSM_GENERATE_KEY', value: 'true' },
      { name: 'VAULT_HSM_SLOT', ...fromSecret('slot') },
      { name: 'VAULT_HSM_PIN', ...fromSecret('pin') },
    ],
    volumeMounts: [
      { name: 'run', mountPath: '/run/hsm' },
      { name: 'tokens', mountPath: '/var/lib/hsm' },
      { name: 'softhsm', mountPath: '/etc/softhsm' },
    ],
  };
  const engine = {
    ...locked,
    name: 'engine',
    args: ['server', '-config=/etc/vault/config.hcl'],
    readinessProbe: { tcpSocket: { port: 8200 }, periodSeconds: 1 },
    volumeMounts: [
      { name: 'run', mountPath: '/run/hsm' },
      { name: 'data', mountPath: '/vault' },
      { name: 'config', mountPath: '/etc/vault' },
    ],
  };
  const user = {
    runAsNonRoot: true,
    runAsUser: 10001,
    runAsGroup: 10001,
    fsGroup: 10001,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const pod = {
    automountServiceAccountToken: false,
    securityContext: user,
    initContainers: [agent],
    containers: [engine],
    volumes: [
      { name: 'run', emptyDir: { medium: 'Memory' } },
      { name: 'tokens', persistentVolumeClaim: { claimName: 'softhsm-tokens' } },
      { name: 'softhsm', configMap: { name: 'softhsm-config' } },
      { name: 'config', configMap: { name: 'engine' } },
    ],
  };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const spec = {
    serviceName: 'engine',
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: pod },
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
  };
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'engine', namespace },
      data: { 'config.hcl': config },
    },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'engine', namespace }, spec },
  ];
}

/** Runs a step with a stock client on a port forwarded to the pod. */
async function withVault<T>(work: (client: VaultClient) => Promise<T>): Promise<T> {
  const forward = await kubectl.portForward(namespace, 'pod/engine-0', 8200);
  try {
    return await work(createClient({ endpoint: `http://127.0.0.1:${forward.port}`, token }));
  } finally {
    forward.stop();
  }
}

function unsealed(): Promise<true> {
  return until('an unsealed engine', 60_000, () =>
    withVault(async (client) => (((await client.health()) as { sealed: boolean }).sealed ? undefined : true)),
  );
}

async function expectSecret(): Promise<void> {
  const answer = (await withVault((client) => client.read('secret/data/app'))) as { data: { data: object } };
  expect(answer.data.data).toEqual({ value });
}

interface Status {
  readonly containerID: string;
  readonly restartCount: number;
  readonly ready: boolean;
}

async function statusOf(kind: 'initContainerStatuses' | 'containerStatuses'): Promise<Status> {
  const pod = await kubectl.get<{ status: Record<string, Status[] | undefined> }>(namespace, 'pod/engine-0');
  const [status] = pod?.status[kind] ?? [];
  if (status === undefined) throw new Error(`the pod has no ${kind}`);
  return status;
}

async function kill(kind: 'initContainerStatuses' | 'containerStatuses'): Promise<void> {
  const before = await statusOf(kind);
  const processes = processesOf(before.containerID);
  expect(processes).not.toEqual([]);
  for (const pid of processes) process.kill(pid, 'SIGKILL');
  await until('the container started again', 60_000, async () => {
    const now = await statusOf(kind);
    return now.restartCount > before.restartCount && now.ready ? true : undefined;
  });
}

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
  cluster = await startCluster({
    name: `g${process.pid}`.slice(0, 11),
    dir: join(dir, 'cluster'),
    lifetime: 'parent',
  });
  await cluster.loadImage(archive);
  kubectl = new Kubectl(cluster.plane.kubectl, cluster.kubeconfigPath);
  await createNamespaces(kubectl);
  await createToken(kubectl, image);
  await kubectl.apply(objects(image));
  await kubectl.run(['--namespace', namespace, 'rollout', 'status', 'statefulset/engine', '--timeout=120s']);
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(dir, { recursive: true, force: true });
});

test('a restricted pod runs an engine that is initialised through its HSM agent', async () => {
  await withVault(async (client) => {
    expect(await client.health()).toMatchObject({ initialized: false, sealed: true });
    const answer = (await initialize(client)) as {
      root_token: string;
    };
    token = answer.root_token;
  });
  await unsealed();
  await withVault(async (client) => {
    await client.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } });
    await client.write('secret/data/app', { data: { value } });
  });
  await expectSecret();
});

test('a killed engine unseals itself and has what was acknowledged', async () => {
  await kill('containerStatuses');
  await unsealed();
  await expectSecret();
});

test('a killed HSM agent is replaced without the engine noticing', async () => {
  const { restartCount } = await statusOf('containerStatuses');
  await kill('initContainerStatuses');
  await expectSecret();
  expect((await statusOf('containerStatuses')).restartCount).toBe(restartCount);
});

test('both killed at once, the pod heals', async () => {
  await Promise.all([kill('initContainerStatuses'), kill('containerStatuses')]);
  await unsealed();
  await expectSecret();
});

test('a deleted pod unseals itself and has what was acknowledged', async () => {
  await kubectl.run(['--namespace', namespace, 'delete', 'pod', 'engine-0', '--grace-period=0', '--force']);
  await kubectl.run(['--namespace', namespace, 'rollout', 'status', 'statefulset/engine', '--timeout=120s']);
  await unsealed();
  await expectSecret();
});
