import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHsmInitToken } from '../../src/engine/seal/pkcs11/init-token.ts';
import { text } from '../../src/lib/bytes.ts';
import { Secret } from '../../src/lib/secret.ts';
import {
  addToken,
  CONTEXT,
  configOf,
  makeKey,
  makeSeal,
  makeToken,
  SIGNAL,
  SOFTHSM,
  type TestToken,
} from './support.ts';

const call = { signal: SIGNAL };
const rootKey = (): Secret => Secret.own(new Uint8Array(32).map((_, i) => i));
const bytesOf = (secret: Secret): number[] => secret.borrow((bytes) => [...bytes]);
const PLAIN = bytesOf(rootKey());

let token: TestToken;
beforeAll(() => {
  token = makeToken();
});
afterAll(() => token[Symbol.dispose]());

async function roundTrip(stanza: Record<string, string>, on: TestToken = token): Promise<void> {
  await using seal = makeSeal(configOf(on, stanza));
  await seal.open({ ...call, allowGenerateKey: true });
  const blob = await seal.wrap(rootKey(), CONTEXT, call);
  expect(bytesOf(await seal.unwrap(blob, CONTEXT, call))).toEqual(PLAIN);
  expect(seal.health()).toEqual({ healthy: true, terminal: false });
}

describe('opening the seal', () => {
  test('by token label, slot (decimal, hex, env://), serial, and all of them', async () => {
    const slotHex = `0x${BigInt(token.slot).toString(16)}`;
    await roundTrip({});
    await roundTrip({ token_label: '', slot: token.slot });
    await roundTrip({ token_label: '', slot: slotHex });
    await roundTrip({ token_label: '', serial: token.serial });
    await roundTrip({ slot: token.slot, serial: token.serial });
    await roundTrip({ slot: `string://${token.slot}`, token_label: '' });
  });

  test.each([
    [
      { token_label: 'other' },
      'ERR_HSM_TOKEN_NOT_FOUND',
      /token_label "other": the initialised tokens are: slot \d+ "seal"/,
    ],
    [{ slot: '2305843009213693953' }, 'ERR_HSM_TOKEN_NOT_FOUND', /slot 2305843009213693953/],
    [{ serial: 'beef' }, 'ERR_HSM_TOKEN_NOT_FOUND', /serial "beef"/],
    [
      { key_label: 'nobody', generate_key: 'false' },
      'ERR_HSM_KEY_NOT_FOUND',
      /key_label "nobody".*generate_key/,
    ],
    [{ key_id: 'abcd', key_label: '', generate_key: 'false' }, 'ERR_HSM_KEY_NOT_FOUND', /key_id abcd/],
    [{ lib: '/nowhere/lib.so' }, 'ERR_HSM_LIBRARY', /no readable file at \/nowhere\/lib.so/],
    [{ lib: '/etc' }, 'ERR_HSM_LIBRARY', /not a file/],
    [{ lib: '/etc/hostname' }, 'ERR_HSM_LIBRARY', /not a shared library/],
    [{ lib: '/usr/lib/x86_64-linux-gnu/libc.so.6' }, 'ERR_HSM_LIBRARY', /not a PKCS#11 one/],
  ])('%j ends in %s', async (stanza, code, hint) => {
    await using seal = makeSeal(configOf(token, stanza));
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code,
      hint: expect.stringMatching(hint),
    });
    expect(seal.health()).toMatchObject({ healthy: false, terminal: false, lastError: { code } });
  });

  test('a library for another processor is named as such', async () => {
    const path = join(token.dir, 'arm.so');
    const elf = Buffer.alloc(64);
    elf.write('\x7fELF\x02\x01\x01', 'latin1');
    elf.writeUInt16LE(0xb7, 18);
    writeFileSync(path, elf);
    await using seal = makeSeal(configOf(token, { lib: path }));
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_LIBRARY',
      hint: expect.stringContaining('is for arm64, this machine is'),
    });
  });

  test('a missing configuration of SoftHSM is named as such', async () => {
    const config = configOf({ ...token, env: { SOFTHSM2_CONF: '/nowhere.conf' } });
    await using seal = makeSeal(config);
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_OPERATION',
      hint: expect.stringContaining('SOFTHSM2_CONF'),
    });
  });

  test('two tokens of one label are told apart by serial', async () => {
    using two = makeToken('1234', 'twin');
    addToken(two.env, '1234', 'twin');
    await using seal = makeSeal(configOf(two));
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_TOKEN_AMBIGUOUS',
      hint: expect.stringContaining(two.serial),
    });
    await roundTrip({ serial: two.serial }, two);
  });

  test.each(['a b  c', ` 'quo"ted' $HOME \`x\` \\ `, 'пароль-ключ-🔑', 'x'.repeat(255), '1234'])(
    'the PIN %j works',
    async (pin) => {
      using odd = makeToken(pin);
      await roundTrip({ pin: `string://${pin}` }, odd);
      const file = join(odd.dir, 'pin');
      writeFileSync(file, `${pin}\n`);
      await roundTrip({ pin: `file://${file}` }, odd);
    },
  );
});

