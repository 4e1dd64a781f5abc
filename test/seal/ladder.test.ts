import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Pkcs11Seal } from '../../src/engine/seal/pkcs11/pkcs11.ts';
import { Secret } from '../../src/lib/secret.ts';
import { calls as callsOf, fault as setFault, FaultLibrary } from './fault-library.ts';
import { CONTEXT, children, configOf, makeSeal, makeToken, SIGNAL, type TestToken } from './support.ts';

const call = { signal: SIGNAL };
const timing = { startMs: 20_000, openMs: 4_000, callMs: 1_500 };
let library: FaultLibrary;
let token: TestToken;
let stanzaOfFaults: Record<string, string>;

beforeAll(() => {
  library = new FaultLibrary();
});
afterAll(() => library.remove());
beforeEach(() => {
  token = makeToken();
  stanzaOfFaults = library.on(token);
});
afterEach(() => token[Symbol.dispose]());

const make = (stanza: Record<string, string> = {}): Pkcs11Seal & AsyncDisposable =>
  makeSeal(configOf(token, { ...stanzaOfFaults, ...stanza }), { timing });
const fault = (name: string, what: string | number, times: number): void =>
  setFault(token, name, what, times);
const calls = (name: string): number => callsOf(token, name);
const roundTrip = async (seal: Pkcs11Seal): Promise<void> => {
  using secret = Secret.fromText('root key');
  using back = await seal.unwrap(await seal.wrap(secret, CONTEXT, call), CONTEXT, call);
  expect(back.borrow((bytes) => Buffer.from(bytes).toString())).toBe('root key');
};

async function opened(): Promise<{
  seal: Pkcs11Seal & AsyncDisposable;
  pid: number | undefined;
  before: Record<string, number>;
}> {
  const seal = make();
  await seal.open({ ...call, allowGenerateKey: true });
  const before = Object.fromEntries(
    ['C_OpenSession', 'C_Login', 'C_Initialize'].map((name) => [name, calls(name)]),
  );
  return { seal, pid: children()[0], before };
}

describe('the ladder', () => {
  test.each<[string, number, number]>([
    ['C_EncryptInit', 179, 1],
    ['C_Encrypt', 48, 1],
    ['C_Encrypt', 5, 1],
    ['C_DecryptInit', 130, 1],
    ['C_Decrypt', 5, 1],
    ['C_GenerateRandom', 257, 1],
  ])(
    '%s failing with CKR %i once costs a new session, and no new start of the library',
    async (name, ckr, times) => {
      const { seal, pid, before } = await opened();
      await using _ = seal;
      fault(name, ckr, times);
      await roundTrip(seal);
      expect(calls('C_OpenSession')).toBe((before['C_OpenSession'] ?? 0) + 1);
      expect([calls('C_Initialize'), calls('C_Finalize')]).toEqual([before['C_Initialize'], 0]);
      expect(children()).toEqual([pid]);
    },
  );

  test('a failure that outlives the session costs C_Finalize and C_Initialize, in the same process', async () => {
    const { seal, pid } = await opened();
    await using _ = seal;
    fault('C_Encrypt', 48, 2);
    await roundTrip(seal);
    expect(calls('C_Finalize')).toBe(1);
    expect(children()).toEqual([pid]);
  });

  test('a failure that outlives that, too, costs a new process', async () => {
    const { seal, pid } = await opened();
    await using _ = seal;
    fault('C_Encrypt', 48, 3);
    await roundTrip(seal);
    expect(children()).toHaveLength(1);
    expect(children()).not.toEqual([pid]);
  });

  test('a failure that outlives everything is told, and is over when it is over', async () => {
    const { seal } = await opened();
    await using _ = seal;
    fault('C_Encrypt', 48, 4);
    using secret = Secret.fromText('x');
    await expect(seal.wrap(secret, CONTEXT, call)).rejects.toMatchObject({
      code: 'ERR_HSM_OPERATION',
      hint: 'at encrypt: CKR_DEVICE_ERROR',
    });
    await roundTrip(seal);
  });

  test.each(['C_Encrypt', 'C_Decrypt', 'C_GenerateRandom'])(
    'a library that crashes in %s is replaced within the call',
    async (name) => {
      const { seal, pid } = await opened();
      await using _ = seal;
      fault(name, 'crash', 1);
      await roundTrip(seal);
      expect(children()).not.toEqual([pid]);
    },
  );

  test('a library that crashes always is told as such, after one replacement', async () => {
    const { seal } = await opened();
    await using _ = seal;
    fault('C_Encrypt', 'crash', 100);
    using secret = Secret.fromText('x');
    await expect(seal.wrap(secret, CONTEXT, call)).rejects.toMatchObject({
      code: 'ERR_HSM_AGENT_UNAVAILABLE',
      hint: 'the PKCS#11 process ended by SIGSEGV: the vendor library crashed',
    });
    expect(calls('C_Encrypt')).toBeLessThanOrEqual(5);
    fault('C_Encrypt', 'crash', 0);
    await roundTrip(seal);
  });

  test.each(['C_Initialize', 'C_OpenSession', 'C_Login'])(
    'a library that hangs in %s is ended at its deadline',
    async (name) => {
      await using seal = make();
      fault(name, 'hang', 1);
      const from = performance.now();
      await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
        code: 'ERR_HSM_TIMEOUT',
      });
      expect(performance.now() - from).toBeLessThan(15_000);
      await seal.open({ ...call, allowGenerateKey: true });
      await roundTrip(seal);
    },
  );
});

