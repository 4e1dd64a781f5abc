import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isWrapped } from '../../src/engine/core/seal-wrap-record.ts';
import { children } from '../seal/support.ts';
import { TestEngine } from './support/engine.ts';

const RAW = { raw_storage_endpoint: true };
const REFUSED = 'the seal cannot wrap the value, so nothing was written';
let engine: TestEngine;
let shares: string[] = [];

beforeAll(async () => {
  engine = await TestEngine.start(RAW);
  const made = await engine.call('PUT', 'sys/init', { recovery_shares: 3, recovery_threshold: 2 }, '');
  engine.root = made.body.root_token;
  shares = made.body.recovery_keys_base64;
  await engine.active();
  for (const [path, type, options] of [
    ['wrapped', 'kv', { version: '2' }],
    ['flat', 'kv', { version: '1' }],
    ['keys', 'transit', null],
  ] as const)
    await engine.call('POST', `sys/mounts/${path}`, { type, options, seal_wrap: true });
  await engine.call('POST', 'sys/mounts/plain', { type: 'kv', options: { version: '2' } });
  await put('wrapped/data/a', 'canary-1');
  await put('plain/data/a', 'canary-2');
  await engine.call('PUT', 'flat/a', { value: 'canary-3' });
  await engine.call('POST', 'keys/keys/k');
});
afterAll(async () => engine.stop());

const put = (path: string, value: string) => engine.call('POST', path, { data: { value } });
const valueOf = async (path: string): Promise<unknown> => {
  const { body } = await engine.call('GET', path);
  return body.data?.data?.value ?? body.data?.value ?? body.errors;
};

/** Keys of a mount as they are behind the barrier, and whether each is wrapped. */
async function stored(path: string): Promise<Map<string, boolean>> {
  const { body } = await engine.call('GET', `sys/mounts/${path}`);
  const found = new Map<string, boolean>();
  const { barrier } = engine.vault;
  const walk = async (prefix: string, rest: string): Promise<void> => {
    for (const name of await barrier.list(prefix + rest)) {
      if (name.endsWith('/')) await walk(prefix, rest + name);
      else {
        const value = (await barrier.get(prefix + rest + name)) ?? new Uint8Array();
        found.set((rest + name).replace(/[^/]{20,}/g, '*'), isWrapped(value));
        if (isWrapped(value)) expect(Buffer.from(value).toString('latin1')).not.toMatch(/canary/);
      }
    }
  };
  await walk(`logical/${body.data.uuid}/`, '');
  return found;
}

async function rewrapStatus(): Promise<any> {
  return (await engine.call('GET', 'sys/sealwrap/rewrap')).body.data;
}

async function rewrapped(): Promise<any> {
  expect((await engine.call('POST', 'sys/sealwrap/rewrap')).status).toBe(204);
  await eventually(async () => !(await rewrapStatus()).is_running);
  return (await rewrapStatus()).entries;
}

async function withoutHsm(work: () => Promise<void>): Promise<void> {
  renameSync(engine.token.tokens, `${engine.token.tokens}-gone`);
  for (const pid of children()) process.kill(pid, 'SIGKILL');
  try {
    await work();
  } finally {
    renameSync(`${engine.token.tokens}-gone`, engine.token.tokens);
  }
}

async function eventually(work: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await work()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not happen');
}

