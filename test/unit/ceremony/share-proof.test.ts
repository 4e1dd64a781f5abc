import { expect, test } from 'vitest';
import { isShareProof, proofKeyOf, proveShare } from '../../../src/ceremony/share-proof.ts';
import { combineShares, splitSecret } from '../../../src/ceremony/shares.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Secret } from '../../../src/lib/secret.ts';

const share = (fill: number): Secret => Secret.own(new Uint8Array(33).fill(fill));

test('a proof counts for its share and its text only', () => {
  using ada = share(1);
  using grace = share(2);
  const key = proofKeyOf(ada);
  const proof = proveShare(ada, 'text');
  expect(isShareProof(key, 'text', proof)).toBe(true);
  expect(isShareProof(key, 'text\n', proof)).toBe(false);
  expect(isShareProof(proofKeyOf(grace), 'text', proof)).toBe(false);
  expect(isShareProof(key, 'text', proveShare(grace, 'text'))).toBe(false);
});

test.each(['', 'AAAA', 'no base64!', `${'A'.repeat(88)}`])('%j is no proof and no key', (value) => {
  using ada = share(1);
  expect(isShareProof(proofKeyOf(ada), 'text', value)).toBe(false);
  expect(isShareProof(value, 'text', proveShare(ada, 'text'))).toBe(false);
});

test('the key of a share is what it always was', () => {
  using ada = share(1);
  expect(proofKeyOf(ada)).toMatchInlineSnapshot(`"wtLg4vSdsDgQw9JEQ6xY0PkJwe8v3NLPHKJsIksHSm0="`);
});

test('every share of a secret has another key, which shows nothing of it', async () => {
  using secret = Secret.own(new Uint8Array(32).fill(7));
  const shares = await splitSecret(secret, 5, 3);
  const keys = shares.map((each) => proofKeyOf(each));
  expect(new Set(keys).size).toBe(5);
  using again = await combineShares(shares.slice(0, 3));
  expect(again.borrow(toHex)).toBe(secret.borrow(toHex));
  for (const [index, each] of shares.entries()) {
    expect(keys[index]).not.toContain(
      each.borrow((bytes) => Buffer.from(bytes).toString('base64').slice(0, 12)),
    );
    each[Symbol.dispose]();
  }
});
