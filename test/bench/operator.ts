import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/cluster/command.ts';
import { type ControlPlane, startControlPlane } from '../support/cluster/controlplane.ts';
import { Kubectl } from '../support/cluster/kubectl.ts';
import { projectRoot } from '../support/cluster/paths.ts';

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
}

const VAULTS = 500;
const NAMESPACE = 'vaults';
const OPERATOR = 'sealedvault-system';
/** Every collection that a vault has objects in, and how many of them. */
const OWNED: readonly (readonly [path: string, each: number])[] = [
  [`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, 1],
  [`/api/v1/namespaces/${NAMESPACE}/configmaps`, 2],
  [`/api/v1/namespaces/${NAMESPACE}/services`, 3],
  [`/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/networkpolicies`, 1],
  [`/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets`, 1],
  [`/apis/apps/v1/namespaces/${NAMESPACE}/statefulsets`, 1],
  [`/api/v1/namespaces/${OPERATOR}/secrets`, 1],
];
/** What the operator writes besides its lease. */
const WRITTEN =
  /^apiserver_request_total\{.*resource="(sealedvaults|recoveryceremonies|serviceaccounts|configmaps|services|networkpolicies|poddisruptionbudgets|statefulsets|secrets|pods|persistentvolumeclaims|events)".*verb="(APPLY|PATCH|POST|PUT|DELETE)".*\} (\S+)$/;

/**
 * The operator, as a process of its own, against a real API server: 500 vaults from nothing to every owned object,
 * its memory at the highest, and what it writes in a minute in which nothing changes.
 */
export async function benchOperator(): Promise<readonly Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-bench-'));
  const plane = await startControlPlane({ dir, report: () => {} });
  let operator: ChildProcess | undefined;
  try {
    await prepare(plane);
    const started = performance.now();
    operator = startOperator(plane.kubeconfigPath);
    const { pid } = operator;
    if (pid === undefined) throw new Error('the operator did not start');
    await until(
      'every owned object',
      600_000,
      () => (operator?.exitCode === null ? complete(plane) : undefined),
      250,
    );
    const seconds = (performance.now() - started) / 1000;
    // Statuses follow the objects; then nothing is left to do.
    await quiet(plane);
    const before = await writes(plane);
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    const idle = (await writes(plane)) - before;
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    return [
      { name: `operator: ${VAULTS} vaults to every owned object`, value: seconds, unit: 's', limit: 60 },
      { name: 'operator: resident memory at its highest', value: peak, unit: 'MiB', limit: 200 },
      { name: 'operator: writes in a minute without change', value: idle, unit: 'writes', limit: 0 },
    ];
  } finally {
    operator?.kill('SIGKILL');
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function prepare(plane: ControlPlane): Promise<void> {
  const kubectl = new Kubectl(plane.kubectl, plane.kubeconfigPath);
  await kubectl.run(['apply', '-f', join(projectRoot, 'crds')]);
  await kubectl.run(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  for (const name of [NAMESPACE, OPERATOR])
    await plane.api.apply(`/api/v1/namespaces/${name}`, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
  await plane.api.apply(`/api/v1/namespaces/${NAMESPACE}/secrets/hsm`, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'hsm', namespace: NAMESPACE },
    stringData: { slot: '0', pin: 'bench' },
  });
  const numbers = Array.from({ length: VAULTS }, (_, index) => index);
  const path = `/apis/sealedvault.io/v1alpha1/namespaces/${NAMESPACE}/sealedvaults`;
  const create = async (): Promise<void> => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop())
      await plane.api.call('POST', path, vault(`bench-${number}`));
  };
  await Promise.all(Array.from({ length: 8 }, create));
}

function vault(name: string): object {
  const from = (key: string): object => ({ secretKeyRef: { name: 'hsm', key } });
  return {
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'SealedVault',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      hsm: { library: { path: '/hsm.so' }, slotFrom: from('slot'), pinFrom: from('pin'), keyLabel: 'root' },
      storage: { lmdb: { size: '1Gi' } },
    },
  };
}

// What the chart's NODE_OPTIONS come to under its memory limit of 256 MiB.
const HEAP = ['--max-old-space-size=90', '--max-semi-space-size=4'];

/** The built program when there is one, as in the image; else the sources. */
function startOperator(kubeconfig: string): ChildProcess {
  const built = join(projectRoot, 'dist', 'main.js');
  const program = existsSync(built) ? built : join(projectRoot, 'src', 'main.ts');
  return spawn(process.execPath, [...HEAP, program, 'controller'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: kubeconfig,
      POD_NAMESPACE: OPERATOR,
      POD_NAME: 'bench',
      SEALEDVAULT_IMAGE: 'localhost/sealedvault:bench',
      LOG_LEVEL: 'error',
      HEALTH_PORT: '0',
      METRICS_PORT: '0',
      NODE_ENV: 'production',
    },
  });
}

async function complete(plane: ControlPlane): Promise<true | undefined> {
  for (const [path, each] of OWNED) if ((await count(plane, path)) < VAULTS * each) return undefined;
  // One of the Secrets here is the one that holds the PIN.
  const secrets = await count(plane, `/api/v1/namespaces/${NAMESPACE}/secrets`);
  return secrets === VAULTS + 1 ? true : undefined;
}

/** Objects in a collection, without reading them: the API server says how many are left after the first. */
async function count(plane: ControlPlane, path: string): Promise<number> {
  const list = await plane.api.call<{ items: unknown[]; metadata: { remainingItemCount?: number } }>(
    'GET',
    `${path}?limit=1`,
  );
  return list.items.length + (list.metadata.remainingItemCount ?? 0);
}

async function quiet(plane: ControlPlane): Promise<void> {
  let last = -1;
  await until(
    'the operator to come to rest',
    120_000,
    async () => {
      const now = await writes(plane);
      const same = now === last;
      last = now;
      return same ? true : undefined;
    },
    12_000,
  );
}

async function writes(plane: ControlPlane): Promise<number> {
  const text = await plane.api.call<string>('GET', '/metrics');
  let sum = 0;
  let matched = 0;
  for (const line of text.split('\n')) {
    const value = WRITTEN.exec(line)?.[3];
    if (value === undefined) continue;
    matched += 1;
    sum += Number(value);
  }
  if (matched === 0) throw new Error('the API server does not count writes');
  return sum;
}
