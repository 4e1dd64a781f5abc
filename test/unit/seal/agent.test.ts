import pkcs11js, { type Handle, type PKCS11, type TokenInfo } from 'pkcs11js';
import { describe, expect, test } from 'vitest';
import { decrypt, encrypt } from '../../../src/engine/seal/pkcs11/agent/crypt.ts';
import { type Step, faultOf } from '../../../src/engine/seal/pkcs11/agent/fault.ts';
import type { Key } from '../../../src/engine/seal/pkcs11/agent/key.ts';
import { logIn } from '../../../src/engine/seal/pkcs11/agent/login.ts';
import { findToken, type Token } from '../../../src/engine/seal/pkcs11/agent/token.ts';
import { utf8 } from '../../../src/lib/bytes.ts';

/** A library of which only the given functions are ever called. */
const library = (functions: Partial<PKCS11>): PKCS11 => functions as PKCS11;
const handle = (value: bigint): Handle => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};
const ckr = (name: string, number: number): Error => new pkcs11js.Pkcs11Error(`${name}:${number}`);

describe('logging in', () => {
  const token = (flags: number): Token => ({
    slot: handle(1n),
    slotNumber: 1n,
    label: 't',
    serial: 's',
    flags,
  });
  const attempt = (flags: number, state: number, failure?: Error): { logins: string[]; error: unknown } => {
    const logins: string[] = [];
    const lib = library({
      C_GetSessionInfo: () => ({ slotID: handle(1n), state, flags: 0, deviceError: 0 }),
      C_Login: (_session, _user, pin) => {
        logins.push(pin ?? '');
        if (failure !== undefined) throw failure;
      },
    });
    try {
      logIn(lib, handle(9n), token(flags), utf8('1234'));
      return { logins, error: undefined };
    } catch (error) {
      return { logins, error };
    }
  };

  test('presents the PIN once', () => {
    expect(attempt(0x400, 0)).toEqual({ logins: ['1234'], error: undefined });
    expect(attempt(0x400, 2)).toEqual({ logins: ['1234'], error: undefined });
  });

  test('presents nothing when the user is logged in', () => {
    for (const state of [1, 3]) expect(attempt(0x400, state)).toEqual({ logins: [], error: undefined });
  });

  test.each([
    ['locked', 0x40000],
    ['one try left', 0x20000],
    ['both', 0x60000],
  ])('presents nothing to a token that says: %s', (_, flags) => {
    const { logins, error } = attempt(0x400 | flags, 0);
    expect(logins).toEqual([]);
    expect(error).toMatchObject({ code: 'ERR_HSM_PIN_LOCKED', terminal: true, repair: 'none' });
  });

  test('presents it to a token that has seen a wrong one, once', () => {
    expect(attempt(0x10400, 0).logins).toHaveLength(1);
  });

  test.each([
    ['CKR_PIN_INCORRECT', 160, 'ERR_HSM_PIN_INCORRECT'],
    ['CKR_PIN_INVALID', 161, 'ERR_HSM_PIN_INCORRECT'],
    ['CKR_PIN_LEN_RANGE', 162, 'ERR_HSM_PIN_INCORRECT'],
    ['CKR_PIN_EXPIRED', 163, 'ERR_HSM_PIN_LOCKED'],
    ['CKR_PIN_LOCKED', 164, 'ERR_HSM_PIN_LOCKED'],
  ])('%s is terminal', (name, number, code) => {
    const { logins, error } = attempt(0x400, 0, ckr(name, number));
    expect(logins).toHaveLength(1);
    expect(error).toMatchObject({ code, terminal: true, repair: 'none' });
  });

  test('a user that is logged in already is no error', () => {
    expect(attempt(0x400, 0, ckr('CKR_USER_ALREADY_LOGGED_IN', 256)).error).toBeUndefined();
  });
});

describe('errors of the library', () => {
  test.each<[string, number, Step, string, string]>([
    ['CKR_DEVICE_ERROR', 48, 'encrypt', 'ERR_HSM_OPERATION', 'ladder'],
    ['CKR_DEVICE_REMOVED', 50, 'encrypt', 'ERR_HSM_TOKEN_NOT_FOUND', 'ladder'],
    ['CKR_TOKEN_NOT_PRESENT', 224, 'session', 'ERR_HSM_TOKEN_NOT_FOUND', 'ladder'],
    ['CKR_SESSION_HANDLE_INVALID', 179, 'random', 'ERR_HSM_OPERATION', 'ladder'],
    ['CKR_CRYPTOKI_NOT_INITIALIZED', 400, 'find', 'ERR_HSM_OPERATION', 'ladder'],
    ['CKR_GENERAL_ERROR', 5, 'encrypt', 'ERR_HSM_OPERATION', 'ladder'],
    ['CKR_GENERAL_ERROR', 5, 'decrypt', 'ERR_SEAL_BLOB', 'ladder'],
    ['CKR_ENCRYPTED_DATA_INVALID', 64, 'decrypt', 'ERR_SEAL_BLOB', 'ladder'],
    ['CKR_MECHANISM_INVALID', 112, 'encrypt', 'ERR_HSM_MECHANISM', 'none'],
    ['CKR_ARGUMENTS_BAD', 7, 'encrypt', 'ERR_HSM_MECHANISM', 'none'],
    ['CKR_KEY_FUNCTION_NOT_PERMITTED', 104, 'decrypt', 'ERR_HSM_KEY_UNUSABLE', 'none'],
    ['CKR_VENDOR_DEFINED', 27, 'generate', 'ERR_HSM_OPERATION', 'ladder'],
  ])('%s (%i) at %s is %s', (name, number, step, code, repair) => {
    expect(faultOf(ckr(name, number), step)).toMatchObject({ code, repair });
  });

  test('come in three shapes, and all are read', () => {
    const shapes = [
      ckr('CKR_PIN_LOCKED', 164),
      new Error('CKR_PIN_LOCKED:164'),
      Object.assign(new Error('CKR_PIN_LOCKED'), { code: 164 }),
    ];
    for (const shape of shapes) expect(faultOf(shape, 'login').code).toBe('ERR_HSM_PIN_LOCKED');
  });

  test('of the binding itself tell the step and nothing of their text', () => {
    const fault = faultOf(new TypeError('canary'), 'encrypt');
    expect(fault).toMatchObject({
      code: 'ERR_HSM_OPERATION',
      hint: 'the PKCS#11 binding failed at: encrypt',
    });
    expect(fault.cause).toBeUndefined();
  });
});

