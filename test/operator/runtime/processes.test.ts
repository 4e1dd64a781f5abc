import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { KubernetesObject } from '../../support/cluster/api.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/controlplane.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import { eventually } from './support.ts';

const HOME = 'operator-home';
const dir = mkdtempSync(join(tmpdir(), 'sealedvault-processes-'));
const children: ChildProcess[] = [];
let plane: ControlPlane;

interface Operator {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  readonly log: () => string;
}

beforeAll(async () => {
  plane = await startControlPlane({ dir: join(dir, 'plane') });
  await plane.api.call('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: HOME },
  });
  const crds = join(projectRoot, 'crds');
  for (const file of readdirSync(crds).filter((name) => name.endsWith('.yaml'))) {
    const definition = parse(readFileSync(join(crds, file), 'utf8')) as KubernetesObject;
    const name = definition.metadata?.name ?? '';
    await plane.api.apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`, definition);
  }
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function start(name: string): Operator {
  const child = spawn(process.execPath, [join(projectRoot, 'src', 'main.ts'), 'controller'], {
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: plane.kubeconfigPath,
      POD_NAMESPACE: HOME,
      POD_NAME: name,
      SEALEDVAULT_IMAGE: 'sealedvault:test',
      HEALTH_PORT: '0',
      METRICS_PORT: '0',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, log: () => text, exit: once(child, 'exit').then(([code]) => code as number | null) };
}

async function holder(): Promise<string> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${HOME}/leases/sealedvault-operator`;
  const lease = await plane.api.find<{ spec: { holderIdentity?: string } }>(path);
  return lease?.spec.holderIdentity ?? '';
}

test('a leader that is stopped past its lease is replaced, and ends when it wakes', async () => {
  const first = start('first');
  await eventually('the first one leads', async () => (await holder()).startsWith('first_'), 30_000);
  const second = start('second');
  await eventually('the second one watches', () => second.log().includes('the caches are complete'), 30_000);
  expect(await holder()).toMatch(/^first_/);

  first.child.kill('SIGSTOP');
  await eventually('the second one leads', async () => (await holder()).startsWith('second_'), 30_000);
  first.child.kill('SIGCONT');
  expect(await first.exit).toBe(1);
  expect(first.log()).toContain('ERR_LEADER_LOST');
  expect(await holder()).toMatch(/^second_/);

  second.child.kill('SIGTERM');
  expect(await second.exit).toBe(0);
  expect(await holder()).toBe('');
});
