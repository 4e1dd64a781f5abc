import { afterAll, beforeAll, expect, test } from 'vitest';
import { createShamirSeal } from '../../src/engine/seal/shamir.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { makeToken } from '../seal/support.ts';
import { Disk } from '../support/mortal-physical.ts';
import { CoreOnDisk } from './support/core-on-disk.ts';
import { type Answer, TestEngine } from './support/engine.ts';
import { EngineProcess } from './support/process.ts';

const UPGRADING =
  'Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.';
/** Names that a version 2 store uses itself are names of secrets like any other. */
const NAMES = ['a', 'config', 'deep/er/still', 'deep/x', 'metadata/a', 'versions/x/1', 'z'];
const toV2 = { options: { version: '2' } };

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());
const call = (...args: Parameters<TestEngine['call']>): Promise<Answer> => engine.call(...args);

async function fill(mount: string, more: object = {}): Promise<void> {
  await call('POST', `sys/mounts/${mount}`, { type: 'kv', ...more });
  for (const name of NAMES)
    await call('POST', `${mount}/${name}`, `{"name":"${name}","big":12345678901234567890}`);
}

async function settled(path: string): Promise<Answer> {
  for (;;) {
    const answer = await call('GET', path);
    if (answer.body?.errors?.[0] !== UPGRADING) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a filled mount becomes version 2 with every secret, and says so meanwhile', async () => {
  await fill('filled');
  const tuned = await call('POST', 'sys/mounts/filled/tune', toV2);
  expect(tuned.status).toBe(200);
  expect(tuned.body.warnings).toEqual([
    'Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will resume service shortly.',
  ]);
  for (const [method, path] of [
    ['GET', 'a'],
    ['LIST', ''],
    ['POST', 'data/new'],
    ['DELETE', 'a'],
  ] as const)
    expect(await call(method, `filled/${path}`, method === 'POST' ? { data: {} } : undefined)).toMatchObject({
      status: 400,
      body: { errors: [UPGRADING] },
    });
  await settled('filled/data/a');
  for (const name of NAMES) {
    const response = await fetch(`${engine.address}/v1/filled/data/${name}`, {
      headers: { 'X-Vault-Token': engine.root },
    });
    const text = await response.text();
    expect(text).toContain(`"name":"${name}"`);
    expect(text).toContain('12345678901234567890');
    expect(JSON.parse(text).data.metadata).toMatchObject({ version: 1, destroyed: false });
  }
  expect((await call('LIST', 'filled/metadata/')).body.data.keys).toEqual([
    'a',
    'config',
    'deep/',
    'metadata/',
    'versions/',
    'z',
  ]);
  expect((await call('GET', 'filled/config')).body.data.max_versions).toBe(0);
  expect((await call('GET', 'sys/internal/ui/mounts/filled')).body.data.options).toEqual({ version: '2' });
  await engine.restart();
  expect((await call('GET', 'filled/data/deep/x')).body.data.data.name).toBe('deep/x');
});

test('neither the way back nor a version that there is not', async () => {
  await fill('held');
  for (const version of ['3', 'abc', '', '0', '-1', '2.0'])
    expect(await call('POST', 'sys/mounts/held/tune', { options: { version } })).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining(`invalid version provided: ${JSON.stringify(version)}`)] },
    });
  expect((await call('GET', 'held/a')).body.data.name).toBe('a');
  await call('POST', 'sys/mounts/held/tune', toV2);
  await settled('held/data/a');
  const back = await call('POST', 'sys/mounts/held/tune', { options: { version: '1' } });
  expect(back).toMatchObject({ status: 400, body: { errors: ['cannot downgrade mount from version 2'] } });
  expect((await call('POST', 'sys/mounts/held/tune', toV2)).status).toBe(204);
  expect((await call('GET', 'held/data/a')).status).toBe(200);
  for (const version of ['3', 'abc'])
    expect((await call('POST', 'sys/mounts/odd', { type: 'kv', options: { version } })).status).toBe(400);
});

test('other options, other tuning and another path leave an upgrade alone', async () => {
  await fill('busy');
  await call('POST', 'sys/mounts/busy/tune', toV2);
  await call('POST', 'sys/mounts/busy/tune', { options: { team: 'x' }, max_lease_ttl: '2h' });
  await call('POST', 'sys/plugins/reload/backend', { mounts: ['busy/'] });
  await call('POST', 'sys/remount', { from: 'busy', to: 'moved' });
  expect((await settled('moved/data/deep/er/still')).body.data.data.name).toBe('deep/er/still');
  expect((await call('GET', 'sys/mounts/moved')).body.data.options).toEqual({ team: 'x', version: '2' });
});

