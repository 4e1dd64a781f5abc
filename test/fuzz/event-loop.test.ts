import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Case, cases, MB, SETUP } from './shapes.ts';

/** Milliseconds for which one request may hold the engine: its health is asked every second or so. */
const BOUND = 250;
/** For a body of the listener's whole limit, 32 MB: only who has a good token may send one. */
const LARGE_BOUND = 1000;
/** Other work of the machine may hold it as well, but not each time. */
const TRIES = 5;

let dir: string;
let child: ChildProcess;
let address = '';
let root = '';

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'event-loop-'));
  const config = {
    listener: [{ tcp: { address: '127.0.0.1:0', tls_disable: true } }],
    storage: { inmem: {} },
    audit: [{ file: { file_path: join(dir, 'audit.log') } }],
  };
  child = fork(new URL('watched-engine.ts', import.meta.url), [JSON.stringify(config)]);
  [{ address }] = (await once(child, 'message')) as [{ address: string }];
  const made = JSON.parse((await send('PUT', 'sys/init', '{"secret_shares":1,"secret_threshold":1}')).body);
  root = made.root_token;
  await send('PUT', 'sys/unseal', JSON.stringify({ key: made.keys[0] }));
  for (const [path, body] of SETUP) {
    const answer = await send('POST', path, JSON.stringify(body), { 'X-Vault-Token': root });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 300)}`);
  }
});

afterAll(() => {
  child.disconnect();
  rmSync(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function send(
  method: string,
  path: string,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const made = request(
      {
        host,
        port,
        method,
        path: `/v1/${path}`,
        headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += String(chunk)));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
      },
    );
    made.setTimeout(60_000, () => made.destroy(new Error('no answer within a minute')));
    // A body that is refused before it was read ends the connection.
    made.on('error', (error) =>
      /EPIPE|ECONNRESET/.test(String(Reflect.get(error, 'code')))
        ? resolve({ status: 0, body: '' })
        : reject(error),
    );
    made.end(body);
  });
}

/** Milliseconds for which the engine was held at most since it was asked last. */
async function delay(): Promise<number> {
  child.send('delay');
  const [said] = (await once(child, 'message')) as [{ delay: number }];
  return said.delay;
}

const verdicts: string[] = [];

/** The least of some tries: what a request orders is ordered each time. */
async function held({ method, path, headers = {} }: Case, bytes: Buffer, token: string): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least > BOUND; tries += 1) {
    await delay();
    await send(method, path, bytes, token === '' ? headers : { ...headers, 'X-Vault-Token': token });
    least = Math.min(least, await delay());
  }
  return least;
}

test.each(['of a stranger', 'with a token that is none', 'of root'])(
  'no request %s holds the engine for long',
  async (who) => {
    const token = who === 'of root' ? root : who === 'of a stranger' ? '' : 'hvs.none';
    const slow: string[] = [];
    const only = process.env['SEALEDVAULT_SHAPE'] ?? '';
    for (const each of cases.filter(({ what }) => what.includes(only))) {
      const bytes = Buffer.from(each.body());
      const bound = token === root && bytes.length > 8 * MB ? LARGE_BOUND : BOUND;
      const ms = await held(each, bytes, token);
      verdicts.push(`${Math.round(ms)} ms: ${who}, ${each.what}`);
      if (ms > bound) slow.push(`${each.what}: ${Math.round(ms)} ms`);
    }
    if (process.env['SEALEDVAULT_SLOWEST'] !== undefined)
      console.log(
        verdicts
          .toSorted((a, b) => Number.parseInt(b) - Number.parseInt(a))
          .slice(0, 40)
          .join('\n'),
      );
    expect(slow).toEqual([]);
    expect((await send('GET', 'sys/health')).status).toBe(200);
  },
  900_000,
);
