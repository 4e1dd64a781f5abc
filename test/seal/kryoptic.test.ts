import { renameSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runHsmInitToken } from '../../src/engine/seal/pkcs11/init-token.ts';
import type { Pkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { text } from '../../src/lib/bytes.ts';
import { Secret } from '../../src/lib/secret.ts';
import { kryoptic } from '../support/kryoptic.ts';
import { makeKryopticToken } from './kryoptic-token.ts';
import {
  CONTEXT,
  children,
  configOf,
  makeKey,
  makeSeal,
  memoryLog,
  pkcs11Tool,
  SIGNAL,
  type TestToken,
} from './support.ts';

/** What is true of SoftHSM must be true of a token that somebody else wrote. */
const found = await kryoptic();
const lib = 'lib' in found ? found.lib : '';
const call = { signal: SIGNAL };
let token: TestToken;

if ('missing' in found)
  test('Kryoptic is needed for the tests of this file', ({ skip }) => skip(found.missing));

const describeKryoptic = describe.skipIf('missing' in found);

beforeEach(async () => {
  if ('lib' in found) token = await makeKryopticToken(lib);
});
afterEach(() => {
  if ('lib' in found) token[Symbol.dispose]();
});

async function opened(stanza: Record<string, string> = {}): Promise<Pkcs11Seal & AsyncDisposable> {
  const seal = makeSeal(configOf(token, stanza));
  try {
    await seal.open({ ...call, allowGenerateKey: true });
    return seal;
  } catch (error) {
    await seal.close();
    throw error;
  }
}

async function unwrapped(seal: Pkcs11Seal, blob: Uint8Array): Promise<string> {
  using back = await seal.unwrap(blob, CONTEXT, call);
  return back.borrow(text);
}

async function roundTrip(seal: Pkcs11Seal): Promise<Uint8Array> {
  using secret = Secret.fromText('the root key');
  const blob = await seal.wrap(secret, CONTEXT, call);
  expect(await unwrapped(seal, blob)).toBe('the root key');
  return blob;
}

const refused = (stanza: Record<string, string>): Promise<unknown> =>
  opened(stanza).then(
    () => 'opened',
    (error: unknown) => error,
  );

describeKryoptic('a token of Kryoptic', () => {
  test('is found by label, slot and serial', async () => {
    for (const choice of [
      {},
      { token_label: '', slot: token.slot },
      { token_label: '', serial: token.serial },
    ]) {
      await using seal = await opened(choice);
      await roundTrip(seal);
    }
    expect(await refused({ token_label: 'other' })).toMatchObject({
      code: 'ERR_HSM_TOKEN_NOT_FOUND',
      hint: expect.stringContaining('slot 42 "kryoptic"'),
    });
  });

  test('whose configuration is missing is told as such', async () => {
    const config = configOf({ ...token, env: { KRYOPTIC_CONF: '/nowhere.conf' } });
    await using seal = makeSeal(config);
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_TOKEN_NOT_FOUND',
      hint: expect.stringContaining('KRYOPTIC_CONF'),
    });
  });

  test('is made once, and left alone then', async () => {
    const pins = { HSM_PIN: 'another-pin', HSM_SO_PIN: 'so-pin-1234' };
    const again = await runHsmInitToken({ lib, label: token.label, env: { ...token.env, ...pins } });
    expect(again).toEqual({ slot: token.slot, serial: token.serial, label: token.label, created: false });
    await using seal = await opened();
    await roundTrip(seal);
  });

  test('makes an AES key that stays in it, and seals by AES-GCM', async () => {
    await using seal = await opened({ key_id: '0badcafe' });
    expect(await seal.keyReport(call)).toMatchObject({
      mechanism: 'CKM_AES_GCM',
      keyLabel: 'root',
      keyId: '0badcafe',
      attributes: {
        token: true,
        private: true,
        sensitive: true,
        alwaysSensitive: true,
        extractable: false,
        neverExtractable: true,
        local: true,
        modifiable: false,
        encrypt: true,
        decrypt: true,
        wrap: false,
        unwrap: false,
        sign: false,
        verify: false,
        derive: false,
      },
    });
    const [a, b] = [await roundTrip(seal), await roundTrip(seal)];
    expect(JSON.parse(text(a)).iv).not.toBe(JSON.parse(text(b)).iv);
    expect(await seal.random(65_536, call)).toHaveLength(65_536);
  });

  test('tells of a key that may leave it', async () => {
    makeKey(token, 'AES:32', 'loose', '07', ['--extractable']);
    const log = memoryLog();
    await using seal = makeSeal(configOf(token, { key_label: 'loose' }), { log });
    await seal.open({ ...call, allowGenerateKey: false });
    expect((await seal.keyReport(call)).attributes).toMatchObject({ extractable: true });
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: expect.stringContaining('may be read out') }),
    );
  });

  test.each(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])(
    'seals by RSA-OAEP with %s, in the token and outside of it',
    async (hash) => {
      makeKey(token, 'rsa:2048', 'pair', '70', ['--usage-decrypt']);
      const stanza = { key_label: 'pair', mechanism: 'CKM_RSA_PKCS_OAEP', rsa_oaep_hash: hash };
      await using inside = await opened(stanza);
      await using outside = await opened({ ...stanza, rsa_encrypt_local: 'true' });
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const)
        expect(await unwrapped(other, await roundTrip(one))).toBe('the root key');
    },
  );

  test('makes an RSA pair when the mechanism asks for it', async () => {
    await using seal = await opened({ key_label: 'fresh', mechanism: '0x9' });
    await roundTrip(seal);
    expect(await seal.keyReport(call)).toMatchObject({
      attributes: { sensitive: true, extractable: false, decrypt: true, sign: false, unwrap: false },
    });
  });

  test.each([{}, { key_label: 'rsa', mechanism: '9' }])(
    'does not open a value in another context, or when it was changed (%j)',
    async (stanza) => {
      await using seal = await opened(stanza);
      const blob = await roundTrip(seal);
      await expect(seal.unwrap(blob, { ...CONTEXT, clusterId: 'x' }, call)).rejects.toMatchObject({
        code: 'ERR_SEAL_BLOB',
      });
      const { ciphertext, ...rest } = JSON.parse(text(blob));
      const bytes = Buffer.from(ciphertext, 'base64');
      for (const at of [0, bytes.length - 1]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        const changed = Buffer.from(JSON.stringify({ ...rest, ciphertext: flipped.toString('base64') }));
        await expect(seal.unwrap(changed, CONTEXT, call)).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
      }
      expect(seal.health()).toEqual({ healthy: true, terminal: false });
    },
  );

  test('shows a key that came later, and opens old values after a rotation', async () => {
    await using old = await opened();
    const before = await roundTrip(old);
    makeKey(token, 'AES:32', 'next', '02', ['--usage-decrypt']);
    await using rotated = await opened({ key_label: 'next', generate_key: 'false' });
    expect(await unwrapped(rotated, before)).toBe('the root key');
    expect(await unwrapped(old, await roundTrip(rotated))).toBe('the root key');
  });

  test('is used by several processes at once', async () => {
    await using seal = await opened({ max_parallel: '3' });
    await Promise.all(Array.from({ length: 30 }, () => roundTrip(seal)));
    expect(children()).toHaveLength(3);
    expect(seal.health()).toEqual({ healthy: true, terminal: false });
  });

  test('that goes away and comes back is found again', async () => {
    await using seal = await opened();
    const blob = await roundTrip(seal);
    const [pid] = children();
    renameSync(token.tokens, `${token.tokens}.away`);
    process.kill(pid ?? 0, 'SIGKILL');
    await expect(unwrapped(seal, blob)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_HSM_/) });
    expect(seal.health()).toMatchObject({ healthy: false, terminal: false });
    renameSync(`${token.tokens}.away`, token.tokens);
    expect(await unwrapped(seal, blob)).toBe('the root key');
  });
});

