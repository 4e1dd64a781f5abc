import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt, run, until } from '../support/cluster/command.ts';
import { removeAbandoned } from '../support/cluster/down.ts';
import { plainImage } from '../support/cluster/images.ts';
import { Kubectl } from '../support/cluster/kubectl.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { toTerminal } from '../support/cluster/progress.ts';
import { readRecord } from '../support/cluster/record.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-node-'));
const name = `n${process.pid}`.slice(0, 11);
const namespace = 'restricted';
let cluster: Cluster;
let kubectl: Kubectl;
let image: string;

const container = {
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
};

/** Writes a line on its volume at each start, then answers every connection with a word. */
const program = [
  'date +%s%N >> /data/starts',
  "exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 8200, Listen => 5, ReuseAddr => 1);",
  'while ($c = $s->accept) { print $c "hello\\n"; close $c }\'',
].join('\n');

function statefulSet(): Record<string, unknown> {
  const labels = { app: 'probe' };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'probe', namespace },
    spec: {
      replicas: 2,
      serviceName: 'probe',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 10001,
            runAsGroup: 10001,
            fsGroup: 10001,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          initContainers: [
            { name: 'agent', image, restartPolicy: 'Always', command: ['sleep', 'infinity'], ...container },
          ],
          containers: [
            {
              name: 'engine',
              image,
              command: ['sh', '-c', program],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
              ...container,
            },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  };
}

function exec(pod: string, script: string): Promise<string> {
  return kubectl.run([
    '--namespace',
    namespace,
    'exec',
    pod,
    '--container',
    'engine',
    '--',
    'bash',
    '-c',
    script,
  ]);
}

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

/** Arguments of a process; nothing when it has just ended. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The commands that still run with a folder in their arguments. */
function runningIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
    .map((entry) => commandLine(entry))
    .filter((command) => command.includes(folder));
}

beforeAll(async () => {
  const plain = await plainImage(toTerminal);
  image = plain.image;
  cluster = await startCluster({ name, dir: join(dir, 'cluster'), lifetime: 'parent' });
  await cluster.loadImage(plain.archive);
  kubectl = new Kubectl(cluster.plane.kubectl, cluster.kubeconfigPath);
  await kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
  ]);
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe('one-node cluster', () => {
  test('runs a StatefulSet under the pod security level restricted, with a native sidecar and volumes', async () => {
    await kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'probe', namespace },
        spec: { selector: { app: 'probe' }, ports: [{ port: 80, targetPort: 8200 }] },
      },
      statefulSet(),
    ]);
    await kubectl.run(['--namespace', namespace, 'rollout', 'status', 'statefulset/probe', '--timeout=90s']);
    expect((await exec('probe-0', 'id -u')).trim()).toBe('10001');
    expect((await exec('probe-0', 'cat /data/starts')).trim().split('\n')).toHaveLength(1);
  });

  test('refuses a pod that is not restricted', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'root', namespace },
      spec: { containers: [{ name: 'root', image }] },
    };
    await expect(kubectl.apply([pod])).rejects.toThrow('violates PodSecurity "restricted');
  });

  test('a pod cannot write to its root file system, and its volume belongs to its group', async () => {
    await expect(exec('probe-0', 'touch /written')).rejects.toThrow('Read-only file system');
    expect((await exec('probe-0', 'stat -c %g /data')).trim()).toBe('10001');
  });

  test('a pod reaches Services and the API server by their cluster addresses', async () => {
    expect(await exec('probe-1', 'exec 3<>/dev/tcp/$PROBE_SERVICE_HOST/80; cat <&3')).toBe('hello\n');
    expect(
      await exec(
        'probe-1',
        'exec 3<>/dev/tcp/$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT && echo reached',
      ),
    ).toBe('reached\n');
  });

  test('ports can be forwarded from outside', async () => {
    const forward = await kubectl.portForward(namespace, 'service/probe', 80);
    try {
      expect(await ask(forward.port)).toBe('hello\n');
    } finally {
      forward.stop();
    }
  });

  test('a deleted pod comes back with its volume', async () => {
    await kubectl.run(['--namespace', namespace, 'delete', 'pod', 'probe-0']);
    await kubectl.run(['--namespace', namespace, 'rollout', 'status', 'statefulset/probe', '--timeout=90s']);
    const starts = await until('second start', 30_000, async () => {
      const lines = (await exec('probe-0', 'cat /data/starts')).trim().split('\n');
      return lines.length === 2 ? lines : undefined;
    });
    expect(new Set(starts).size).toBe(2);
  });

  test('pods go on while the API server is killed and started again', async () => {
    const before = await exec('probe-1', 'cat /data/starts');
    await cluster.plane.killApiServer();
    await cluster.plane.startApiServer();
    expect(await exec('probe-1', 'cat /data/starts')).toBe(before);
  });

  test('removing it leaves nothing on the machine but the cache', async () => {
    const record = readRecord(join(dir, 'cluster'));
    expect(record).toBeDefined();
    await cluster.remove();
    expect(existsSync(join(dir, 'cluster'))).toBe(false);
    expect(existsSync(`/run/netns/${record?.netns}`)).toBe(false);
    expect(readdirSync('/run/netns').filter((entry) => entry.startsWith('cni-'))).toEqual([]);
    expect(await run('ip', ['-o', 'link'])).not.toContain(record?.hostLink);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(dir);
    expect(await run('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', `sealedvault-${name}`])).toBe('');
    expect(runningIn(dir)).toEqual([]);
  });
});

test('a cluster whose owner is killed ends with it, and the next one removes what it left', async () => {
  const folder = join(dir, 'abandoned');
  const module = join(import.meta.dirname, '..', 'support', 'cluster', 'cluster.ts');
  const source = `const { startCluster } = await import(${JSON.stringify(module)});
    await startCluster({ name: ${JSON.stringify(`a${process.pid}`)}, dir: ${JSON.stringify(folder)}, lifetime: 'parent', report: () => {} });
    process.kill(process.pid, 'SIGKILL');`;
  await attempt(process.execPath, ['--input-type=module', '--eval', source]);
  const record = readRecord(folder);
  expect(record?.processes.length).toBeGreaterThan(5);
  await until('no process', 10_000, () => (runningIn(folder).length === 0 ? true : undefined));
  expect(existsSync(`/run/netns/${record?.netns}`)).toBe(true);
  await removeAbandoned();
  expect(existsSync(`/run/netns/${record?.netns}`)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});
