import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Pkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { text } from '../../src/lib/bytes.ts';
import { Secret } from '../../src/lib/secret.ts';
import { calls, fault, FaultLibrary } from './fault-library.ts';
import {
  CONTEXT,
  children,
  configOf,
  makeKey,
  makeSeal,
  makeToken,
  SIGNAL,
  type TestToken,
} from './support.ts';
import { importKey } from './import-key.ts';
import { vaultBlob } from './vault-blob.ts';

const call = { signal: SIGNAL };
const ALWAYS = 1_000_000;
let library: FaultLibrary;
let token: TestToken;
let stanza: Record<string, string>;

beforeAll(() => {
  library = new FaultLibrary();
});
afterAll(() => library.remove());
beforeEach(() => {
  token = makeToken();
  stanza = library.on(token);
});
afterEach(() => token[Symbol.dispose]());

async function opened(more: Record<string, string> = {}): Promise<Pkcs11Seal & AsyncDisposable> {
  const seal = makeSeal(configOf(token, { ...stanza, ...more }));
  try {
    await seal.open({ ...call, allowGenerateKey: true });
    return seal;
  } catch (error) {
    await seal.close();
    throw error;
  }
}

const open = async (seal: Pkcs11Seal, blob: Uint8Array): Promise<string> => {
  using back = await seal.unwrap(blob, CONTEXT, call);
  return back.borrow(text);
};

async function roundTrip(seal: Pkcs11Seal): Promise<Uint8Array> {
  using secret = Secret.fromText('the root key');
  const blob = await seal.wrap(secret, CONTEXT, call);
  expect(await open(seal, blob)).toBe('the root key');
  return blob;
}

describe('AES-GCM by an HSM that takes its own IV', () => {
  test.each(['append', 'write', 'zeros'])('(%s) is stored with the IV that was used', async (how) => {
    fault(token, 'own-iv', how, ALWAYS);
    await using seal = await opened();
    const [a, b] = [await roundTrip(seal), await roundTrip(seal)];
    expect(JSON.parse(text(a)).iv).not.toBe(JSON.parse(text(b)).iv);
    // The IV in the blob is the whole truth: the same HSM, no longer odd, opens it.
    fault(token, 'own-iv', 'x', 0);
    expect(await open(seal, a)).toBe('the root key');
  });

  test('and does not tell it is refused, before anything is sealed by zeros', async () => {
    fault(token, 'own-iv', 'secret', ALWAYS);
    await expect(opened()).rejects.toMatchObject({
      code: 'ERR_HSM_MECHANISM',
      hint: expect.stringContaining('does not say which'),
    });
  });
});

describe('RSA-OAEP', () => {
  test.each(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])(
    'with %s, encrypted by the HSM or locally, opens',
    async (hash) => {
      fault(token, 'oaep', 'all', ALWAYS);
      const rsa = { mechanism: 'CKM_RSA_PKCS_OAEP', rsa_oaep_hash: hash };
      await using inside = await opened(rsa);
      const byHsm = await roundTrip(inside);
      const before = calls(token, 'C_EncryptInit');
      await using outside = await opened({ ...rsa, rsa_encrypt_local: 'true' });
      const byUs = await roundTrip(outside);
      expect(calls(token, 'C_EncryptInit')).toBe(before);
      expect([await open(outside, byHsm), await open(inside, byUs)]).toEqual([
        'the root key',
        'the root key',
      ]);
      expect(JSON.parse(text(byUs)).oaep_hash).toBe(hash);
    },
  );

  test('after a change of the hash, what was sealed before opens', async () => {
    fault(token, 'oaep', 'all', ALWAYS);
    await using before = await opened({ mechanism: '9', rsa_oaep_hash: 'sha1' });
    const blob = await roundTrip(before);
    await using after = await opened({ mechanism: '9', rsa_oaep_hash: 'sha512' });
    expect(await open(after, blob)).toBe('the root key');
  });
});