describe('the PIN', () => {
  test.each([
    ['one try is left', 0x20000],
    ['it is locked', 0x40000],
  ])('is not presented when the token says that %s', async (_, flags) => {
    await using seal = make();
    fault('token-flags', flags, 100);
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_PIN_LOCKED',
    });
    expect(seal.health().terminal).toBe(true);
    expect(calls('C_Login')).toBe(0);
  });

  test.each([
    [160, 'ERR_HSM_PIN_INCORRECT'],
    [164, 'ERR_HSM_PIN_LOCKED'],
  ])('refused with CKR %i in the middle of a repair is not presented again', async (ckr, code) => {
    const { seal, before } = await opened();
    await using _ = seal;
    fault('C_Encrypt', 257, 1);
    fault('C_Login', ckr, 100);
    using secret = Secret.fromText('x');
    for (let i = 0; i < 3; i += 1)
      await expect(seal.wrap(secret, CONTEXT, call)).rejects.toMatchObject({ code });
    expect(calls('C_Login')).toBe((before['C_Login'] ?? 0) + 1);
  });
});

describe('the self-test', () => {
  test('refuses an HSM that gives back something else', async () => {
    await using seal = make();
    fault('C_Decrypt', 'corrupt', 100);
    await expect(seal.open({ ...call, allowGenerateKey: true })).rejects.toMatchObject({
      code: 'ERR_HSM_SELF_TEST',
    });
  });

  test('tells a bad HSM from a bad blob', async () => {
    const { seal } = await opened();
    await using _ = seal;
    using secret = Secret.fromText('x');
    const blob = await seal.wrap(secret, CONTEXT, call);
    fault('C_Decrypt', 5, 100);
    await expect(seal.unwrap(blob, CONTEXT, call)).rejects.toMatchObject({ code: 'ERR_HSM_SELF_TEST' });
    fault('C_Decrypt', 5, 0);
    await expect(seal.unwrap(blob, { ...CONTEXT, clusterId: 'other' }, call)).rejects.toMatchObject({
      code: 'ERR_SEAL_BLOB',
    });
    await roundTrip(seal);
  });

  test('runs at each open', async () => {
    const { seal } = await opened();
    await using _ = seal;
    const before = calls('C_Decrypt');
    await seal.open({ ...call, allowGenerateKey: false });
    expect(calls('C_Decrypt')).toBe(before + 1);
  });
});

test('a template that an HSM refuses is tried once more without its dispensable attributes', async () => {
  await using seal = make({ key_label: 'simple' });
  fault('C_GenerateKey', 0xd1, 1);
  await seal.open({ ...call, allowGenerateKey: true });
  expect(calls('C_GenerateKey')).toBe(2);
  expect((await seal.keyReport(call)).attributes).toMatchObject({ sensitive: true, extractable: false });
});