test('a write that is on its way when the mount is tuned is refused or kept, never lost', async () => {
  await fill('raced');
  const writes = Array.from({ length: 60 }, async (_, index) => {
    if (index === 20) await call('POST', 'sys/mounts/raced/tune', toV2);
    return { index, status: (await call('POST', `raced/n${index}`, { index })).status };
  });
  const kept = (await Promise.all(writes)).filter(({ status }) => status === 204);
  await settled('raced/data/a');
  for (const { index } of kept)
    expect((await call('GET', `raced/data/n${index}`)).body.data.data).toEqual({ index });
});

test('an upgrade goes with its mount', async () => {
  await fill('gone');
  await call('POST', 'sys/mounts/gone/tune', toV2);
  expect((await call('DELETE', 'sys/mounts/gone')).status).toBe(204);
  const left = await engine.vault.barrier.list('logical/');
  const known = new Set(
    engine.vault.mounts.entries('mounts').map((entry) => `${entry.folder ?? entry.uuid}/`),
  );
  expect(left.filter((name) => !known.has(name))).toEqual([]);
});

test('a seal-wrapped mount is upgraded and stays wrapped', async () => {
  await fill('wrapped', { seal_wrap: true });
  await call('POST', 'sys/mounts/wrapped/tune', toV2);
  expect((await settled('wrapped/data/a')).body.data.data.name).toBe('a');
});

test('an engine that dies at any write of an upgrade finishes it after its restart', async () => {
  const first = Disk.empty();
  const { physical } = await first.connect();
  const core = new CoreOnDisk(physical, createShamirSeal(systemRandom));
  await core.start();
  const made = (await core.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })).body;
  const unseal = (each: CoreOnDisk): Promise<unknown> =>
    each.call('PUT', 'sys/unseal', { key: made.keys[0] });
  await unseal(core);
  const root: string = made.root_token;
  await core.call('PUT', 'sys/mounts/kv', { type: 'kv' }, root);
  for (const name of NAMES) await core.call('PUT', `kv/${name}`, { name }, root);
  await core.stop();
  const finished = async (each: CoreOnDisk): Promise<void> => {
    while (((await each.call('GET', 'kv/data/a', {}, root)).body.errors ?? [])[0] === UPGRADING)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  let cuts = 0;
  for (let at = 1; ; at += 1) {
    let died = 0;
    for (const side of ['before', 'after'] as const) {
      const disk = first.copy();
      const mortal = await disk.connect({ at, side });
      const doomed = new CoreOnDisk(mortal.physical, createShamirSeal(systemRandom));
      await doomed.start();
      await unseal(doomed);
      mortal.arm();
      await doomed.call('PUT', 'sys/mounts/kv/tune', toV2, root);
      const ends = Date.now() + 3000;
      while (!mortal.died() && Date.now() < ends && mortal.writes() < at)
        await new Promise((resolve) => setTimeout(resolve, 20));
      if (mortal.died()) died += 1;
      await doomed.stop().catch(() => undefined);
      const after = await disk.connect();
      const heir = new CoreOnDisk(after.physical, createShamirSeal(systemRandom));
      await heir.start();
      await unseal(heir);
      await heir.call('PUT', 'sys/mounts/kv/tune', toV2, root);
      await finished(heir);
      for (const name of NAMES)
        expect(
          (await heir.call('GET', `kv/data/${name}`, {}, root)).body.data?.data,
          `${at} ${side}`,
        ).toEqual({ name });
      await heir.stop();
    }
    if (died === 0) break;
    cuts += died;
  }
  expect(cuts).toBeGreaterThanOrEqual(8);
});

test('kill -9 in the middle, several times, loses nothing on LMDB', async () => {
  const process = new EngineProcess(makeToken('canary-pin-kv9'));
  try {
    await process.start();
    const made = await process.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
    const ask = (method: string, path: string, body?: object) =>
      process.call(method, path, body, made?.body.root_token);
    await ask('POST', 'sys/mounts/kv', { type: 'kv' });
    const count = 1500;
    for (let from = 0; from < count; from += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          ask('POST', `kv/f${(from + i) % 7}/n${from + i}`, { n: from + i }),
        ),
      );
    await ask('POST', 'sys/mounts/kv/tune', toV2);
    for (const wait of [1005, 20, 60]) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      await process.kill();
      await process.start();
      await process.active();
    }
    await process.until(async () => (await ask('GET', 'kv/data/f0/n0'))?.status === 200, 'the upgrade');
    for (let n = 0; n < count; n += 1)
      expect((await ask('GET', `kv/data/f${n % 7}/n${n}`))?.body.data?.data).toEqual({ n });
  } finally {
    await process.remove();
  }
});