describe('choosing the token', () => {
  const info = (label: string, serialNumber: string, flags = 0x40d): TokenInfo =>
    ({ label: label.padEnd(32), serialNumber: serialNumber.padEnd(16, '\0'), flags }) as TokenInfo;
  const slots = new Map<bigint, TokenInfo>([
    [0n, info('', '', 0xc00025)],
    [2305843009213693953n, info('a', '01')],
    [0xffff_ffff_ffff_ffffn, info('b', '02')],
    [7n, info('b', '03')],
  ]);
  const lib = library({
    C_GetSlotList: (() => [...slots.keys(), 99n].map(handle)) as PKCS11['C_GetSlotList'],
    C_GetTokenInfo: (slot: Handle) => {
      const found = slots.get(slot.readBigUInt64LE());
      if (found === undefined) throw ckr('CKR_DEVICE_ERROR', 48);
      return found;
    },
  });

  test.each([
    [{ slot: 2305843009213693953n }, '01'],
    [{ slot: 2n ** 64n - 1n }, '02'],
    [{ tokenLabel: 'a' }, '01'],
    [{ tokenLabel: 'b', serial: '03' }, '03'],
    [{ slot: 7n, tokenLabel: 'b' }, '03'],
  ])('%o finds one, though another slot is broken', (choice, serial) => {
    expect(findToken(lib, choice).serial).toBe(serial);
  });

  test.each([
    [{ tokenLabel: 'b' }, 'ERR_HSM_TOKEN_AMBIGUOUS', '02, 03'],
    [{ slot: 0n }, 'ERR_HSM_TOKEN_NOT_FOUND', 'not initialised'],
    [{ slot: 7n, tokenLabel: 'a' }, 'ERR_HSM_TOKEN_NOT_FOUND', 'slot 2305843009213693953 "a"'],
    [{ slot: 1n }, 'ERR_HSM_TOKEN_NOT_FOUND', 'slot 1'],
  ])('%o ends in %s', (choice, code, hint) => {
    expect(() => findToken(lib, choice)).toThrow(
      expect.objectContaining({ code, hint: expect.stringContaining(hint) }),
    );
  });

  test('a library without slots is told apart', () => {
    const none = library({ C_GetSlotList: (() => []) as unknown as PKCS11['C_GetSlotList'] });
    expect(() => findToken(none, { slot: 1n })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('no token at all') }),
    );
  });
});

describe('AES-GCM', () => {
  const key: Key = { mechanism: 'CKM_AES_GCM', handle: handle(5n), label: 'k', id: '01', checkValue: '' };
  const options = { oaepHash: 'sha256', encryptLocally: false } as const;

  test('takes the IV that an HSM makes and puts behind the tag', () => {
    const own = Buffer.from('own-iv-12byt');
    const lib = library({
      C_GenerateRandom: (_session, bytes) => bytes.fill(1),
      C_EncryptInit: () => {},
      C_Encrypt: ((_session: Handle, data: Buffer) =>
        Buffer.concat([data, Buffer.alloc(16, 2), own])) as PKCS11['C_Encrypt'],
    });
    const { iv, ciphertext } = encrypt(lib, handle(1n), key, utf8('plain'), utf8('aad'), options);
    expect(Buffer.from(iv)).toEqual(own);
    expect(ciphertext).toHaveLength(5 + 16);
  });

  test.each([
    ['an empty IV', 0, 40],
    ['a long IV', 16, 40],
    ['no ciphertext', 12, 0],
    ['a tag alone', 12, 16],
  ])('refuses %s before the library sees it', (_, iv, ciphertext) => {
    const sealed = { iv: new Uint8Array(iv), ciphertext: new Uint8Array(ciphertext) };
    expect(() => decrypt(library({}), handle(1n), key, sealed, utf8('aad'))).toThrow(
      expect.objectContaining({ code: 'ERR_SEAL_BLOB', repair: 'none' }),
    );
  });
});
