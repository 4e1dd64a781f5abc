import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Connection } from '../../../src/operator/runtime/api/connection.ts';
import type { Informers } from '../../../src/operator/runtime/watch/informers.ts';
import type { Fault, Seen } from './proxy.ts';
import { Bench, CONFIG_MAP, contents, eventually, recorder } from './support.ts';

const bench = new Bench();
let connection: Connection;
let stop: AbortController;
let informers: Informers;
let names: string[];
let namespace: string;
let count = 0;

beforeAll(() => bench.start());
afterAll(() => bench.stop());

beforeEach(async () => {
  count += 1;
  namespace = await bench.namespace(`reflect-${count}`);
  connection = bench.connect();
  stop = new AbortController();
  informers = bench.informers(connection, [namespace]);
  const heard = recorder();
  names = heard.names;
  informers.watch({ type: CONFIG_MAP }, heard.listener);
});

afterEach(async () => {
  stop.abort();
  await informers.ended();
  connection.close();
  bench.proxy.fault = () => undefined;
});

const isWatch = (seen: Seen): boolean => seen.query.get('watch') === 'true' && seen.path.includes(namespace);
const isList = (seen: Seen): boolean =>
  seen.method === 'GET' &&
  seen.path.endsWith('/configmaps') &&
  !isWatch(seen) &&
  seen.path.includes(namespace);

async function begin(): Promise<void> {
  informers.start(stop.signal);
  await informers.whenSynced(AbortSignal.timeout(20_000));
}

function settled(): Promise<void> {
  return eventually('the cache equals the API server', async () => {
    const truth = await bench.truth(namespace);
    const known = contents(informers.list(CONFIG_MAP, namespace));
    return truth.size === known.size && [...truth].every(([name, data]) => known.get(name) === data);
  });
}

