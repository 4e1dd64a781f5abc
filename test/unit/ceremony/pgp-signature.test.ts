import { generateKey, createMessage, sign, readPrivateKey, readKey } from 'openpgp';
import { beforeAll, expect, test } from 'vitest';
import { checkSignature } from '../../../src/ceremony/pgp-signature.ts';
import { approvalText } from '../../../src/ceremony/statement.ts';

const now = new Date();
const text = approvalText({ namespace: 'a', name: 'b', uid: 'c', digest: 'sha256:0' }, 'ada');

interface Person {
  readonly publicKey: string;
  readonly sign: (text: string) => Promise<string>;
}

async function person(name: string, expires = 0): Promise<Person> {
  const made = await generateKey({
    userIDs: [{ name }],
    keyExpirationTime: expires,
    date: new Date(+now - 60_000),
  });
  const signingKeys = await readPrivateKey({ armoredKey: made.privateKey });
  const publicKey = Buffer.from((await readKey({ armoredKey: made.publicKey })).write()).toString('base64');
  return {
    publicKey,
    sign: async (said) =>
      sign({
        message: await createMessage({ binary: Buffer.from(said) }),
        signingKeys,
        detached: true,
        date: new Date(+now - 30_000),
      }),
  };
}

let ada: Person;
let eve: Person;
beforeAll(async () => {
  [ada, eve] = await Promise.all([person('ada'), person('eve')]);
});

test('a signature of the person over the text counts', async () => {
  expect(await checkSignature(text, await ada.sign(text), ada.publicKey, now)).toMatchObject({ ok: true });
});

test.each([
  ['of somebody else', async () => eve.sign(text), () => ada.publicKey],
  ['over another text', async () => ada.sign(`${text} `), () => ada.publicKey],
  ['that is none', async () => 'hello', () => ada.publicKey],
  ['cut short', async () => (await ada.sign(text)).slice(0, 200), () => ada.publicKey],
  ['against no key', async () => ada.sign(text), () => 'AAAA'],
])('one %s does not, and says why', async (_what, signature, key) => {
  const found = await checkSignature(text, await signature(), key(), now);
  expect(found).toMatchObject({ ok: false, message: expect.stringMatching(/\w/) });
});

test('a key that expired since does not count', async () => {
  const short = await person('short', 40);
  const signature = await short.sign(text);
  expect(await checkSignature(text, signature, short.publicKey, new Date(+now - 25_000))).toMatchObject({
    ok: true,
  });
  expect(await checkSignature(text, signature, short.publicKey, now)).toMatchObject({ ok: false });
});

test('a name with a line feed cannot add a line', () => {
  const forged = approvalText({ namespace: 'a', name: 'b', uid: 'c', digest: 'd\napproved-by: eve' }, 'ada');
  expect(forged.split('\n').filter((line) => line.startsWith('approved-by'))).toEqual(['approved-by: ada']);
});