describe('the key', () => {
  test('generate_key makes an unextractable one, only when both sides allow it, and once', async () => {
    await using refused = makeSeal(configOf(token, { key_label: 'fresh' }));
    await expect(refused.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_KEY_NOT_FOUND',
    });
    await using seal = makeSeal(configOf(token, { key_label: 'fresh', key_id: '0x0badcafe' }));
    await seal.open({ ...call, allowGenerateKey: true });
    const report = await seal.keyReport(call);
    expect(report).toMatchObject({ keyLabel: 'fresh', keyId: '0badcafe', mechanism: 'CKM_AES_GCM' });
    expect(report.attributes).toEqual({
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
    });
    const blob = await seal.wrap(rootKey(), CONTEXT, call);
    await using again = makeSeal(configOf(token, { key_label: 'fresh' }));
    await again.open({ ...call, allowGenerateKey: true });
    expect(bytesOf(await again.unwrap(blob, CONTEXT, call))).toEqual(PLAIN);
  });

  test('one that another tool made is used, by label, by id, or by both', async () => {
    makeKey(token, 'AES:32', 'made', '6b31');
    await roundTrip({ key_label: 'made', generate_key: 'false' });
    await roundTrip({ key_label: '', key_id: '6b31' });
    await roundTrip({ key_label: 'made', key_id: '0x6B31' });
  });

  test('two of one label are refused', async () => {
    makeKey(token, 'AES:32', 'double', '01');
    makeKey(token, 'AES:32', 'double', '02');
    await using seal = makeSeal(configOf(token, { key_label: 'double' }));
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_KEY_AMBIGUOUS',
      hint: expect.stringContaining('key_label "double" fits two keys'),
    });
    await roundTrip({ key_label: 'double', key_id: '02' });
  });

  test('an RSA pair works on the HSM and with local encryption, which read each other', async () => {
    makeKey(token, 'rsa:2048', 'pair', '70', ['--usage-decrypt']);
    const stanza = { key_label: 'pair', rsa_oaep_hash: 'sha1', mechanism: 'CKM_RSA_PKCS_OAEP' };
    await using hsm = makeSeal(configOf(token, stanza));
    await using local = makeSeal(configOf(token, { ...stanza, rsa_encrypt_local: 'true' }));
    for (const seal of [hsm, local]) await seal.open({ ...call, allowGenerateKey: false });
    for (const [one, other] of [
      [hsm, local],
      [local, hsm],
    ] as const) {
      const blob = await one.wrap(rootKey(), CONTEXT, call);
      expect(JSON.parse(text(blob))).toMatchObject({
        mechanism: 'CKM_RSA_PKCS_OAEP',
        oaep_hash: 'sha1',
        key_id: '70',
      });
      expect(bytesOf(await other.unwrap(blob, CONTEXT, call))).toEqual(PLAIN);
      const elsewhere = { ...CONTEXT, clusterId: 'another' };
      await expect(other.unwrap(blob, elsewhere, call)).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
    }
    const large = Secret.own(new Uint8Array(250));
    await expect(hsm.wrap(large, CONTEXT, call)).rejects.toMatchObject({ code: 'ERR_HSM_KEY_UNUSABLE' });
  });

  test('an RSA pair is generated when the mechanism asks for it', async () => {
    await roundTrip({ key_label: 'rsa-fresh', mechanism: '0x9', rsa_oaep_hash: 'sha1' });
  });

  test('a hash that SoftHSM does not know is named', async () => {
    makeKey(token, 'rsa:2048', 'pair256', '71', ['--usage-decrypt']);
    await using seal = makeSeal(configOf(token, { key_label: 'pair256' }));
    await expect(seal.open({ ...call, allowGenerateKey: false })).rejects.toMatchObject({
      code: 'ERR_HSM_MECHANISM',
      hint: expect.stringContaining('rsa_oaep_hash'),
    });
  });

  test('after a rotation to another label old values still open, and new ones name the new key', async () => {
    await using old = makeSeal(configOf(token, { key_label: 'rot-1' }));
    await old.open({ ...call, allowGenerateKey: true });
    const before = await old.wrap(rootKey(), CONTEXT, call);
    await using rotated = makeSeal(configOf(token, { key_label: 'rot-2' }));
    await rotated.open({ ...call, allowGenerateKey: true });
    expect(bytesOf(await rotated.unwrap(before, CONTEXT, call))).toEqual(PLAIN);
    expect(JSON.parse(text(await rotated.wrap(rootKey(), CONTEXT, call)))).toMatchObject({
      key_label: 'rot-2',
    });
  });
});