describe('reflector', () => {
  test('a list comes in pages and the cache is complete', async () => {
    for (let i = 0; i < 12; i += 1) await bench.put(namespace, `page-${i}`, { i: String(i) });
    await begin();
    await settled();
    expect(informers.list(CONFIG_MAP, namespace)).toHaveLength(12);
    expect(bench.proxy.count((seen) => isList(seen) && seen.query.has('continue'))).toBe(2);
    expect(bench.proxy.seen.findLast(isWatch)?.query.get('allowWatchBookmarks')).toBe('true');
  });

  test('objects are frozen and without managedFields', async () => {
    await bench.put(namespace, 'frozen', { a: '1' });
    await begin();
    const object = informers.get(CONFIG_MAP, { namespace, name: 'frozen' });
    expect(object?.kind).toBe('ConfigMap');
    expect(object?.metadata).not.toHaveProperty('managedFields');
    expect(Object.isFrozen(Reflect.get(object ?? {}, 'data'))).toBe(true);
  });

  test.each<[string, (seen: Seen) => boolean, Fault]>([
    ['a watch that is answered with 410', isWatch, { kind: 'status', status: 410, reason: 'Expired' }],
    ['an ERROR frame of 410', isWatch, { kind: 'frame', code: 410, reason: 'Expired' }],
    ['an ERROR frame of 500', isWatch, { kind: 'frame', code: 500, reason: 'InternalError' }],
    ['a watch that falls silent without an end', isWatch, { kind: 'silence' }],
    ['a stream that ends within a line', isWatch, { kind: 'half' }],
    ['a stream that is reset', isWatch, { kind: 'reset-stream' }],
    ['a connection that is reset', isWatch, { kind: 'reset' }],
    ['a list that fails with 500', isList, { kind: 'status', status: 500, reason: 'InternalError' }],
    ['a list that is reset', isList, { kind: 'reset' }],
    ['credentials that are refused once', isList, { kind: 'status', status: 401, reason: 'Unauthorized' }],
  ])('%s costs no key', async (_title, concerns, fault) => {
    let left = 2;
    bench.proxy.fault = (seen) => {
      if (!concerns(seen) || left === 0) return undefined;
      left -= 1;
      return fault;
    };
    await bench.put(namespace, 'early', { v: '1' });
    informers.start(stop.signal);
    await informers.whenSynced(AbortSignal.timeout(20_000));
    for (let i = 0; i < 10; i += 1) {
      await bench.put(namespace, `key-${i}`, { v: '1' });
      await systemClock.sleep(100);
    }
    await bench.put(namespace, 'early', { v: '2' });
    await bench.drop(namespace, 'key-3');
    await settled();
    expect(left).toBe(0);
    for (let i = 0; i < 10; i += 1) expect(names).toContain(`key-${i}`);
  });

  test('the same version told twice is no news', async () => {
    bench.proxy.fault = (seen) => (isWatch(seen) ? { kind: 'duplicate' } : undefined);
    await begin();
    for (let i = 0; i < 5; i += 1) await bench.put(namespace, `twice-${i}`, {});
    await eventually('all are known', () => informers.list(CONFIG_MAP, namespace).length === 5);
    expect(names).toHaveLength(5);
  });

  test('a server that always refuses is asked less and less often', async () => {
    bench.proxy.fault = (seen) =>
      isList(seen) || isWatch(seen) ? { kind: 'status', status: 500, reason: 'InternalError' } : undefined;
    const before = bench.proxy.seen.length;
    informers.start(stop.signal);
    await systemClock.sleep(5_000);
    const asked = bench.proxy.seen.slice(before).filter(isList);
    // 50, 100, 200, 400, 800 ms, and from then on every second: half of it at the least.
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.length).toBeLessThan(17);
    expect(informers.isSynced(CONFIG_MAP, namespace)).toBe(false);
    bench.proxy.fault = () => undefined;
    await informers.whenSynced(AbortSignal.timeout(5_000));
  });

  test('a watch that is expired for ever does not become a storm of lists', async () => {
    bench.proxy.fault = (seen) =>
      isWatch(seen) ? { kind: 'frame', code: 410, reason: 'Expired' } : undefined;
    const before = bench.proxy.seen.length;
    informers.start(stop.signal);
    await systemClock.sleep(5_000);
    expect(bench.proxy.seen.slice(before).filter(isList).length).toBeLessThan(17);
  });

  test('Retry-After is heeded', async () => {
    let first: number | undefined;
    bench.proxy.fault = (seen) => {
      if (!isList(seen) || first !== undefined) return undefined;
      first = seen.at;
      return { kind: 'status', status: 429, reason: 'TooManyRequests', retryAfter: 2 };
    };
    await begin();
    const second = bench.proxy.seen.findLast(isList)?.at ?? 0;
    expect(second - (first ?? 0)).toBeGreaterThan(1_990);
  });

  test('403 means not synced, and is no end', async () => {
    let forbidden = true;
    bench.proxy.fault = (seen) =>
      forbidden && isList(seen) ? { kind: 'status', status: 403, reason: 'Forbidden' } : undefined;
    informers.start(stop.signal);
    await eventually('it asked', () => bench.proxy.seen.some((seen) => isList(seen)));
    await systemClock.sleep(300);
    expect(informers.isSynced(CONFIG_MAP, namespace)).toBe(false);
    expect(bench.proxy.count(isList)).toBe(1);
    forbidden = false;
  });

  test('nothing of an answer is in the log', () => {
    expect(bench.lines.lines.length).toBeGreaterThan(5);
    expect(bench.lines.lines.join('\n')).not.toContain('CANARY');
  });
});

describe('reflector and a restarted API server', () => {
  test('changes made around a restart are all seen', async () => {
    await begin();
    await bench.put(namespace, 'before', { v: '1' });
    await bench.plane.killApiServer();
    await bench.plane.startApiServer();
    await bench.put(namespace, 'after', { v: '1' });
    await bench.drop(namespace, 'before');
    await settled();
    expect(names).toContain('after');
    expect(informers.get(CONFIG_MAP, { namespace, name: 'before' })).toBeUndefined();
  });
});
