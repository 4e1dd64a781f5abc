import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEngineConfig } from '../../src/engine/config.ts';
import type { Core } from '../../src/engine/core/core.ts';
import { initializeDev } from '../../src/engine/dev.ts';
import { view } from '../../src/engine/logical/storage.ts';
import { startEngine } from '../../src/engine/server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { COMPILED } from '../api/support/process.ts';
import { freePort } from '../support/cluster/controlplane.ts';
import { residentMemory } from './load.ts';
import type { Row } from './engine.ts';

const TOKENS = 100_000;
const ENTRIES = 1_000_000;
const LEASES = 1_000_000;
const AT_ONCE = 4_000;

/** What a vault with much in it needs: time from the last share to active, and memory once it has served. */
export async function benchScale(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-scale-'));
  try {
    const port = await freePort();
    const config = JSON.stringify({
      listener: [{ tcp: { address: `127.0.0.1:${port}`, tls_disable: true } }],
      storage: { file: { path: join(dir, 'data') } },
    });
    const { unsealKey, rootToken } = await fill(config);
    const file = join(dir, 'config.json');
    writeFileSync(file, config, { mode: 0o600 });
    const engine = spawn(process.execPath, [COMPILED, 'server', `-config=${file}`], { stdio: 'ignore' });
    try {
      return await measure(engine, port, unsealKey, rootToken);
    } finally {
      engine.kill('SIGKILL');
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function fill(text: string): Promise<{ unsealKey: string; rootToken: string }> {
  const engine = await startEngine({
    config: parseEngineConfig(text, {}).config,
    env: {},
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'error' }),
  });
  const dev = await initializeDev(engine.core, '');
  await populate(engine.core);
  await engine.stop();
  return dev;
}

async function populate({ vault }: Core): Promise<void> {
  if (vault === undefined) throw new TypeError('the vault is open');
  const mounted = vault.mounts.router.find('secret/');
  const storage = view(vault.barrier, `logical/${mounted?.entry.uuid ?? ''}/filling/`);
  const value = new TextEncoder().encode(JSON.stringify({ password: 'x'.repeat(60) }));
  for (let from = 0; from < ENTRIES; from += AT_ONCE) {
    await storage.write(
      Array.from({ length: AT_ONCE }, (_, index) => ({ type: 'put', key: `k${from + index}`, value })),
    );
  }
  await inTurns(TOKENS, () =>
    vault.tokens.create({
      parent: '',
      policies: ['default'],
      path: 'auth/token/create',
      displayName: 'token',
      meta: null,
      numUses: 0,
      ttl: 86_400,
      explicitMaxTtl: 0,
      period: 0,
      renewable: true,
      orphan: true,
      entityId: '',
    }),
  );
  const limits = { default: 86_400, max: 86_400 };
  await inTurns(LEASES, () =>
    vault.leases.register(
      { ttl: 86_400, maxTtl: 86_400, renewable: true, internal: { username: 'someone' } },
      { path: 'database/creds/app', mount: 'database_1', limits },
      undefined,
    ),
  );
}

async function inTurns(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - from) }, work));
}

async function measure(engine: ChildProcess, port: number, unsealKey: string, token: string): Promise<Row[]> {
  const call = (path: string, method = 'GET', body?: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  for (;;) {
    const answer = await call('sys/seal-status').catch(() => undefined);
    if (answer !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const begin = performance.now();
  await call('sys/unseal', 'PUT', { key: unsealKey });
  while ((await call('sys/health')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 5));
  const active = performance.now() - begin;
  for (let n = 0; n < 5_000; n += 1) await (await call('auth/token/lookup-self')).arrayBuffer();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  // The database is mapped into memory: what of it is resident belongs to the page cache, not to the engine.
  const own = residentMemory(engine.pid ?? 0, 'RssAnon');
  return [
    { name: 'time to active with 1,000,000 leases', value: active, unit: 'ms', limit: 1_000 },
    {
      name: 'memory of its own with 100,000 tokens, 1,000,000 KV entries',
      value: own,
      unit: 'MiB',
      limit: 200,
    },
  ];
}
