import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { answerTo, challengeOf, commitmentTo } from '../../../src/ceremony/key-test.ts';
import { keyTestText } from '../../../src/ceremony/statement.ts';
import { Secret } from '../../../src/lib/secret.ts';

const ceremony = { namespace: 'vaults', name: 'init', uid: 'uid-1', digest: `sha256:${'ab'.repeat(32)}` };
const random = new Uint8Array(32).fill(7);

test('the answer is the hash of the text that was decrypted, as sha256sum has it', () => {
  using challenge = challengeOf(random);
  const plain = `SealedVault key test v1\n${'07'.repeat(32)}\n`;
  challenge.borrow((bytes) => expect(Buffer.from(bytes).toString()).toBe(plain));
  expect(answerTo(challenge)).toBe(createHash('sha256').update(plain).digest('hex'));
});

test.each([
  ['a share', randomBytes(33).toString('hex')],
  ['a share in base64', randomBytes(33).toString('base64')],
  ['a root token', 'hvs.abcdefgh'],
  ['a share under the title', `SealedVault key test v1\n${randomBytes(33).toString('hex')}\n`],
  ['a message with more', `SealedVault key test v1\n${'07'.repeat(32)}\nmore\n`],
  ['nothing', ''],
])('%s is no test message, and is not answered', (_what, plain) => {
  using secret = Secret.fromText(plain);
  expect(answerTo(secret)).toBeUndefined();
});

test('a commitment is that of one ceremony, plan, custodian and answer', () => {
  using challenge = challengeOf(random);
  const answer = answerTo(challenge) ?? '';
  const commitments = [
    commitmentTo(ceremony, 'ada', answer),
    commitmentTo(ceremony, 'grace', answer),
    commitmentTo({ ...ceremony, uid: 'uid-2' }, 'ada', answer),
    commitmentTo({ ...ceremony, digest: `sha256:${'cd'.repeat(32)}` }, 'ada', answer),
    commitmentTo(ceremony, 'ada', '0'.repeat(64)),
  ];
  expect(new Set(commitments).size).toBe(commitments.length);
  expect(commitments[0]).toBe(
    createHash('sha256')
      .update(keyTestText(ceremony, { custodian: 'ada', answer }))
      .digest('hex'),
  );
});

test('the statement names ceremony, plan, custodian and answer', () => {
  expect(keyTestText(ceremony, { custodian: 'ada', answer: '0a'.repeat(32) })).toBe(
    [
      'SealedVault key test answer v1',
      'ceremony: vaults/init',
      'uid: uid-1',
      `digest: ${ceremony.digest}`,
      'custodian: ada',
      `answer: ${'0a'.repeat(32)}`,
      '',
    ].join('\n'),
  );
});