describe('sealed values', () => {
  test('open in their own context only', async () => {
    await using seal = makeSeal(configOf(token));
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(rootKey(), CONTEXT, call);
    for (const context of [
      { ...CONTEXT, clusterId: 'x' },
      { ...CONTEXT, purpose: 'recovery-key' as const },
    ]) {
      await expect(seal.unwrap(blob, context, call)).rejects.toMatchObject({ code: 'ERR_SEAL_BLOB' });
    }
    expect(seal.health().healthy).toBe(true);
  });

  test('do not open when any bit is flipped', async () => {
    await using seal = makeSeal(configOf(token));
    await seal.open({ ...call, allowGenerateKey: true });
    const blob = await seal.wrap(rootKey(), CONTEXT, call);
    for (let bit = 0; bit < blob.length * 8; bit += 3) {
      const flipped = Uint8Array.from(blob);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(seal.unwrap(flipped, CONTEXT, call)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_(SEAL_BLOB|HSM_KEY_NOT_FOUND)$/),
      });
    }
  });

  test('random bytes come from the HSM in the length asked for', async () => {
    await using seal = makeSeal(configOf(token));
    const [a, b] = [await seal.random(32, call), await seal.random(65_536, call)];
    expect([a.length, b.length]).toEqual([32, 65_536]);
    expect(new Set(b).size).toBe(256);
    for (const length of [0, 65_537, 1.5]) {
      await expect(seal.random(length, call)).rejects.toMatchObject({ code: 'ERR_HSM_OPERATION' });
    }
    for (const length of [0, 65_537]) {
      using secret = Secret.own(new Uint8Array(length));
      await expect(seal.wrap(secret, CONTEXT, call)).rejects.toMatchObject({ code: 'ERR_HSM_OPERATION' });
    }
    expect(seal.health().healthy).toBe(true);
  });
});

describe('init-token', () => {
  test('makes a token that the seal can use, and leaves an existing one alone', async () => {
    const pins = { HSM_PIN: 'user pin "x"', HSM_SO_PIN: 'so pin' };
    const options = { lib: SOFTHSM, label: 'made by us', env: { ...token.env, ...pins } };
    const made = await runHsmInitToken(options);
    expect(made).toEqual({
      slot: expect.stringMatching(/^\d+$/),
      serial: expect.any(String),
      label: 'made by us',
      created: true,
    });
    await roundTrip({ token_label: 'made by us', pin: pins.HSM_PIN, slot: made.slot });
    expect(await runHsmInitToken(options)).toEqual({ ...made, created: false });
    await roundTrip({ token_label: 'made by us', pin: pins.HSM_PIN });
  });

  test('says what is missing', async () => {
    const env = { ...token.env, HSM_PIN: 'a1b2', HSM_SO_PIN: 'a1b2' };
    const refused = (options: Partial<Parameters<typeof runHsmInitToken>[0]>): Promise<unknown> =>
      runHsmInitToken({ lib: SOFTHSM, label: 'x', env, ...options });
    await expect(refused({ env: token.env })).rejects.toMatchObject({ code: 'ERR_HSM_PIN_MISSING' });
    await expect(refused({ lib: '/nowhere.so' })).rejects.toMatchObject({ code: 'ERR_HSM_LIBRARY' });
    await expect(refused({ label: 'ü'.repeat(17) })).rejects.toMatchObject({ code: 'ERR_HSM_OPERATION' });
  });
});