describe('seal wrap', () => {
  test('wraps what is critical of mounts that ask for it, and nothing else', async () => {
    const kv = await stored('wrapped');
    expect([...kv].filter(([key]) => key.startsWith('versions/')).map(([, each]) => each)).toEqual([true]);
    expect([...kv].filter(([key]) => key.startsWith('metadata/')).map(([, each]) => each)).toEqual([false]);
    expect([...(await stored('flat'))]).toEqual([['a', true]]);
    expect((await stored('keys')).get('policy/k')).toBe(true);
    expect([...(await stored('plain')).values()]).not.toContain(true);
    expect(await valueOf('wrapped/data/a')).toBe('canary-1');
    expect(await valueOf('flat/a')).toBe('canary-3');
    expect(isWrapped((await engine.vault.barrier.get('sys/token/salt')) ?? new Uint8Array())).toBe(true);
  });

  test('a wrapped value opens at its own path only', async () => {
    await engine.call('PUT', 'flat/b', { value: 'canary-4' });
    const { uuid } = (await engine.call('GET', 'sys/mounts/flat')).body.data;
    const { barrier } = engine.vault;
    const moved = (await barrier.get(`logical/${uuid}/a`)) ?? new Uint8Array();
    const before = (await barrier.get(`logical/${uuid}/b`)) ?? new Uint8Array();
    await barrier.put(`logical/${uuid}/b`, moved);
    expect((await engine.call('GET', 'flat/b')).status).toBe(500);
    await barrier.put(`logical/${uuid}/b`, before);
    expect(await valueOf('flat/b')).toBe('canary-4');
  });

  test('sys/raw shows what is in it, and hides the keys', async () => {
    const { uuid } = (await engine.call('GET', 'sys/mounts/flat')).body.data;
    expect((await engine.call('GET', `sys/raw/logical/${uuid}/a`)).body.data.value).toContain('canary-3');
    expect((await engine.call('GET', 'sys/raw/core/seal-wrap/1')).status).toBe(400);
  });

  test('without the HSM, reads go on and writes fail with nothing written', async () => {
    await withoutHsm(async () => {
      expect(await valueOf('wrapped/data/a')).toBe('canary-1');
      const refused = await put('wrapped/data/a', 'canary-5');
      expect([refused.status, refused.body.errors]).toEqual([500, [REFUSED]]);
      expect(await valueOf('wrapped/data/a')).toBe('canary-1');
      const { metadata } = (await engine.call('GET', 'wrapped/data/a')).body.data;
      expect(metadata.version).toBe(1);
      expect((await engine.call('POST', 'keys/keys/k/rotate')).status).toBe(500);
      expect((await engine.call('GET', 'keys/keys/k')).body.data.latest_version).toBe(1);
      expect((await put('plain/data/a', 'canary-6')).status).toBe(200);
    });
    await eventually(async () => (await put('wrapped/data/a', 'canary-7')).status === 200);
    expect(await valueOf('wrapped/data/a')).toBe('canary-7');
    await engine.restart();
    expect(await valueOf('wrapped/data/a')).toBe('canary-7');
    expect(await valueOf('flat/a')).toBe('canary-3');
  });

  test('disable_sealwrap unwraps with every write, a rewrap unwraps the rest, and another one wraps it all again', async () => {
    await engine.reconfigure({ ...RAW, disable_sealwrap: true });
    await engine.active();
    expect(await valueOf('flat/a')).toBe('canary-3');
    await engine.call('PUT', 'flat/c', { value: 'canary-8' });
    expect(await stored('flat')).toEqual(
      new Map([
        ['a', true],
        ['b', true],
        ['c', false],
      ]),
    );
    expect(await rewrapped()).toMatchObject({ failed: 0, succeeded: expect.any(Number) });
    expect([...(await stored('flat')).values()]).toEqual([false, false, false]);
    expect((await stored('keys')).get('policy/k')).toBe(false);
    expect(await valueOf('wrapped/data/a')).toBe('canary-7');

    await engine.reconfigure(RAW);
    await engine.active();
    expect(await valueOf('flat/a')).toBe('canary-3');
    const again = await rewrapped();
    expect(again.processed).toBeGreaterThanOrEqual(6);
    expect([...(await stored('flat')).values()]).toEqual([true, true, true]);
    expect((await engine.call('GET', 'sys/seal-backend-status')).body.fully_wrapped).toBe(true);
    expect(await rewrapped()).toEqual({ processed: 3, succeeded: 3, failed: 0 });
  });

  test('a rewrap never puts back what is written or deleted meanwhile', async () => {
    const paths = Array.from({ length: 30 }, (_, index) => `flat/race/${index}`);
    await engine.reconfigure({ ...RAW, disable_sealwrap: true });
    await engine.active();
    for (const path of paths) await engine.call('PUT', path, { value: 'old' });
    await engine.reconfigure(RAW);
    await engine.active();
    expect((await engine.call('POST', 'sys/sealwrap/rewrap')).status).toBe(204);
    expect((await engine.call('POST', 'sys/sealwrap/rewrap')).body.warnings).toEqual([
      'a rewrap is already running',
    ]);
    await Promise.all(
      paths.map((path, index) =>
        index % 3 === 0 ? engine.call('DELETE', path) : engine.call('PUT', path, { value: `new ${index}` }),
      ),
    );
    await eventually(async () => !(await rewrapStatus()).is_running);
    for (const [index, path] of paths.entries()) {
      if (index % 3 === 0) expect((await engine.call('GET', path)).status).toBe(404);
      else expect(await valueOf(path)).toBe(`new ${index}`);
    }
    expect((await rewrapStatus()).entries.failed).toBe(0);
  });

  test('what cannot be rewrapped is counted, and done by the next one', async () => {
    await engine.reconfigure({ ...RAW, disable_sealwrap: true });
    await engine.active();
    await engine.call('PUT', 'flat/late', { value: 'canary-9' });
    await engine.reconfigure(RAW);
    await engine.active();
    await withoutHsm(async () => {
      expect(await rewrapped()).toMatchObject({ failed: expect.toSatisfy((count: number) => count > 0) });
      expect(await valueOf('flat/late')).toBe('canary-9');
    });
    await eventually(async () => (await rewrapped()).failed === 0);
    expect((await stored('flat')).get('late')).toBe(true);
  });

  test('wrapped values follow the vault to another seal and back', async () => {
    const hsm = {
      lib: '/usr/lib/softhsm/libsofthsm2.so',
      token_label: engine.token.label,
      key_label: 'root',
    };
    const migrate = async (): Promise<void> => {
      for (const key of shares.slice(0, 2))
        expect((await engine.call('PUT', 'sys/unseal', { key, migrate: true }, '')).status).toBe(200);
      await engine.active();
    };
    await engine.reconfigure({
      seal: [
        { pkcs11: { ...hsm, disabled: 'true' } },
        { pkcs11: { ...hsm, key_label: 'two', generate_key: 'true', name: 'two' } },
      ],
    });
    await migrate();
    expect(await valueOf('flat/a')).toBe('canary-3');
    await put('wrapped/data/b', 'canary-10');

    await engine.reconfigure({ seal: { pkcs11: { ...hsm, key_label: 'two', disabled: 'true' } } });
    await migrate();
    expect([await valueOf('flat/a'), await valueOf('wrapped/data/b')]).toEqual(['canary-3', 'canary-10']);
    // Without an HSM nothing wraps.
    await engine.call('PUT', 'flat/shamir', { value: 'canary-11' });
    expect((await stored('flat')).get('shamir')).toBe(false);

    await engine.reconfigure({ seal: { pkcs11: { ...hsm, key_label: 'three', generate_key: 'true' } } });
    await migrate();
    await engine.call('PUT', 'flat/hsm', { value: 'canary-12' });
    expect((await stored('flat')).get('hsm')).toBe(true);
    for (const [path, value] of [
      ['flat/a', 'canary-3'],
      ['wrapped/data/b', 'canary-10'],
      ['flat/shamir', 'canary-11'],
    ] as const)
      expect(await valueOf(path)).toBe(value);
    const logged = engine.logLines.join('');
    for (const canary of [...shares, 'canary-']) expect(logged).not.toContain(canary);
  });
});
