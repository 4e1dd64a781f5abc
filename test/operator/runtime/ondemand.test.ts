import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Connection } from '../../../src/operator/runtime/api/connection.ts';
import { Bench, CONFIG_MAP, eventually, recorder, SECRET } from './support.ts';

const bench = new Bench();
const stop = new AbortController();
let connection: Connection;

beforeAll(async () => {
  await bench.start();
  for (const name of ['here', 'there', 'forbidden']) await bench.namespace(name);
  connection = bench.connect();
});

afterAll(async () => {
  stop.abort();
  connection.close();
  await bench.stop();
});

test('Secrets are watched where there is need, by their metadata, and a refusal is no failure (I4)', async () => {
  bench.proxy.fault = (seen) =>
    seen.path.startsWith('/api/v1/namespaces/forbidden/secrets')
      ? { kind: 'status', status: 403, reason: 'Forbidden' }
      : undefined;
  for (const namespace of ['here', 'there']) {
    await bench.plane.api.call('POST', `/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { token: 'CANARY-SECRET' },
    });
  }
  let wanted = ['here', 'forbidden'];
  const informers = bench.informers(connection, []);
  informers.watch({ type: CONFIG_MAP }, recorder().listener);
  informers.watch({ type: SECRET, metadataOnly: true }, { ...recorder().listener, namespaces: () => wanted });
  informers.start(stop.signal);
  await informers.whenSynced(AbortSignal.timeout(20_000));
  await eventually('secrets of one namespace are known', () => informers.isSynced(SECRET, 'here'));

  const secret = informers.get(SECRET, { namespace: 'here', name: 's' });
  expect(secret?.metadata.uid).toBeDefined();
  expect(Object.keys(secret ?? {}).toSorted((a, b) => a.localeCompare(b))).toEqual([
    'apiVersion',
    'kind',
    'metadata',
  ]);
  expect(informers.isSynced(SECRET, 'forbidden')).toBe(false);
  expect(informers.isSynced(SECRET, 'there')).toBe(false);
  expect(informers.get(SECRET, { namespace: 'there', name: 's' })).toBeUndefined();
  expect(informers.hasSynced()).toBe(true);

  wanted = ['there'];
  informers.refresh();
  await eventually('secrets of the other are known', () => informers.isSynced(SECRET, 'there'));
  expect(informers.get(SECRET, { namespace: 'here', name: 's' })).toBeUndefined();
  expect(informers.isSynced(SECRET, 'here')).toBe(false);
  const paths = new Set(bench.proxy.seen.map((seen) => seen.path).filter((path) => path.includes('secrets')));
  expect([...paths].every((path) => path.includes('/namespaces/'))).toBe(true);
});
