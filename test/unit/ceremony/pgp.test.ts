import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { armorMessage, encryptToCustodian, inspectCustodianKey } from '../../../src/ceremony/pgp.ts';
import { Secret } from '../../../src/lib/secret.ts';

const SHARE = `${'5a'.repeat(32)}07`;
let home: string;
let now: Date;

function gpg(args: string[], input?: string | Uint8Array): Buffer {
  return execFileSync(
    'gpg',
    ['--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args],
    { input, stdio: ['pipe', 'pipe', 'pipe'] },
  );
}

function generate(name: string, primary: string, sub: string | undefined, extra: string[] = []): void {
  gpg([...extra, '--quick-generate-key', `${name} <${name}@example.org>`, primary, 'sign', '0']);
  if (sub !== undefined) gpg([...extra, '--quick-add-key', fingerprint(name), sub, 'encrypt', '0']);
}

function fingerprint(name: string): string {
  const line = gpg(['--with-colons', '--list-keys', `${name}@`])
    .toString()
    .match(/^fpr:+([0-9A-F]{40}):/m);
  return line?.[1] ?? '';
}

const armored = (...names: string[]): string =>
  gpg(['--armor', '--export', ...names.map((n) => `${n}@`)]).toString();
const binary = (name: string): string => gpg(['--export', `${name}@`]).toString('base64');

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'gnupg-'));
  generate('rsa2048', 'rsa2048', 'rsa2048');
  generate('rsa3072', 'rsa3072', 'rsa3072');
  generate('ed25519', 'ed25519', 'cv25519');
  generate('nistp256', 'nistp256', 'nistp256');
  generate('signonly', 'ed25519', undefined);
  gpg(['--quick-generate-key', 'certonly <certonly@example.org>', 'ed25519', 'cert', '0']);
  gpg(['--quick-add-key', fingerprint('certonly'), 'cv25519', 'encrypt', '0']);
  generate('weaksub', 'ed25519', 'rsa1024');
  generate('dsa', 'dsa2048', 'elg2048');
  generate('curve', 'ed25519', 'secp256k1');
  generate('revoked', 'ed25519', 'cv25519');
  const old = ['--faked-system-time', '20200101T000000'];
  gpg([...old, '--quick-generate-key', 'expired <expired@example.org>', 'ed25519', 'sign', '1d']);
  gpg([...old, '--quick-add-key', fingerprint('expired'), 'cv25519', 'encrypt', '1d']);
  generate('expiredsub', 'ed25519', undefined, old);
  gpg([...old, '--quick-add-key', fingerprint('expiredsub'), 'cv25519', 'encrypt', '1d']);
  gpg(['--quick-generate-key', 'soon <soon@example.org>', 'ed25519', 'sign', '20d']);
  gpg(['--quick-add-key', fingerprint('soon'), 'cv25519', 'encrypt', '10d']);
  const certificate = join(home, 'openpgp-revocs.d', `${fingerprint('revoked')}.rev`);
  const text = execFileSync('sed', ['s/^:-----BEGIN/-----BEGIN/', certificate]);
  gpg(['--import'], text);
  now = new Date();
}, 120_000);

afterAll(() => {
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'gpg-agent']);
  rmSync(home, { recursive: true, force: true });
});

