import { describe, expect, test } from 'vitest';
import { HandoverSeal } from '../../../src/engine/seal/handover.ts';
import { HsmError } from '../../../src/engine/seal/pkcs11/errors.ts';
import type { HsmSeal, SealContext, SealKey } from '../../../src/engine/seal/seal.ts';
import { Aborted } from '../../../src/lib/errors.ts';
import { Secret } from '../../../src/lib/secret.ts';

const context: SealContext = { clusterId: 'c', purpose: 'root-key' };
const blob = new Uint8Array([1]);
const signal = new AbortController().signal;

interface Can {
  /** What opening the HSM throws. */
  readonly down?: Error;
  /** Whether its key of today made the blob. */
  readonly wrote?: boolean;
  /** Whether it opens the blob. */
  readonly opens?: boolean;
}

interface Fake extends HsmSeal {
  change(): void;
}

function fake(name: string, { down, wrote = false, opens = false }: Can): Fake {
  const listeners: (() => void)[] = [];
  const key: SealKey = { mechanism: '', keyLabel: name, keyId: '', checkValue: '', attributes: {} };
  const up = (): Promise<void> => (down === undefined ? Promise.resolve() : Promise.reject(down));
  return {
    type: 'pkcs11',
    open: up,
    wrap: async () => new Uint8Array([name.length]),
    unwrap: async () => {
      await up();
      if (!opens) throw new HsmError('ERR_SEAL_BLOB');
      return Secret.fromText(name);
    },
    wrote: () => Promise.resolve(wrote),
    random: () => Promise.resolve(new Uint8Array()),
    health: () => ({ healthy: down === undefined, terminal: false }),
    close: () => Promise.resolve(),
    key: () => key,
    keyReport: () => Promise.resolve(key),
    renewCredentials: () => Promise.resolve(true),
    prove: up,
    rehearse: up,
    keysOf: () => [key],
    backends: () => [{ name, health: { healthy: true, terminal: false }, key }],
    onChange: (listener) => listeners.push(listener),
    breakGlass: () => undefined,
    change: () => listeners.forEach((each) => each()),
  };
}

const away = new HsmError('ERR_HSM_TOKEN_NOT_FOUND');

async function settled(from: Can, to: Can): Promise<string> {
  const seal = new HandoverSeal({ from: fake('old', from), to: fake('new', to) });
  try {
    await seal.settle(blob, context, { signal });
    return seal.key()?.keyLabel ?? '';
  } catch (error) {
    return (error as HsmError).code;
  }
}

describe('of two HSMs, the one in force', () => {
  test.each<[string, Can, Can, string]>([
    ['is the old one before the change', { opens: true }, {}, 'old'],
    ['is the new one after it', {}, { wrote: true, opens: true }, 'new'],
    ['is the old one while the new one is away', { opens: true }, { down: away }, 'old'],
    ['is the new one while the old one is away', { down: away }, { wrote: true, opens: true }, 'new'],
    ['is the old one where both are on one HSM', { opens: true }, { opens: true }, 'old'],
    ['is the new one when its key was changed since', {}, { opens: true }, 'new'],
    ['is unknown while the one that has it is away', {}, { down: away }, 'ERR_HSM_TOKEN_NOT_FOUND'],
    ['is unknown while the old one is away and the new one has it not', { down: away }, {}, away.code],
    ['is unknown when neither opens it', {}, {}, 'ERR_SEAL_BLOB'],
  ])('%s', async (_what, from, to, expected) => {
    expect(await settled(from, to)).toBe(expected);
  });

  test('is not sought any more when the process ends', async () => {
    const ended = new Aborted('it ends');
    const seal = new HandoverSeal({ from: fake('old', { opens: true }), to: fake('new', { down: ended }) });
    await expect(seal.settle(blob, context, { signal })).rejects.toBe(ended);
  });

  test('wraps everything; what it did not wrap, the other one opens', async () => {
    const seal = new HandoverSeal({ from: fake('older', { opens: true }), to: fake('new', {}) });
    await seal.settle(blob, context, { signal });
    using plain = Secret.fromText('x');
    expect(await seal.wrap(plain, context, { signal })).toEqual(new Uint8Array([5]));
    seal.complete();
    expect(seal.isPending).toBe(false);
    expect(await seal.wrap(plain, context, { signal })).toEqual(new Uint8Array([3]));
    using back = await seal.unwrap(blob, context, { signal });
    expect(back.borrow((bytes) => Buffer.from(bytes).toString())).toBe('older');
  });

  test('alone is heard, and so is the change', async () => {
    const [from, to] = [fake('old', { opens: true }), fake('new', {})];
    const seal = new HandoverSeal({ from, to });
    let heard = 0;
    seal.onChange(() => (heard += 1));
    await seal.settle(blob, context, { signal });
    expect(heard).toBe(1);
    to.change();
    expect(heard).toBe(1);
    from.change();
    expect(heard).toBe(2);
    seal.complete();
    seal.complete();
    expect(heard).toBe(3);
  });
});
