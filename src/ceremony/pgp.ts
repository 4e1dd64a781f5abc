import { randomFillSync } from 'node:crypto';
import type { AlgorithmInfo, Key, PublicKey, Subkey } from 'openpgp';
import { fromBase64, text, toBase64 } from '../lib/bytes.ts';
import { SealedVaultError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { refuseAlgorithm } from './pgp-policy.ts';

/**
 * People's OpenPGP keys: what may receive a share or sign, and how a share is encrypted to it.
 *
 * I1  A key is looked at completely before anything is encrypted to it; what was reported (sub-key, expiry)
 *     is what the encryption uses.
 * I2  Exactly one public v4 key (RFC 4880, RFC 9580 §5.5.2): never a secret key, never the first of several.
 * I3  A message is readable by gpg 2.2: version 1 of the encrypted data packet, with MDC (RFC 9580 §5.13.1).
 * I4  A refused key is a value, not an error: the message says what to do and holds nothing of the key's text.
 *
 * The library is loaded on first use: it costs some 50 ms that no start of an engine should wait for.
 */
export interface CustodianKey {
  /** Of the primary key, 40 lower-case hex digits, as gpg shows it. */
  readonly fingerprint: string;
  /** Of the (sub-)key that messages are encrypted to; empty when none are. */
  readonly encryptionKeyFingerprint: string;
  /** Of that (sub-)key, or else of the one that signs, such as `rsa3072` or `curve25519Legacy`. */
  readonly algorithm: string;
  readonly userIds: readonly string[];
  /** The first moment at which the key, or a sub-key that is needed, is no longer valid. */
  readonly expires?: Date;
  /** The public key as Vault's API takes it. */
  readonly binaryBase64: string;
}

/** What a person's key is needed for; for neither, it is only read. */
export interface KeyUse {
  /** Messages are encrypted to it. */
  readonly receives: boolean;
  /** Its owner signs statements. */
  readonly signs: boolean;
}

const RECEIVES: KeyUse = { receives: true, signs: false };

export type KeyRefusal =
  | 'unreadable'
  | 'not-one-key'
  | 'secret-key'
  | 'version'
  | 'revoked'
  | 'expired'
  | 'not-yet-valid'
  | 'no-encryption-key'
  | 'no-signing-key'
  | 'algorithm';

export type KeyInspection =
  | { readonly ok: true; readonly key: CustodianKey }
  | { readonly ok: false; readonly reason: KeyRefusal; readonly message: string };

export class PgpKeyInvalid extends SealedVaultError {
  override readonly code = 'ERR_PGP_KEY';
}

/**
 * Reads and judges a person's key.
 *
 * @param input an ASCII-armored public key, or base64 of the binary or of the armored key (line breaks allowed)
 * @param now the moment at which the key must be valid
 * @param use what it must be able to do; to receive messages when nothing is said
 */
export async function inspectCustodianKey(
  input: string,
  now: Date,
  use: KeyUse = RECEIVES,
): Promise<KeyInspection> {
  const decoded = decode(input);
  if (decoded === undefined)
    return refuse('unreadable', 'this is neither an armored key nor base64 of a key');
  if (decoded.armored !== undefined && blocks(decoded.armored) !== 1) {
    return refuse(
      'not-one-key',
      'exactly one key must be given: export each custodian with a file of its own',
    );
  }
  let keys: Key[];
  try {
    keys = await read(decoded);
  } catch {
    return refuse('unreadable', 'this cannot be read as an OpenPGP public key of version 4');
  }
  const [key] = keys;
  if (key === undefined || keys.length !== 1) {
    return refuse(
      'not-one-key',
      'exactly one key must be given: export each custodian with a file of its own',
    );
  }
  if (key.isPrivate()) {
    return refuse('secret-key', 'this is a secret key: treat it as disclosed and export the public one');
  }
  return judge(key, now, use);
}

async function judge(key: Key, now: Date, use: KeyUse): Promise<KeyInspection> {
  if (key.keyPacket.version !== 4) {
    return refuse('version', 'only version 4 keys are accepted: gpg 2.2 cannot read messages to later ones');
  }
  const weak = refuseAlgorithm(key.getAlgorithmInfo());
  if (weak !== undefined) return refuse('algorithm', `the primary key is ${weak}`);
  if (key.getCreationTime() > now)
    return refuse('not-yet-valid', 'the key was made in the future: check clocks');
  if (await key.isRevoked(undefined, undefined, now)) return refuse('revoked', 'the key is revoked');
  const expires = await key.getExpirationTime();
  if (expires instanceof Date && expires <= now) {
    return refuse('expired', 'the key has expired: extend it and export it again');
  }
  try {
    await key.verifyPrimaryKey(now);
  } catch {
    return refuse('unreadable', 'the key holds no user id that its own signature confirms');
  }
  const chosen = use.receives ? await encryptionKeyOf(key, now) : undefined;
  if (chosen !== undefined && 'ok' in chosen) return chosen;
  const signing = use.signs ? await signingKeyOf(key, now) : undefined;
  if (signing !== undefined && 'ok' in signing) return signing;
  const needed = [chosen, signing].filter((each) => each !== undefined);
  const ends = await Promise.all(
    needed.map(async (each) => ('mainKey' in each ? each.getExpirationTime(now) : expires)),
  );
  const first = [expires, ...ends].filter((value) => value instanceof Date).sort((a, b) => +a - +b)[0];
  return {
    ok: true,
    key: {
      fingerprint: key.getFingerprint(),
      encryptionKeyFingerprint: chosen?.getFingerprint() ?? '',
      algorithm: algorithmName((needed[0] ?? key).getAlgorithmInfo()),
      userIds: key.getUserIDs().map((id) => id.replace(/\p{C}/gu, ' ')),
      ...(first === undefined ? {} : { expires: first }),
      binaryBase64: toBase64(key.write()),
    },
  };
}

type Refused = Extract<KeyInspection, { readonly ok: false }>;

async function encryptionKeyOf(key: Key, now: Date): Promise<Key | Subkey | Refused> {
  let chosen: Key | Subkey;
  try {
    chosen = await key.getEncryptionKey(undefined, now);
  } catch {
    return noEncryptionKey(key);
  }
  const weak = refuseAlgorithm(chosen.getAlgorithmInfo());
  return weak === undefined ? chosen : refuse('algorithm', `the encryption key is ${weak}`);
}

async function signingKeyOf(key: Key, now: Date): Promise<Key | Subkey | Refused> {
  let chosen: Key | Subkey;
  try {
    chosen = await key.getSigningKey(undefined, now);
  } catch {
    return refuse(
      'no-signing-key',
      'the key cannot sign: add a signing sub-key, or extend the expired one, and export it again',
    );
  }
  const weak = refuseAlgorithm(chosen.getAlgorithmInfo());
  return weak === undefined ? chosen : refuse('algorithm', `the signing key is ${weak}`);
}

function noEncryptionKey(key: Key): Refused {
  const weak = key.subkeys.map((sub) => refuseAlgorithm(sub.getAlgorithmInfo())).find((w) => w !== undefined);
  if (weak !== undefined) return refuse('algorithm', `the encryption key is ${weak}`);
  return refuse(
    'no-encryption-key',
    'the key has no encryption sub-key that is valid now: add one, or extend the expired one, and export it again',
  );
}

/**
 * Encrypts to a key that {@link inspectCustodianKey} accepted.
 *
 * @param plaintext the caller keeps ownership
 * @param binaryBase64 {@link CustodianKey.binaryBase64}
 * @returns a binary OpenPGP message
 * @throws ERR_PGP_KEY when the key cannot be read or is no longer valid
 */
export async function encryptToCustodian(plaintext: Secret, binaryBase64: string): Promise<Uint8Array> {
  const binary = fromBase64(binaryBase64);
  if (binary === undefined) throw new PgpKeyInvalid('a custodian key is not base64');
  const openpgp = await import('openpgp');
  const content = plaintext.borrow((bytes) => Uint8Array.from(bytes));
  // Without a session key of our own the library writes packets that gpg 2.2 cannot read, to keys that ask for them.
  const sessionKey = randomFillSync(new Uint8Array(32));
  try {
    const keys: PublicKey[] = await openpgp.readKeys({ binaryKeys: binary });
    const [key] = keys;
    if (key === undefined || keys.length !== 1 || key.isPrivate()) {
      throw new PgpKeyInvalid('a custodian key is not exactly one public key');
    }
    return await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: content }),
      encryptionKeys: key,
      sessionKey: { data: sessionKey, algorithm: 'aes256' },
      format: 'binary',
    });
  } catch (cause) {
    if (cause instanceof PgpKeyInvalid) throw cause;
    throw new PgpKeyInvalid('a message cannot be encrypted to a custodian key', { cause });
  } finally {
    content.fill(0);
    sessionKey.fill(0);
  }
}

