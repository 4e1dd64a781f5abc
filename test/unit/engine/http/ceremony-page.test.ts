import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isShareProof, proofKeyOf, proveShare } from '../../../../src/ceremony/share-proof.ts';
import { possessionText } from '../../../../src/ceremony/statement.ts';
import { Secret } from '../../../../src/lib/secret.ts';

type Proof = {
  readonly possessionText: typeof possessionText;
  readonly proveShare: (share: Uint8Array, text: string) => Promise<string>;
};

/** The browser's own script, as it is served. */
const page = (await import(
  new URL('../../../../src/engine/http/ceremony-page/proof.js', import.meta.url).href
)) as Proof;

test('the page makes the proof that the engine checks, bit for bit', async () => {
  for (const length of [16, 32, 33, 64]) {
    const bytes = new Uint8Array(randomBytes(length));
    using share = Secret.own(Uint8Array.from(bytes));
    const proof = await page.proveShare(bytes, 'a text, ü');
    expect(proof).toBe(proveShare(share, 'a text, ü'));
    expect(isShareProof(proofKeyOf(share), 'a text, ü', proof)).toBe(true);
  }
});

test('the page signs the same text, whatever the names are', () => {
  const any = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(any, any, any, any, any, (namespace, name, uid, digest, custodian) => {
      const ceremony = { namespace, name, uid, digest };
      expect(page.possessionText(ceremony, custodian)).toBe(possessionText(ceremony, custodian));
    }),
  );
});
