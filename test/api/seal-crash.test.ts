import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createShamirSeal } from '../../src/engine/seal/shamir.ts';
import type { Seal } from '../../src/engine/seal/seal.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { configOf, makeSeal, makeToken, type TestToken } from '../seal/support.ts';
import type { Pkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { Disk } from '../support/mortal-physical.ts';
import { CoreOnDisk } from './support/core-on-disk.ts';

/**
 * An engine dies at every single write of every operation that changes a key, once before the write is on the
 * disk and once after it. A new engine must unseal, by the old shares or the new ones, and have the data.
 */
interface Vault {
  readonly disk: Disk;
  readonly root: string;
  readonly shares: readonly string[];
}

interface Operation {
  readonly name: string;
  /** Dying after the write loses the answer with the only copy of the new shares. */
  readonly answerMatters?: true;
  readonly shamir: boolean;
  readonly hsm: boolean;
  /** @returns the shares that are in force if it succeeds */
  readonly run: (core: CoreOnDisk, vault: Vault) => Promise<readonly string[]>;
}

const rekeyBy =
  (path: string, body: object) =>
  async (core: CoreOnDisk, { root, shares }: Vault): Promise<readonly string[]> => {
    const submit = async (to: string, nonce: string, keys: readonly string[]): Promise<any> => {
      let last;
      for (const key of keys) last = await core.call('PUT', `${path}/${to}`, { key, nonce }, root);
      return last?.body;
    };
    const begun = await core.call('PUT', `${path}/init`, body, root);
    const done = await submit('update', begun.body?.nonce ?? '', shares.slice(0, 2));
    const made: readonly string[] = done?.keys ?? [];
    // With verification the new shares are in hands before they are in force.
    if (done?.verification_required === true)
      await submit('verify', done.verification_nonce, made.slice(0, 2));
    return made;
  };
const simple =
  (path: string) =>
  async (core: CoreOnDisk, { root, shares }: Vault): Promise<readonly string[]> => {
    await core.call('PUT', path, {}, root);
    return shares;
  };

const operations: readonly Operation[] = [
  { name: 'sys/rotate', shamir: true, hsm: true, run: simple('sys/rotate') },
  { name: 'sys/rotate/root', shamir: true, hsm: true, run: simple('sys/rotate/root') },
  {
    name: 'sys/rekey of unseal shares',
    shamir: true,
    hsm: false,
    answerMatters: true,
    run: rekeyBy('sys/rekey', { secret_shares: 3, secret_threshold: 2 }),
  },
  {
    name: 'sys/rekey of unseal shares, verified',
    shamir: true,
    hsm: false,
    run: rekeyBy('sys/rekey', { secret_shares: 3, secret_threshold: 2, require_verification: true }),
  },
  {
    name: 'sys/rekey of the root key',
    shamir: false,
    hsm: true,
    run: async (core, vault) => {
      await rekeyBy('sys/rekey', { secret_shares: 1, secret_threshold: 1 })(core, vault);
      return vault.shares;
    },
  },
  {
    name: 'sys/rekey-recovery-key',
    shamir: false,
    hsm: true,
    answerMatters: true,
    run: rekeyBy('sys/rekey-recovery-key', { secret_shares: 3, secret_threshold: 2 }),
  },
  {
    name: 'sys/rekey-recovery-key, verified',
    shamir: false,
    hsm: true,
    run: rekeyBy('sys/rekey-recovery-key', {
      secret_shares: 3,
      secret_threshold: 2,
      require_verification: true,
    }),
  },
];

let token: TestToken;
let hsm: Pkcs11Seal;
beforeAll(async () => {
  token = makeToken('canary-pin-9Zt');
  hsm = makeSeal(configOf(token));
});
afterAll(async () => {
  await hsm.close();
  token[Symbol.dispose]();
});

// One PKCS#11 process serves all engines of this file.
const sealOf = (kind: 'shamir' | 'hsm', which: Pkcs11Seal = hsm): Seal =>
  kind === 'shamir'
    ? createShamirSeal(systemRandom)
    : Object.assign(Object.create(which), bound(which), { close: () => Promise.resolve() });
const bound = (seal: Pkcs11Seal): object =>
  Object.fromEntries(
    (
      [
        'open',
        'wrap',
        'unwrap',
        'random',
        'health',
        'key',
        'keyReport',
        'prove',
        'rehearse',
        'keysOf',
        'backends',
        'onChange',
      ] as const
    ).map((name) => [name, (seal[name] as (...args: never[]) => unknown).bind(seal)]),
  );

async function makeVault(kind: 'shamir' | 'hsm'): Promise<Vault> {
  const disk = Disk.empty();
  const core = new CoreOnDisk((await disk.connect()).physical, sealOf(kind));
  await core.start();
  const counts =
    kind === 'shamir'
      ? { secret_shares: 3, secret_threshold: 2 }
      : { recovery_shares: 3, recovery_threshold: 2 };
  const { body } = await core.call('PUT', 'sys/init', counts);
  const vault = { disk, root: body.root_token, shares: kind === 'shamir' ? body.keys : body.recovery_keys };
  await unseal(core, vault.shares);
  expect((await core.call('PUT', 'sys/mounts/kv', { type: 'kv' }, vault.root)).status).toBe(204);
  expect((await core.call('PUT', 'kv/a', { b: 'c' }, vault.root)).status).toBe(204);
  await core.stop();
  return vault;
}

async function unseal(core: CoreOnDisk, shares: readonly string[]): Promise<boolean> {
  for (const key of core.isUnsealed() ? [] : shares.slice(0, 2))
    await core.call('PUT', 'sys/unseal', { key });
  return core.isUnsealed();
}

/** @returns which shares a new engine opens by and lets a quorum make a root token by */
async function revive(
  kind: 'shamir' | 'hsm',
  { disk, root }: Vault,
  candidates: readonly (readonly string[])[],
  which?: Pkcs11Seal,
): Promise<number> {
  const core = new CoreOnDisk((await disk.connect()).physical, sealOf(kind, which));
  await core.start();
  try {
    if (kind === 'hsm')
      await expect.poll(() => core.isUnsealed(), { timeout: 10_000, interval: 5 }).toBe(true);
    for (const [index, shares] of candidates.entries()) {
      if (shares.length === 0 || !(await unseal(core, shares))) continue;
      expect((await core.call('GET', 'kv/a', {}, root)).body.data).toEqual({ b: 'c' });
      const { nonce } = (await core.call('PUT', 'sys/generate-root/attempt', {}, root)).body;
      let last;
      for (const key of shares.slice(0, 2))
        last = await core.call('PUT', 'sys/generate-root/update', { key, nonce }, root);
      await core.call('DELETE', 'sys/generate-root/attempt', {}, root);
      if (last?.body.complete === true) {
        expect((await core.call('PUT', 'kv/b', { after: 'crash' }, root)).status).toBe(204);
        return index;
      }
    }
    return -1;
  } finally {
    await core.stop();
    for (const share of candidates.flat()) expect(core.logLines.join('')).not.toContain(share);
  }
}

async function dieAt(
  kind: 'shamir' | 'hsm',
  vault: Vault,
  at: number,
  side: 'before' | 'after',
  run: Operation['run'],
): Promise<{ readonly crashed: boolean; readonly disk: Disk; readonly shares: readonly string[] }> {
  const disk = vault.disk.copy();
  const connection = await disk.connect({ at, side });
  const core = new CoreOnDisk(connection.physical, sealOf(kind));
  await core.start();
  if (kind === 'hsm') await expect.poll(() => core.isUnsealed(), { timeout: 10_000, interval: 5 }).toBe(true);
  else await unseal(core, vault.shares);
  connection.arm();
  const shares = await run(core, vault);
  const crashed = connection.died();
  await core.stop();
  return { crashed, disk, shares };
}

describe.each(['shamir', 'hsm'] as const)('an engine under a %s seal that dies at any write of', (kind) => {
  test.each(operations.filter((each) => each[kind]))(
    '$name comes back whole',
    async ({ run, answerMatters }) => {
      const vault = await makeVault(kind);
      let deaths = 0;
      for (const side of answerMatters ? (['before'] as const) : (['before', 'after'] as const)) {
        for (let at = 1; ; at += 1) {
          const { crashed, disk, shares } = await dieAt(kind, vault, at, side, run);
          // What never left the engine cannot be given back: only old shares count then.
          const answered = shares.length > 0 ? [shares] : [];
          const opens = await revive(kind, { ...vault, disk }, [vault.shares, ...answered]);
          if (!crashed) {
            expect(opens).toBe(shares === vault.shares ? 0 : 1);
            break;
          }
          deaths += 1;
          expect(opens, `died ${side} write ${at}`).toBeGreaterThanOrEqual(0);
        }
      }
      expect(deaths).toBeGreaterThanOrEqual(answerMatters ? 1 : 2);
    },
  );
});

describe('an engine that dies while it moves to a new key of the HSM', () => {
  test('opens by the new key or by the old, at whatever storage operation it died', async () => {
    const vault = await makeVault('hsm');
    await using next = makeSeal(configOf(token, { key_label: 'next' }));
    await next.open({ signal: new AbortController().signal, allowGenerateKey: true });
    let deaths = 0;
    for (const side of ['before', 'after'] as const) {
      for (let at = 1; ; at += 1) {
        const disk = vault.disk.copy();
        const connection = await disk.connect({ at, side });
        connection.arm();
        const core = new CoreOnDisk(connection.physical, sealOf('hsm', next));
        await core.start();
        const moved = async (): Promise<boolean> => {
          const { body } = await core.call('GET', 'sys/seal-backend-status', {});
          return connection.died() || body?.fully_wrapped === true;
        };
        await expect.poll(moved, { timeout: 10_000, interval: 5 }).toBe(true);
        await core.stop();
        for (const key of [hsm, next])
          expect(await revive('hsm', { ...vault, disk: disk.copy() }, [vault.shares], key)).toBe(0);
        if (!connection.died()) break;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThanOrEqual(2);
  });
});