describeKryoptic('a PIN of Kryoptic', () => {
  const wrong = { pin: 'not-the-pin-at-all' };

  test('that is wrong is presented once by a seal, and the right one works after it', async () => {
    await using seal = makeSeal(configOf(token, wrong));
    for (let tries = 0; tries < 15; tries += 1)
      await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
        code: 'ERR_HSM_PIN_INCORRECT',
      });
    expect(seal.health()).toMatchObject({ terminal: true });
    await using right = await opened();
    await roundTrip(right);
  });

  test('is not presented when one try is left: nobody locks a token by restarts', async () => {
    const outcomes: unknown[] = [];
    for (let tries = 0; tries < 15; tries += 1) outcomes.push(await refused(wrong));
    expect(outcomes[0]).toMatchObject({ code: 'ERR_HSM_PIN_INCORRECT' });
    expect(outcomes.at(-1)).toMatchObject({
      code: 'ERR_HSM_PIN_LOCKED',
      hint: expect.stringContaining('one wrong try is left'),
    });
    expect(await refused({})).toMatchObject({ code: 'ERR_HSM_PIN_LOCKED' });
    pkcs11Tool(token, ['--list-objects']);
    await using seal = await opened();
    await roundTrip(seal);
  });

  test('that is locked is told as such', async () => {
    for (let tries = 0; tries < 12; tries += 1)
      expect(() => pkcs11Tool({ ...token, pin: 'not-the-pin-at-all' }, ['--list-objects'])).toThrow();
    expect(await refused({})).toMatchObject({
      code: 'ERR_HSM_PIN_LOCKED',
      hint: expect.stringContaining('security officer'),
    });
  });
});
