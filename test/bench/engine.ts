import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { makeToken } from '../seal/support.ts';
import { COMPILED, EngineProcess } from '../api/support/process.ts';
import { cpuTime, load, type LoadOptions, median, residentMemory } from './load.ts';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
}

interface Case {
  readonly name: string;
  readonly limit: number;
  readonly clients: number;
  readonly requests: number;
  readonly shot: LoadOptions['shot'];
}

const value = JSON.stringify({ password: 'x'.repeat(60), user: 'someone' });
const cases: readonly Case[] = [
  {
    name: 'KV v1 read',
    limit: 2.5,
    clients: 8,
    requests: 8000,
    shot: () => ({ method: 'GET', path: '/v1/kv1/app' }),
  },
  {
    name: 'KV v2 read',
    limit: 3,
    clients: 8,
    requests: 8000,
    shot: () => ({ method: 'GET', path: '/v1/secret/data/app' }),
  },
  {
    name: 'token lookup-self',
    limit: 2.5,
    clients: 8,
    requests: 8000,
    shot: () => ({ method: 'GET', path: '/v1/auth/token/lookup-self' }),
  },
  {
    name: 'transit encrypt',
    limit: 3,
    clients: 8,
    requests: 8000,
    shot: () => ({
      method: 'POST',
      path: '/v1/transit/encrypt/bench',
      body: '{"plaintext":"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="}',
    }),
  },
  {
    name: 'KV v1 write, 64 clients, commit synced',
    limit: 5,
    clients: 64,
    requests: 6000,
    shot: (n) => ({ method: 'POST', path: `/v1/kv1/k${n % 500}`, body: value }),
  },
  {
    name: 'KV v2 write, 64 clients, commit synced',
    limit: 7,
    clients: 64,
    requests: 6000,
    shot: (n) => ({ method: 'POST', path: `/v1/secret/data/k${n % 500}`, body: `{"data":${value}}` }),
  },
];
const ROUNDS = 5;

/** Server CPU time a request, as a ratio to the bare node:http answer; memory of an engine. */
export async function benchEngine(): Promise<Row[]> {
  const baseline = spawn(process.execPath, [new URL('./baseline.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(baseline.stdout, 'data')) as [Buffer];
  const barePort = Number(line.toString());
  const engine = new EngineProcess(makeToken('1234'), COMPILED);
  try {
    await engine.start();
    const answer = await engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
    const token: string = answer?.body.root_token;
    await engine.call('POST', 'sys/mounts/kv1', { type: 'kv' }, token);
    await engine.call('POST', 'sys/mounts/transit', { type: 'transit' }, token);
    await engine.call('POST', 'transit/keys/bench', {}, token);
    await engine.call('POST', 'sys/mounts/secret', { type: 'kv-v2' }, token);
    await engine.call('POST', 'kv1/app', JSON.parse(value), token);
    await engine.call('POST', 'secret/data/app', { data: JSON.parse(value) }, token);
    // Tokens that people use are not root tokens: policies are part of the way.
    await engine.call(
      'PUT',
      'sys/policies/acl/bench',
      {
        policy:
          'path "transit/encrypt/*" { capabilities = ["create", "update"] }\npath "kv1/*" { capabilities = ["create", "read", "update"] }\npath "secret/data/*" { capabilities = ["create", "read", "update"] }',
      },
      token,
    );
    const created = await engine.call('POST', 'auth/token/create', { policies: ['bench'] }, token);
    const client: string = created?.body.auth.client_token;

    const measure = async (pid: number, options: LoadOptions): Promise<number> => {
      const before = cpuTime(pid);
      await load(options);
      return (cpuTime(pid) - before) / options.requests;
    };
    const bare = (requests: number): LoadOptions => ({
      port: barePort,
      token: client,
      clients: 8,
      requests,
      shot: () => ({ method: 'GET', path: '/' }),
    });
    const ratio = async (each: Case): Promise<number> => {
      const options: LoadOptions = { port: engine.port, token: client, ...each };
      await load({ ...options, requests: 10_000 });
      const ratios: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const yardstick = await measure(baseline.pid ?? 0, bare(8000));
        ratios.push((await measure(engine.pid, options)) / yardstick);
      }
      return median(ratios);
    };
    const plain: Row[] = [];
    await measure(baseline.pid ?? 0, bare(4000));
    for (const each of cases)
      plain.push({ name: each.name, value: await ratio(each), unit: '× bare answer', limit: each.limit });
    const file = { type: 'file', options: { file_path: join(engine.dir, 'audit.log') } };
    await engine.call('PUT', 'sys/audit/file', file, token);
    const audited: Row[] = [];
    for (const [index, each] of cases.entries()) {
      const without = plain[index]?.value ?? Number.NaN;
      audited.push({
        name: `${each.name}, audited to a file`,
        value: (await ratio(each)) / without,
        unit: '× without',
        limit: 1.5,
      });
    }
    await engine.call('DELETE', 'sys/audit/file', undefined, token);
    return [...plain, ...audited, ...(await idleMemory(engine))];
  } finally {
    baseline.kill();
    await engine.remove();
  }
}

async function idleMemory(engine: EngineProcess): Promise<Row[]> {
  await engine.kill('SIGTERM');
  await engine.start();
  await engine.active();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const children = execFileSync('pgrep', ['-P', String(engine.pid)])
    .toString()
    .trim()
    .split('\n')
    .map(Number);
  const memory = [engine.pid, ...children].reduce((sum, pid) => sum + residentMemory(pid), 0);
  return [{ name: 'resident memory, idle engine with agent', value: memory, unit: 'MiB', limit: 200 }];
}