describe('what Vault Enterprise sealed with CKM_AES_CBC_PAD', () => {
  const aes = randomBytes(32);
  const hmac = randomBytes(32);
  const settings = {
    mechanism: '0x1085',
    key_label: 'vault',
    hmac_key_label: 'vault-hmac',
    generate_key: 'false',
  };
  const rootKey = Buffer.from('the root key');
  const blob = (more: Parameters<typeof vaultBlob>[1] = {}): Uint8Array =>
    vaultBlob({ aes, hmac, plaintext: rootKey }, more);

  beforeEach(() => {
    importKey(token, { value: aes, type: 'aes', label: 'vault', id: '61' });
    importKey(token, { value: hmac, type: 'generic', label: 'vault-hmac', id: '62' });
  });

  test.each([
    ['names its keys by label', {}],
    ['names its keys by label and id', { keyId: 'vault:61', hmacKeyId: 'vault-hmac:62' }],
    ['does not name its keys', { keyId: '', hmacKeyId: '' }],
    [
      'is the list that Vault makes',
      { plaintext: Buffer.from(JSON.stringify([rootKey.toString('base64')])) },
    ],
  ])('opens when it %s, and is sealed anew by AES-GCM', async (_, more) => {
    await using seal = await opened(settings);
    expect(await open(seal, blob(more))).toBe('the root key');
    expect(await seal.wrote(blob(more), call)).toBe(false);
    expect(seal.keysOf(blob(more))[0]).toMatchObject({ mechanism: 'CKM_AES_CBC_PAD' });
    expect(JSON.parse(text(await roundTrip(seal)))).toMatchObject({
      mechanism: 'CKM_AES_GCM',
      key_label: 'vault',
    });
  });

  test('opens on an HSM that knows no AES-GCM, which then only seals nothing new', async () => {
    fault(token, 'C_EncryptInit', 0x70, ALWAYS);
    await using seal = await opened(settings);
    expect(await open(seal, blob())).toBe('the root key');
    using secret = Secret.fromText('x');
    await expect(seal.wrap(secret, CONTEXT, call)).rejects.toMatchObject({ code: 'ERR_HSM_MECHANISM' });
  });

  test('does not open when a bit of ciphertext, IV or HMAC is flipped, and nothing is decrypted then', async () => {
    await using seal = await opened(settings);
    const whole = blob();
    // They are the first three fields: 2 + 16, 2 + 16 and 2 + 32 bytes.
    const content = [...Array(70).keys()].filter((at) => ![0, 1, 18, 19, 36, 37].includes(at));
    const before = calls(token, 'C_DecryptInit');
    for (const at of content) {
      const flipped = Uint8Array.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      await expect(seal.unwrap(flipped, CONTEXT, call)).rejects.toMatchObject({
        code: 'ERR_SEAL_BLOB',
        hint: 'its HMAC is wrong',
      });
    }
    expect(calls(token, 'C_DecryptInit')).toBe(before);
  });

  test('does not open without the HMAC key in the configuration, and says so', async () => {
    await using seal = await opened({ key_label: 'vault', generate_key: 'false' });
    await expect(seal.unwrap(blob(), CONTEXT, call)).rejects.toMatchObject({
      code: 'ERR_SEAL_BLOB',
      hint: expect.stringContaining('hmac_key_label'),
    });
  });

  test('is made here as OpenSSL makes it', () => {
    const iv = Buffer.alloc(16, 7);
    const cipher = createCipheriv('aes-256-cbc', aes, iv);
    const ciphertext = Buffer.concat([cipher.update(rootKey), cipher.final()]);
    const made = Buffer.from(blob({ iv }));
    expect(made.includes(ciphertext)).toBe(true);
    expect(made.includes(createHmac('sha256', hmac).update(iv).update(ciphertext).digest())).toBe(true);
  });
});

describe('sessions', () => {
  test('with force_rw_session every session is read-write, otherwise none after the key was made', async () => {
    await using forced = await opened({ force_rw_session: 'true' });
    await roundTrip(forced);
    const before = calls(token, 'C_OpenSession RW');
    expect(before).toBe(calls(token, 'C_OpenSession'));
    await using plain = makeSeal(configOf(token, stanza));
    await plain.open({ ...call, allowGenerateKey: false });
    expect(calls(token, 'C_OpenSession RW')).toBe(before);
  });

  test('a token without free sessions is told, and used again when one is free', async () => {
    await using seal = makeSeal(configOf(token, stanza));
    fault(token, 'C_OpenSession', 177, ALWAYS);
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_OPERATION',
      hint: expect.stringContaining('sessions'),
    });
    fault(token, 'C_OpenSession', 177, 0);
    await seal.open({ ...call, allowGenerateKey: true });
    await roundTrip(seal);
  });

  test('one seal needs one session for all its calls', async () => {
    await using seal = await opened();
    const before = calls(token, 'C_OpenSession');
    await Promise.all(Array.from({ length: 20 }, () => roundTrip(seal)));
    expect(calls(token, 'C_OpenSession')).toBe(before);
    expect(children()).toHaveLength(1);
  });
});

describe('max_parallel', () => {
  const burst = (seal: Pkcs11Seal): Promise<unknown> =>
    Promise.all(Array.from({ length: 30 }, () => roundTrip(seal)));

  test('lets that many processes work when there is work, and no more', async () => {
    await using seal = await opened({ max_parallel: '3' });
    await roundTrip(seal);
    expect(children()).toHaveLength(1);
    await burst(seal);
    expect(children()).toHaveLength(3);
    await seal.close();
    expect(children()).toHaveLength(0);
  });

  test('is no more than a wish: where the token has one session, all goes through it', async () => {
    await using seal = await opened({ max_parallel: '3' });
    fault(token, 'C_OpenSession', 177, ALWAYS);
    await burst(seal);
    expect(seal.health()).toMatchObject({ healthy: true });
  });

  test('presents a PIN that is refused once, however many processes would', async () => {
    await using seal = await opened({ max_parallel: '4' });
    const before = calls(token, 'C_Login');
    fault(token, 'C_Login', 160, ALWAYS);
    fault(token, 'C_GenerateRandom', 257, 8);
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => seal.random(32, call)));
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    expect(calls(token, 'C_Login')).toBe(before + 1);
  });

  test('of a hung process costs its own call only', async () => {
    makeKey(token, 'AES:32', 'root', '09', ['--usage-decrypt']);
    await using seal = makeSeal(configOf(token, { ...stanza, max_parallel: '2' }), {
      timing: { startMs: 10_000, openMs: 10_000, callMs: 4_000 },
    });
    await seal.open({ ...call, allowGenerateKey: false });
    fault(token, 'C_GenerateRandom', 'hang', 1);
    const hung = seal.random(32, call);
    const settled = hung.catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const rest = Promise.all(Array.from({ length: 5 }, () => roundTrip(seal))).then(() => 'rest');
    expect(await Promise.race([rest, settled.then(() => 'hung')])).toBe('rest');
    expect(await settled).toMatchObject({ code: 'ERR_HSM_TIMEOUT' });
  });
});
