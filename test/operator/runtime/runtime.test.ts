import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import type {
  Controller,
  KubeObject,
  ObjectKey,
  ResourceType,
} from '../../../src/operator/runtime/runtime.ts';
import { Runtime } from '../../../src/operator/runtime/start.ts';
import { Bench, CONFIG_MAP, eventually, QUICK, SECRET } from './support.ts';

const SERVICE_ACCOUNT: ResourceType = { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' };
const bench = new Bench();
const stop = new AbortController();
const calls: ObjectKey[] = [];
const outcomes: string[] = [];
let ended: Promise<number>;

/** Wants a ServiceAccount, with a label for each datum, and a Secret for every ConfigMap. */
const controller: Controller = {
  name: 'test',
  primary: CONFIG_MAP,
  watches: [{ type: SERVICE_ACCOUNT }, { type: SECRET, metadataOnly: true }],
  concurrency: 2,
  deadlineMs: 500,
  reconcile: async (key, context) => {
    calls.push(key);
    const map = context.cache.get<KubeObject & { data?: Record<string, string> }>(CONFIG_MAP, key);
    if (map === undefined || map.metadata.uid === undefined) return {};
    if (map.data?.['mode'] === 'throw') throw new TypeError('CANARY is not in a status');
    // It does not heed its signal.
    if (map.data?.['mode'] === 'hang') await new Promise<void>(() => undefined);
    const metadata = {
      ...key,
      ownerReferences: [
        { apiVersion: 'v1', kind: 'ConfigMap', name: key.name, uid: map.metadata.uid, controller: true },
      ],
    };
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { ...metadata, labels: map.data ?? {} },
    };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { token: 'CANARY-SECRET' } };
    outcomes.push(await context.api.apply(SERVICE_ACCOUNT, account, context.signal));
    outcomes.push(await context.api.apply(SECRET, secret, context.signal));
    context.events.record(map, 'Normal', 'Applied', 'all is applied');
    return {};
  },
};

beforeAll(async () => {
  await bench.start();
  await bench.namespace('work');
  const runtime = new Runtime({
    controllers: [controller],
    kubeconfig: bench.kubeconfig,
    namespace: 'work',
    leaseName: 'lease',
    instance: 'pod-0',
    watchNamespaces: ['work'],
    leaderElection: true,
    healthPort: 0,
    metricsPort: 0,
    log: bench.lines.log,
    clock: systemClock,
    random: systemRandom,
    reflectorTimes: QUICK,
  });
  ended = runtime.run(stop.signal);
});

afterAll(async () => {
  stop.abort();
  await ended?.catch(() => undefined);
  await bench.stop();
});

function live(plural: string, name: string): Promise<KubeObject | undefined> {
  return bench.plane.api.find<KubeObject>(`/api/v1/namespaces/work/${plural}/${name}`);
}

async function port(field: 'healthPort' | 'metricsPort', path: string): Promise<Response> {
  const line = bench.lines.lines.find((text) => text.includes('has started')) ?? '{}';
  return fetch(`http://127.0.0.1:${(JSON.parse(line) as Record<string, number>)[field]}${path}`);
}

function writes(since: number): string[] {
  return bench.proxy.seen
    .slice(since)
    .filter((seen) => seen.method !== 'GET' && !seen.path.endsWith('/leases/lease'))
    .map((seen) => `${seen.method} ${seen.path}`);
}

test('what is wanted is made, and an event says so', async () => {
  await bench.put('work', 'one', { a: 'x', b: 'y' });
  await eventually('the secret is there', async () => (await live('secrets', 'one')) !== undefined);
  expect((await live('serviceaccounts', 'one'))?.metadata.labels).toEqual({ a: 'x', b: 'y' });
  expect((await live('secrets', 'one'))?.metadata.annotations).toBeUndefined();
  await eventually('the event is there', async () => {
    const list = await bench.plane.api.call<{ items: { reason: string }[] }>(
      'GET',
      '/apis/events.k8s.io/v1/namespaces/work/events',
    );
    return list.items.some(({ reason }) => reason === 'Applied');
  });
});