describe('custodian keys', () => {
  test.each([
    ['rsa2048', 'rsa2048'],
    ['rsa3072', 'rsa3072'],
    ['ed25519', 'curve25519Legacy'],
    ['nistp256', 'nistP256'],
  ])('%s is accepted in every form, and gpg decrypts what is encrypted to it', async (name, algorithm) => {
    const forms = [armored(name), armored(name).replaceAll('\n', '\r\n'), binary(name)];
    forms.push(binary(name).replace(/.{1,70}/g, '$&\n'), Buffer.from(armored(name)).toString('base64'));
    for (const form of forms) {
      const result = await inspectCustodianKey(form, now);
      if (!result.ok) throw new Error(result.message);
      expect(result.key).toEqual({
        fingerprint: fingerprint(name).toLowerCase(),
        encryptionKeyFingerprint: expect.stringMatching(/^[0-9a-f]{40}$/),
        algorithm,
        userIds: [`${name} <${name}@example.org>`],
        binaryBase64: expect.any(String),
      });
      expect(result.key.encryptionKeyFingerprint).not.toBe(result.key.fingerprint);
      using share = Secret.fromText(SHARE);
      const message = await encryptToCustodian(share, result.key.binaryBase64);
      expect(gpg(['--decrypt'], message).toString()).toBe(SHARE);
      expect(gpg(['--decrypt'], armorMessage(message)).toString()).toBe(SHARE);
    }
  });

  test('the encryption sub-key reported is the one gpg finds in the message', async () => {
    const result = await inspectCustodianKey(armored('ed25519'), now);
    if (!result.ok) throw new Error(result.message);
    using share = Secret.fromText(SHARE);
    const message = await encryptToCustodian(share, result.key.binaryBase64);
    const packets = gpg(['--list-packets', '--list-only'], message).toString().toLowerCase();
    expect(packets).toContain(`keyid ${result.key.encryptionKeyFingerprint.slice(-16)}`);
  });

  test('a key is judged by what it is needed for', async () => {
    const signs = { receives: false, signs: true };
    const both = { receives: true, signs: true };
    const only = await inspectCustodianKey(armored('signonly'), now, signs);
    expect(only).toMatchObject({
      ok: true,
      key: { fingerprint: fingerprint('signonly').toLowerCase(), encryptionKeyFingerprint: '' },
    });
    expect(await inspectCustodianKey(armored('expiredsub'), now, signs)).toMatchObject({ ok: true });
    expect(await inspectCustodianKey(armored('signonly'), now, both)).toMatchObject({
      reason: 'no-encryption-key',
    });
    expect(await inspectCustodianKey(armored('certonly'), now)).toMatchObject({ ok: true });
    for (const use of [signs, both])
      expect(await inspectCustodianKey(armored('certonly'), now, use)).toMatchObject({
        ok: false,
        reason: 'no-signing-key',
      });
    for (const name of ['dsa', 'expired', 'revoked'])
      expect(await inspectCustodianKey(armored(name), now, signs)).toMatchObject({ ok: false });
    const soon = await inspectCustodianKey(armored('soon'), now, signs);
    const days = soon.ok && soon.key.expires ? (+soon.key.expires - +now) / 86_400_000 : 0;
    expect(Math.round(days)).toBe(20);
  });

  test('the earlier expiry of primary key and encryption sub-key is reported', async () => {
    const result = await inspectCustodianKey(armored('soon'), now);
    const days = result.ok && result.key.expires ? (+result.key.expires - +now) / 86_400_000 : 0;
    expect(Math.round(days)).toBe(10);
  });

  test.each([
    ['signonly', 'no-encryption-key'],
    ['expiredsub', 'no-encryption-key'],
    ['weaksub', 'algorithm'],
    ['dsa', 'algorithm'],
    ['curve', 'algorithm'],
    ['expired', 'expired'],
    ['revoked', 'revoked'],
  ])('%s is refused: %s', async (name, reason) => {
    expect(await inspectCustodianKey(armored(name), now)).toMatchObject({ ok: false, reason });
    expect(await inspectCustodianKey(binary(name), now)).toMatchObject({ ok: false, reason });
  });

  test('two keys are refused, in one block and in two', async () => {
    const one = armored('rsa2048', 'ed25519');
    const two = armored('rsa2048') + armored('ed25519');
    for (const text of [one, two, Buffer.from(two).toString('base64')]) {
      expect(await inspectCustodianKey(text, now)).toMatchObject({ ok: false, reason: 'not-one-key' });
    }
  });

  test('a secret key is refused, and the answer shows nothing of it', async () => {
    const secret = gpg(['--armor', '--export-secret-keys', 'ed25519@']).toString();
    const result = await inspectCustodianKey(secret, now);
    expect(result).toMatchObject({ ok: false, reason: 'secret-key' });
    expect(JSON.stringify(result)).not.toContain(secret.split('\n')[4]);
  });

  test('a version 6 key is refused', async () => {
    const { publicKey } = await openpgp.generateKey({
      userIDs: [{ name: 'six', email: 'six@example.org' }],
      type: 'curve25519',
      config: { v6Keys: true },
    });
    expect(await inspectCustodianKey(publicKey, now)).toMatchObject({ ok: false, reason: 'version' });
  });

  test('a key that asks for AEAD packets still gets a message in the older form', async () => {
    const { publicKey, privateKey } = await openpgp.generateKey({
      userIDs: [{ name: 'aead', email: 'aead@example.org' }],
      config: { aeadProtect: true },
      format: 'object',
    });
    const result = await inspectCustodianKey(publicKey.armor(), new Date());
    if (!result.ok) throw new Error(result.message);
    using share = Secret.fromText(SHARE);
    const binaryMessage = await encryptToCustodian(share, result.key.binaryBase64);
    const message = await openpgp.readMessage({ binaryMessage });
    expect(message.packets.map((packet) => Reflect.get(packet, 'version'))).toEqual([3, 1]);
    const opened = await openpgp.decrypt({ message, decryptionKeys: privateKey });
    expect(opened.data).toBe(SHARE);
  });

  test.each([
    '',
    'hello',
    'aGVsbG8=',
    'mQ==',
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----',
  ])('garbage is refused as unreadable: %j', async (text) => {
    const result = await inspectCustodianKey(text, now);
    expect(result.ok).toBe(false);
  });

  test('a flipped bit anywhere in a key never makes it another accepted key', async () => {
    const bytes = Buffer.from(binary('ed25519'), 'base64');
    const good = await inspectCustodianKey(bytes.toString('base64'), now);
    for (let i = 0; i < bytes.length; i += 3) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8((changed[i] ?? 0) ^ 4, i);
      const result = await inspectCustodianKey(changed.toString('base64'), now);
      if (!result.ok || !good.ok) continue;
      expect(result.key.fingerprint).toBe(good.key.fingerprint);
      expect(result.key.encryptionKeyFingerprint).toBe(good.key.encryptionKeyFingerprint);
    }
  });

  test('a key that expires after it was accepted is refused by the encryption, with a constant message', async () => {
    await expect(encryptToCustodian(Secret.fromText(SHARE), binary('expired'))).rejects.toMatchObject({
      code: 'ERR_PGP_KEY',
      message: 'a message cannot be encrypted to a custodian key',
    });
    await expect(encryptToCustodian(Secret.fromText(SHARE), 'not base64!')).rejects.toMatchObject({
      code: 'ERR_PGP_KEY',
    });
  });

  test('armor is what the library reads, with its checksum', async () => {
    for (const length of [1, 2, 3, 47, 48, 49, 200]) {
      const body = new Uint8Array(length).map((_, i) => (i * 37) & 255);
      const { data } = await openpgp.unarmor(armorMessage(body));
      expect(Buffer.from(data instanceof Uint8Array ? data : []).equals(body)).toBe(true);
    }
  });

  // Written once for the fixed key below; a later version must still be able to read both.
  test('vector: a message written earlier still opens', async () => {
    const { readFileSync } = await import('node:fs');
    const vectors: { name: string; secretKey: string; message: string; plaintext: string }[] = JSON.parse(
      readFileSync(new URL('../../vectors/pgp.json', import.meta.url), 'utf8'),
    );
    for (const { secretKey, message, plaintext } of vectors) {
      const file = join(home, 'vector.asc');
      writeFileSync(file, secretKey);
      gpg(['--import', file]);
      expect(gpg(['--decrypt'], message).toString()).toBe(plaintext);
    }
    expect(vectors.length).toBeGreaterThan(0);
  });
});
