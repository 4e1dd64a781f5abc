import { spawn } from 'node:child_process';
import { renameSync, existsSync } from 'node:fs';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { COMPILED, EngineProcess } from '../api/support/process.ts';
import { children, makeToken } from '../seal/support.ts';
import type { Row } from './engine.ts';
import { cpuTime, load, median, timed } from './load.ts';

const STARTS = 7;
const ROUNDS = 5;
/** Seconds without the HSM, and records that are rewrapped: fewer for a quick look. */
const AWAY_SECONDS = Number(process.env['BENCH_AWAY_SECONDS'] ?? 60);
const RECORDS = Number(process.env['BENCH_REWRAP_RECORDS'] ?? 100_000);
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** What the seal costs: the start, the time without an HSM, wrapped values, and their rewrap. */
export async function benchSeal(): Promise<Row[]> {
  const engine = new EngineProcess(makeToken('1234'), COMPILED);
  try {
    await engine.start();
    const answer = await engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });
    const token: string = answer?.body.root_token;
    await engine.active();
    for (const [path, wrapped] of [
      ['plain', false],
      ['wrapped', true],
    ] as const) {
      await engine.call('POST', `sys/mounts/${path}`, { type: 'kv', seal_wrap: wrapped }, token);
      await engine.call('POST', `${path}/app`, { password: 'x'.repeat(60) }, token);
    }
    return [
      ...(await starts(engine)),
      await readRatio(engine, token),
      ...(await away(engine, token)),
      ...(await rewrap(engine, token)),
    ];
  } finally {
    await engine.remove();
  }
}

// The yardsticks say how busy the machine is: a start can be no faster than Node.
async function starts(engine: EngineProcess): Promise<Row[]> {
  const node: number[] = [];
  const bare: number[] = [];
  const active: number[] = [];
  for (let round = 0; round < STARTS; round += 1) {
    node.push(await duration(() => once(spawn(process.execPath, ['-e', '0']), 'exit')));
    bare.push(await bareServer());
    await engine.kill('SIGTERM');
    active.push(
      await duration(async () => {
        await engine.launch();
        while ((await engine.call('GET', 'sys/health'))?.status !== 200) await pause(5);
      }),
    );
  }
  return [
    { name: 'yardstick: node -e 0', value: median(node), unit: 'ms', limit: NO_LIMIT },
    {
      name: 'yardstick: an empty node:http server answers',
      value: median(bare),
      unit: 'ms',
      limit: NO_LIMIT,
    },
    { name: 'start to active with an HSM', value: median(active), unit: 'ms', limit: 400 },
  ];
}

async function bareServer(): Promise<number> {
  const program =
    "require('node:http').createServer((q, r) => r.end()).listen(0, function () { console.log(this.address().port) })";
  const from = performance.now();
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const socket = createConnection({ port: Number(line.toString()), host: '127.0.0.1' });
  await once(socket, 'connect');
  const took = performance.now() - from;
  socket.destroy();
  child.kill();
  return took;
}

async function readRatio(engine: EngineProcess, token: string): Promise<Row> {
  const cost = async (mount: string): Promise<number> => {
    const shot = () => ({ method: 'GET', path: `/v1/${mount}/app` });
    const before = cpuTime(engine.pid);
    await load({ port: engine.port, token, clients: 8, requests: 6000, shot });
    return cpuTime(engine.pid) - before;
  };
  await cost('plain');
  await cost('wrapped');
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const plain = await cost('plain');
    ratios.push((await cost('wrapped')) / plain);
  }
  return {
    name: 'KV read from a mount with seal_wrap',
    value: median(ratios),
    unit: '× plain mount',
    limit: 2,
  };
}

async function away(engine: EngineProcess, token: string): Promise<Row[]> {
  const { tokens } = engine.token;
  const writes = async (): Promise<boolean> =>
    (await engine.call('POST', 'wrapped/probe', { a: 'b' }, token))?.status === 204;
  if (!(await writes())) throw new Error('a wrapped value cannot be written with the HSM there');
  let lost = 0;
  let sent = 0;
  let gone = true;
  const client = async (id: number): Promise<void> => {
    for (let n = 0; gone; n += 1) {
      const path = `plain/${id}-${n % 100}`;
      const written = await engine.call('POST', path, { n: String(n) }, token);
      const read = await engine.call('GET', 'wrapped/app', undefined, token);
      sent += 2;
      if (written?.status !== 204) lost += 1;
      if (read?.status !== 200) lost += 1;
    }
  };
  renameSync(tokens, `${tokens}.away`);
  for (const pid of children(engine.pid)) process.kill(pid, 'SIGKILL');
  const clients = Array.from({ length: 8 }, (_, id) => client(id));
  await pause(AWAY_SECONDS * 1000);
  if (await writes()) throw new Error('the HSM is not away');
  gone = false;
  await Promise.all(clients);
  if (existsSync(tokens)) renameSync(tokens, `${tokens}.empty`);
  renameSync(`${tokens}.away`, tokens);
  const recovery = await duration(async () => {
    while (!(await writes())) await pause(20);
  });
  return [
    { name: `requests lost of ${sent}, HSM away for ${AWAY_SECONDS} s`, value: lost, unit: '', limit: 0 },
    { name: 'recovery after the HSM is back', value: recovery, unit: 'ms', limit: 2000 },
  ];
}

// Values that were written plain, by disable_sealwrap, are wrapped while others work.
async function rewrap(engine: EngineProcess, token: string): Promise<Row[]> {
  await engine.kill('SIGTERM');
  await engine.start({ more: { disable_sealwrap: true } });
  await engine.active();
  const body = JSON.stringify({ password: 'x'.repeat(60) });
  const shot = (n: number) => ({ method: 'POST', path: `/v1/wrapped/r${n}`, body });
  await load({ port: engine.port, token, clients: 64, requests: RECORDS, shot });
  await engine.kill('SIGTERM');
  await engine.start();
  await engine.active();
  const p99 = async (seconds: number): Promise<number> => {
    const options = {
      port: engine.port,
      token,
      clients: 4,
      shot: (n: number) =>
        n % 5 === 0
          ? { method: 'POST', path: `/v1/plain/p${n % 100}`, body }
          : { method: 'GET', path: '/v1/plain/app' },
    };
    const times = (await timed(options, seconds * 1000)).toSorted((a, b) => a - b);
    return times[Math.floor(times.length * 0.99)] ?? Number.NaN;
  };
  const status = async (): Promise<{ is_running: boolean; entries: { succeeded: number; failed: number } }> =>
    (await engine.call('GET', 'sys/sealwrap/rewrap', undefined, token))?.body.data;
  await p99(3);
  const quiet = await p99(8);
  const from = performance.now();
  await engine.call('POST', 'sys/sealwrap/rewrap', {}, token);
  const busy = await p99(8);
  const overlapped = (await status()).is_running;
  while ((await status()).is_running) await pause(100);
  const seconds = (performance.now() - from) / 1000;
  const { entries } = await status();
  if (entries.failed > 0 || entries.succeeded < RECORDS) throw new Error(JSON.stringify(entries));
  if (!overlapped) process.stdout.write('the rewrap ended before the measurement: take more records\n');
  return [
    { name: `rewrap of ${RECORDS} records`, value: seconds, unit: 's', limit: NO_LIMIT },
    { name: 'p99 of other requests while it runs', value: busy / quiet, unit: '× without', limit: 2 },
  ];
}

async function duration(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
