import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../support/cluster/controlplane.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
let dir = '';
let child: ChildProcess | undefined;
let output = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sealedvault-dev-test-'));
});
afterEach(async () => {
  if (child?.exitCode === null) {
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  }
  rmSync(dir, { recursive: true, force: true });
});

async function start(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  output = '';
  child = spawn(process.execPath, [MAIN, 'server', ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  for (let tries = 0; tries < 400 && !output.includes('Vault server started!'); tries += 1) {
    if (child.exitCode !== null) throw new Error(output);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function call(port: number, method: string, path: string, token: string, body?: object): Promise<any> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
    method,
    headers: { 'X-Vault-Token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return text === '' ? undefined : JSON.parse(text);
}

test('a dev server is unsealed, has KV v2 at secret/, and its root token is the one asked for', async () => {
  const port = await freePort();
  await start(['-dev', '-dev-root-token-id', 'myroot', `-dev-listen-address=127.0.0.1:${port}`]);
  expect(output).toMatch(/^Unseal Key: [A-Za-z0-9+/]{43}=$/m);
  expect(output).toMatch(/^Root Token: myroot$/m);
  expect(readFileSync(join(dir, '.vault-token'), 'utf8')).toBe('myroot');
  await call(port, 'POST', 'secret/data/a', 'myroot', { data: { b: 'c' } });
  expect((await call(port, 'GET', 'secret/data/a', 'myroot')).data.data).toEqual({ b: 'c' });
  expect((await call(port, 'GET', 'auth/token/lookup-self', 'myroot')).data).toMatchObject({
    policies: ['root'],
    ttl: 0,
    path: 'auth/token/root',
  });
  // It can be sealed, and unsealed by the key that was printed.
  const key = /^Unseal Key: (.*)$/m.exec(output)?.[1];
  await call(port, 'PUT', 'sys/seal', 'myroot');
  expect((await call(port, 'PUT', 'sys/unseal', '', { key })).sealed).toBe(false);
});

test('the environment and a configuration file count as well; nothing is stored when told so', async () => {
  const [port, second] = [await freePort(), await freePort()];
  const file = join(dir, 'more.hcl');
  writeFileSync(
    file,
    `listener "tcp" {\n  address = "127.0.0.1:${second}"\n  tls_disable = true\n}\nstorage "file" {\n  path = "${dir}/data"\n}\n`,
  );
  await start(['-dev', '-dev-no-store-token', '-config', file], {
    VAULT_DEV_ROOT_TOKEN_ID: 'from-env',
    BAO_DEV_LISTEN_ADDRESS: `127.0.0.1:${port}`,
  });
  expect(existsSync(join(dir, '.vault-token'))).toBe(false);
  for (const each of [port, second])
    expect((await call(each, 'GET', 'sys/seal-status', '')).storage_type).toBe('file');
  expect((await call(second, 'GET', 'auth/token/lookup-self', 'from-env')).data.id).toBe('from-env');
});

test('a dev server with TLS makes an authority that its clients can trust', async () => {
  const port = await freePort();
  await start(['-dev-tls', `-dev-tls-cert-dir=${dir}/tls`, `-dev-listen-address=127.0.0.1:${port}`]);
  const ca = readFileSync(join(dir, 'tls', 'vault-ca.pem'));
  const status = await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/v1/sys/health', ca }, (answer) => resolve(answer.statusCode))
      .on('error', reject)
      .end();
  });
  expect(status).toBe(200);
  expect(output).toContain(`VAULT_CACERT='${dir}/tls/vault-ca.pem'`);
});
