import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAudit } from '../../src/engine/audit/audit.ts';
import { Core } from '../../src/engine/core/core.ts';
import { createInmem, type Inmem } from '../../src/engine/physical/inmem.ts';
import { type Physical, PhysicalError } from '../../src/engine/physical/physical.ts';
import { createProcessServices } from '../../src/engine/process/process.ts';
import { factories } from '../../src/engine/registry.ts';
import type { Seal } from '../../src/engine/seal/seal.ts';
import { createShamirSeal } from '../../src/engine/seal/shamir.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { plainKeyRandom } from '../../src/lib/key-random.ts';
import { createLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { configOf, makeSeal, makeToken, type TestToken } from './support.ts';

/**
 * Kills a migration at every operation of the storage, before and after it took effect, and starts again: the vault
 * must then be one of the old seal, whose migration can be repeated, or one of the new seal. Real HSM seals.
 */
type Death = { readonly at: number; readonly applied: boolean };

/** Works until its time has come, and never again: what a process sees that is being killed. */
function mortal(under: Physical, death: Death | undefined): Physical & { readonly operations: () => number } {
  let count = 0;
  const live = async <T>(work: () => Promise<T>): Promise<T> => {
    count += 1;
    if (death === undefined || count < death.at) return work();
    if (count === death.at && death.applied) await work();
    throw new PhysicalError('killed');
  };
  return {
    type: under.type,
    get: (key) => live(() => under.get(key)),
    write: (operations) => live(() => under.write(operations)),
    list: (prefix, options) => live(() => under.list(prefix, options)),
    close: () => Promise.resolve(),
    operations: () => count,
  };
}

const everLogged: string[] = [];
const logLines: string[] = [];
const write = (line: string): void => void (logLines.push(line), everLogged.push(line));
const log = createLogger({ level: 'debug', destination: { write } });

function coreOf(physical: Physical, seal: Seal, migrateFrom?: Seal): Core {
  return new Core({
    physical,
    seal: lasting(seal),
    migrateFrom: migrateFrom === undefined ? undefined : lasting(migrateFrom),
    factories,
    openAudit: (salt) => openAudit({ devices: [], salt, clock: systemClock, log }),
    clock: systemClock,
    random: systemRandom,
    keyRandom: plainKeyRandom(systemRandom),
    log,
    version: '0.0.0',
    buildDate: '2026-01-01T00:00:00Z',
    defaultLeaseTtl: 60,
    maxLeaseTtl: 60,
    requirePgpShares: false,
    initClientName: undefined,
    rawStorage: false,
    disableSealWrap: false,
    process: createProcessServices({
      log,
      clock: systemClock,
      logLevel: 'info',
      sanitizedConfig: {},
      commandLine: [],
      reload: () => Promise.resolve(),
    }),
  });
}

// A core closes its seals; these go on to the next one.
function lasting(seal: Seal): Seal {
  if (seal.type === 'shamir') return seal;
  return new Proxy(seal, {
    get: (target, name) => {
      if (name === 'close') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function submit(core: Core, shares: readonly string[], migrate: boolean): Promise<void> {
  for (const key of shares) await core.unseal({ key, reset: false, migrate, dryRun: false });
}

async function unsealed(core: Core): Promise<boolean> {
  for (let tries = 0; tries < 200 && !core.isUnsealed(); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return core.isUnsealed();
}

let tokens: TestToken[] = [];
let first: Seal & AsyncDisposable;
let second: Seal & AsyncDisposable;

beforeAll(() => {
  tokens = [makeToken('canary-pin-1', 'first'), makeToken('canary-pin-2', 'second')];
  const [one, two] = tokens;
  if (one === undefined || two === undefined) throw new Error('no tokens');
  first = makeSeal(configOf(one));
  second = makeSeal(configOf(two));
});
afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  for (const token of tokens) token[Symbol.dispose]();
});

const shamir = (): Seal => createShamirSeal(systemRandom);

async function newVault(seal: Seal): Promise<{ physical: Inmem; shares: string[] }> {
  const physical = createInmem();
  const core = coreOf(physical, seal);
  await core.start();
  const counts = { shares: 3, threshold: 2 };
  const byShares = seal.type === 'shamir';
  const made = await core.initialize({
    secretShares: byShares ? counts.shares : undefined,
    secretThreshold: byShares ? counts.threshold : undefined,
    pgpKeys: undefined,
    storedShares: undefined,
    recoveryShares: byShares ? undefined : counts.shares,
    recoveryThreshold: byShares ? undefined : counts.threshold,
    recoveryPgpKeys: undefined,
    rootTokenPgpKey: undefined,
    omitRootToken: false,
    ceremonyId: undefined,
    clientName: undefined,
    signal: new AbortController().signal,
  });
  if ('refused' in made) throw new Error(made.refused);
  const shares = made.keys.map((key) => Buffer.from(key).toString('base64'));
  if (byShares) await submit(core, shares.slice(0, 2), false);
  await core.vault?.barrier.put('test/canary', Buffer.from('canary-value'));
  await core.stop();
  return { physical, shares };
}

const copyOf = async (from: Inmem): Promise<Inmem> => {
  const copy = createInmem();
  await copy.write(from.dump());
  return copy;
};

const readCanary = async (core: Core): Promise<string> =>
  Buffer.from((await core.vault?.barrier.get('test/canary')) ?? []).toString();

describe.each<[string, () => { from: Seal; to: Seal }]>([
  ['Shamir to an HSM', () => ({ from: shamir(), to: first })],
  ['an HSM to another', () => ({ from: first, to: second })],
  ['an HSM to Shamir', () => ({ from: first, to: shamir() })],
])('a migration from %s', (_name, sides) => {
  test('leaves the old or the new seal in force wherever it is killed', { timeout: 110_000 }, async () => {
    const { physical: whole, shares } = await newVault(sides().from);
    const seals = sides();
    const migrateFrom = seals.from.type === 'shamir' ? undefined : seals.from;

    // How many operations there are, and that it works when nobody kills it.
    const counted = mortal(await copyOf(whole), undefined);
    const undisturbed = coreOf(counted, seals.to, migrateFrom);
    await undisturbed.start();
    await submit(undisturbed, shares.slice(0, 2), true);
    expect(undisturbed.isUnsealed()).toBe(true);
    const total = counted.operations();
    await undisturbed.stop();
    expect(total).toBeGreaterThan(10);

    const seen = { old: 0, new: 0 };
    for (let at = 1; at <= total; at += 1) {
      for (const applied of [false, true]) {
        const physical = await copyOf(whole);
        const dying = coreOf(mortal(physical, { at, applied }), seals.to, migrateFrom);
        await dying.start().catch(() => undefined);
        await submit(dying, shares.slice(0, 2), true).catch(() => undefined);
        await dying.stop().catch(() => undefined);

        const again = coreOf(physical, seals.to, migrateFrom);
        logLines.length = 0;
        await again.start();
        const pending = await settledPending(again, seals.to);
        seen[pending ? 'old' : 'new'] += 1;
        if (pending) {
          // The old configuration still opens it by itself…
          const old = coreOf(await copyOf(physical), sides().from);
          await old.start();
          if (seals.from.type === 'shamir') await submit(old, shares.slice(0, 2), false);
          expect(await unsealed(old)).toBe(true);
          expect(await readCanary(old)).toBe('canary-value');
          await old.stop();
          // …and the migration can be repeated.
          await submit(again, shares.slice(1), true);
        } else if (seals.to.type === 'shamir') await submit(again, shares.slice(1), false);
        expect(await unsealed(again), `killed at ${at}, applied: ${applied}`).toBe(true);
        expect(await readCanary(again)).toBe('canary-value');
        expect((await again.sealStatus()).type).toBe(seals.to.type);
        await again.stop();
      }
    }
    expect(seen.old).toBeGreaterThan(0);
    expect(seen.new).toBeGreaterThan(0);
  });
});

// The new seal is asked whether it has taken over already, unless it is Shamir: the log has the answer.
async function settledPending(core: Core, to: Seal): Promise<boolean> {
  if (to.type === 'shamir') return (await core.sealStatus()).migration;
  for (let tries = 0; tries < 1000 && !core.isUnsealed(); tries += 1) {
    if (logLines.some((line) => line.includes('a seal migration is pending'))) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return !core.isUnsealed();
}

test('no log line has a PIN or a share', () => {
  const logged = everLogged.join('');
  for (const canary of ['canary-pin-1', 'canary-pin-2', 'canary-value']) expect(logged).not.toContain(canary);
});
