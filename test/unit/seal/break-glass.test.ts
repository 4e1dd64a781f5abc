import { describe, expect, test } from 'vitest';
import {
  BREAK_GLASS,
  breakGlassPublicKey,
  createBreakGlassSeal,
  sealToPublicKey,
} from '../../../src/engine/seal/break-glass.ts';
import { decodeParts, encodeParts } from '../../../src/engine/seal/group/blob.ts';
import type { SealContext } from '../../../src/engine/seal/seal.ts';
import { toHex, utf8 } from '../../../src/lib/bytes.ts';
import { Secret } from '../../../src/lib/secret.ts';
import vector from '../../vectors/break-glass.json' with { type: 'json' };

const signal = new AbortController().signal;
const context: SealContext = { clusterId: vector.clusterId, purpose: 'root-key' };
const keyOf = (fill: number): Secret => Secret.own(new Uint8Array(32).fill(fill));

async function open(blob: Uint8Array, key = keyOf(1), where = context): Promise<string> {
  const seal = createBreakGlassSeal();
  using held = key;
  seal.setKey(held);
  using secret = await seal.unwrap(blob, where, { signal });
  return secret.borrow(toHex);
}

describe('a value of the break-glass seal', () => {
  test('that was stored by any version opens', async () => {
    expect(await open(utf8(vector.blob))).toBe(vector.plaintext);
    using key = keyOf(1);
    expect(breakGlassPublicKey(key)).toBe(vector.publicKey);
  });

  test('opens by its key, in its cluster, for its purpose only', async () => {
    const blob = utf8(vector.blob);
    await expect(open(blob, keyOf(2))).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
    for (const other of [
      { ...context, clusterId: 'b' },
      { ...context, purpose: 'recovery-key' as const },
    ])
      await expect(open(blob, keyOf(1), other)).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
  });

  test('that was changed anywhere opens nowhere', async () => {
    const part = decodeParts(utf8(vector.blob)).find(({ name }) => name === BREAK_GLASS);
    const text = new TextDecoder().decode(part?.blob);
    for (let at = 0; at < text.length; at += 7) {
      const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
      const blob = encodeParts([
        { name: 'hsm', blob: utf8('x') },
        { name: BREAK_GLASS, blob: utf8(changed) },
      ]);
      await expect(open(blob)).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
    }
  });

  test('is another one each time, and shows nothing of its content', () => {
    using plaintext = keyOf(3);
    const blobs = [4, 5].map((fill) =>
      new TextDecoder().decode(
        sealToPublicKey(vector.publicKey, plaintext, context, new Uint8Array(32).fill(fill)),
      ),
    );
    expect(blobs[0]).not.toBe(blobs[1]);
    for (const blob of blobs) expect(blob).not.toContain(Buffer.alloc(12, 3).toString('base64'));
  });

  test('never opens before the shares are there, and is not where there is no part for people', async () => {
    const seal = createBreakGlassSeal();
    await expect(seal.unwrap(utf8(vector.blob), context, { signal })).rejects.toMatchObject({
      code: 'ERR_SEAL_BLOB',
    });
    await expect(open(utf8('of an HSM alone'))).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
  });
});