/** A binary message as ASCII armor (RFC 9580 §6.2), with the checksum that older readers expect. */
export function armorMessage(binary: Uint8Array): string {
  const body = toBase64(binary).replace(/.{1,64}/g, '$&\n');
  const sum = crc24(binary);
  const check = toBase64(Uint8Array.of(sum >>> 16, (sum >>> 8) & 0xff, sum & 0xff));
  return `-----BEGIN PGP MESSAGE-----\n\n${body}=${check}\n-----END PGP MESSAGE-----\n`;
}

// RFC 9580 §6.1.1
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x800000 ? (crc << 1) ^ 0x1864cfb : crc << 1;
  }
  return crc & 0xffffff;
}

interface Decoded {
  readonly armored?: string;
  readonly binary?: Uint8Array;
}

function decode(input: string): Decoded | undefined {
  if (input.includes('-----BEGIN')) return { armored: input };
  const binary = fromBase64(input.replace(/\s+/g, ''));
  if (binary === undefined || binary.length === 0) return undefined;
  // The first bit of a packet is always set (RFC 9580 §4.2); armor is ASCII.
  if ((binary[0] ?? 0) >= 0x80) return { binary };
  const inner = text(binary);
  return inner.includes('-----BEGIN') ? { armored: inner } : undefined;
}

async function read(decoded: Decoded): Promise<Key[]> {
  const openpgp = await import('openpgp');
  if (decoded.armored !== undefined) return openpgp.readKeys({ armoredKeys: decoded.armored });
  return openpgp.readKeys({ binaryKeys: decoded.binary ?? new Uint8Array() });
}

function blocks(armored: string): number {
  return armored.split('-----BEGIN ').length - 1;
}

function algorithmName(info: AlgorithmInfo): string {
  return info.bits === undefined ? (info.curve ?? info.algorithm) : `rsa${info.bits}`;
}

function refuse(reason: KeyRefusal, message: string): Refused {
  return { ok: false, reason, message };
}