test('an idle operator writes nothing but its lease (I3)', async () => {
  await systemClock.sleep(1_000);
  const since = bench.proxy.seen.length;
  await systemClock.sleep(10_000);
  expect(writes(since)).toEqual([]);
  const renewals = bench.proxy.seen.slice(since).filter((seen) => seen.method === 'PUT');
  expect(renewals.length).toBeGreaterThan(2);
});

test('a field that is no longer wanted goes, and drift is undone', async () => {
  await bench.put('work', 'one', { a: 'x' });
  await eventually(
    'b is gone',
    async () => (await live('serviceaccounts', 'one'))?.metadata.labels?.['b'] === undefined,
  );
  const path = '/api/v1/namespaces/work/serviceaccounts/one';
  await bench.plane.api.call(
    'PATCH',
    path,
    { metadata: { labels: { a: 'drift' } } },
    'application/merge-patch+json',
  );
  await eventually(
    'a is back',
    async () => (await live('serviceaccounts', 'one'))?.metadata.labels?.['a'] === 'x',
  );
});

test('a secret that somebody changed is written again, and none is ever read', async () => {
  const before = await live('secrets', 'one');
  const path = '/api/v1/namespaces/work/secrets/one';
  await bench.plane.api.call('PATCH', path, { data: { token: 'AAAA' } }, 'application/merge-patch+json');
  await eventually('it is as it was', async () => {
    const now = await live('secrets', 'one');
    return (
      JSON.stringify(Reflect.get(now ?? {}, 'data')) === JSON.stringify(Reflect.get(before ?? {}, 'data'))
    );
  });
  const touched = bench.proxy.seen.filter((seen) => seen.path.includes('/secrets'));
  expect(touched.length).toBeGreaterThan(2);
  for (const seen of touched) expect(seen.accept).toContain('PartialObjectMetadata');
});

test('an object of somebody else is not taken over', async () => {
  await bench.plane.api.call('POST', '/api/v1/namespaces/work/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name: 'foreign',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'another', controller: true }],
    },
  });
  await bench.put('work', 'foreign', { a: 'x' });
  await eventually('it is reported', () => bench.lines.lines.some((line) => line.includes('NameConflict')));
  expect((await live('serviceaccounts', 'foreign'))?.metadata.labels).toBeUndefined();
  await bench.drop('work', 'foreign');
});

test('a key that throws, and one that hangs, hold up no other (I2)', async () => {
  await bench.put('work', 'bad', { mode: 'throw' });
  await bench.put('work', 'stuck-1', { mode: 'hang' });
  await bench.put('work', 'stuck-2', { mode: 'hang' });
  await eventually('all are tried', () =>
    ['bad', 'stuck-1', 'stuck-2'].every((name) => calls.some((key) => key.name === name)),
  );
  await bench.put('work', 'good', { mode: 'fine' });
  await eventually('the good one is done', async () => (await live('secrets', 'good')) !== undefined);
  expect(calls.filter((key) => key.name === 'stuck-1')).toHaveLength(1);
});

test('the API server restarts: nothing is lost, and the lease is kept', async () => {
  await bench.plane.restartApiServer();
  await bench.put('work', 'late', { a: 'z' });
  await eventually('it is done', async () => (await live('secrets', 'late')) !== undefined, 30_000);
});

test('probes and metrics answer', async () => {
  expect((await port('healthPort', '/healthz')).status).toBe(200);
  expect((await port('healthPort', '/readyz')).status).toBe(200);
  const text = await (await port('metricsPort', '/metrics')).text();
  expect(text).toContain('sealedvault_leader 1');
  expect(text).toMatch(/sealedvault_reconcile_total\{controller="test",result="success"\} \d+/);
  expect(text).toMatch(/sealedvault_kube_api_requests_total\{verb="patch",code="201"\} \d+/);
  expect(text).not.toContain('CANARY');
});

test('at its end it gives the lease up', async () => {
  stop.abort();
  expect(await ended).toBe(0);
  const path = '/apis/coordination.k8s.io/v1/namespaces/work/leases/lease';
  const lease = await bench.plane.api.call<{ spec: { holderIdentity?: string } }>('GET', path);
  expect(lease.spec.holderIdentity ?? '').toBe('');
  expect(bench.lines.lines.join('\n')).not.toContain('CANARY-SECRET');
});
