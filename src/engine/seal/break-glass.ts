import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { concat, fromBase64, fromHex, text, toBase64, utf8, view } from '../../lib/bytes.ts';
import { SealedVaultError } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import { decodeParts } from './group/blob.ts';
import type { Seal, SealContext } from './seal.ts';

/**
 * The break-glass seal: what the HSM wraps is also encrypted to a public key whose private key people hold in shares, so
 * that a lost HSM is not a lost vault. Wrapping needs nobody; opening needs a quorum.
 *
 *     {"version":1,"seal":"break-glass","public_key":…,"ephemeral_key":…,"ciphertext":…}
 *
 * X25519 (RFC 7748) with a fresh ephemeral key for each value; key and nonce are HKDF-SHA256 (RFC 5869) of the shared
 * secret, salted with both public keys, 44 bytes; AES-256-GCM, its tag at the end; cluster and purpose are additional
 * authenticated data.
 */
export interface BreakGlassSeal extends Seal {
  readonly type: 'break-glass';
  /** Takes the combined private key; the caller keeps ownership. */
  setKey(key: Secret): void;
  /** Forgets the private key. */
  forget(): void;
}

/** The name of the part that people can open, among those of HSMs. */
export const BREAK_GLASS = 'break-glass';

export class BreakGlassError extends SealedVaultError {
  override readonly code = 'ERR_SEAL_BLOB';
}

// An X25519 key in PKCS #8 and SPKI is the bare key behind a fixed header (RFC 8410 §7, §4).
const PKCS8 = fromHex('302e020100300506032b656e04220420') ?? new Uint8Array();
const SPKI = fromHex('302a300506032b656e032100') ?? new Uint8Array();
const INFO = 'sealedvault break-glass v1';
const TAG = 16;

export function isBreakGlass(seal: Seal): seal is BreakGlassSeal {
  return seal.type === BREAK_GLASS;
}

/** @param key 32 random bytes, the private key. @returns the public key, base64 */
export function breakGlassPublicKey(key: Secret): string {
  return publicOf(privateKey(key));
}

/** @param publicKey base64. @returns what opens with the private key only */
export function sealToPublicKey(
  publicKey: string,
  plaintext: Secret,
  context: SealContext,
  ephemeralSeed: Uint8Array,
): Uint8Array {
  using seed = Secret.own(ephemeralSeed);
  const ephemeral = privateKey(seed);
  const ephemeralKey = publicOf(ephemeral);
  const [key, nonce] = derive(ephemeral, publicKey, { publicKey, ephemeralKey });
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(boundTo(context));
  const body = plaintext.borrow((bytes) => concat(cipher.update(bytes), cipher.final()));
  key.fill(0);
  const ciphertext = toBase64(concat(body, cipher.getAuthTag()));
  return utf8(
    JSON.stringify({
      version: 1,
      seal: BREAK_GLASS,
      public_key: publicKey,
      ephemeral_key: ephemeralKey,
      ciphertext,
    }),
  );
}

/** @returns the public key that a value was sealed to; undefined for anything else */
export function publicKeyOf(blob: Uint8Array): string | undefined {
  return read(blob)?.publicKey;
}

/** What opens by the shares of people; it never wraps. */
export function createBreakGlassSeal(): BreakGlassSeal {
  let held: KeyObject | undefined;
  const never = (): Promise<never> =>
    Promise.reject(new BreakGlassError('the break-glass seal only opens: the vault migrates away from it'));
  return {
    type: BREAK_GLASS,
    setKey: (key) => {
      if (key.length !== 32) throw new BreakGlassError('a break-glass key has 32 bytes');
      held = privateKey(key);
    },
    forget: () => {
      held = undefined;
    },
    open: () => Promise.resolve(),
    wrap: never,
    unwrap: async (blob, context) => {
      const part = decodeParts(blob).find(({ name }) => name === BREAK_GLASS);
      if (part === undefined)
        throw new BreakGlassError('this vault has no break-glass seal', {
          hint: 'it is opened by its HSM only',
        });
      if (held === undefined) throw new BreakGlassError('the break-glass shares were not given yet');
      return openBy(held, part.blob, context);
    },
    wrote: () => Promise.resolve(false),
    random: never,
    health: () => ({ healthy: true, terminal: false }),
    close: async () => {
      held = undefined;
    },
  };
}

function openBy(key: KeyObject, blob: Uint8Array, context: SealContext): Secret {
  const sealed = read(blob);
  if (sealed === undefined || sealed.publicKey !== publicOf(key))
    throw new BreakGlassError('the break-glass shares are not the right ones');
  const [contentKey, nonce] = derive(key, sealed.ephemeralKey, sealed);
  const decipher = createDecipheriv('aes-256-gcm', contentKey, nonce);
  decipher.setAAD(boundTo(context));
  decipher.setAuthTag(sealed.ciphertext.subarray(-TAG));
  try {
    return Secret.own(concat(decipher.update(sealed.ciphertext.subarray(0, -TAG)), decipher.final()));
  } catch {
    throw new BreakGlassError('a value of the break-glass seal does not authenticate');
  } finally {
    contentKey.fill(0);
  }
}

interface Sealed {
  readonly publicKey: string;
  readonly ephemeralKey: string;
  readonly ciphertext: Uint8Array;
}

function read(blob: Uint8Array): Sealed | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text(blob));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('seal' in value) || value.seal !== BREAK_GLASS)
    return undefined;
  if (!('version' in value) || value.version !== 1) return undefined;
  const string = (name: string): string => {
    const found: unknown = Reflect.get(value, name);
    return typeof found === 'string' ? found : '';
  };
  const [publicKey, ephemeralKey] = [string('public_key'), string('ephemeral_key')];
  const ciphertext = fromBase64(string('ciphertext'));
  const isKey = (key: string): boolean => fromBase64(key)?.length === 32;
  if (!isKey(publicKey) || !isKey(ephemeralKey) || ciphertext === undefined || ciphertext.length < TAG)
    return undefined;
  return { publicKey, ephemeralKey, ciphertext };
}

function derive(
  own: KeyObject,
  other: string,
  { publicKey, ephemeralKey }: Pick<Sealed, 'publicKey' | 'ephemeralKey'>,
): [Uint8Array, Uint8Array] {
  const spki = concat(SPKI, fromBase64(other) ?? new Uint8Array());
  const shared = diffieHellman({
    privateKey: own,
    publicKey: createPublicKey({ key: view(spki), format: 'der', type: 'spki' }),
  });
  const derived = new Uint8Array(hkdfSync('sha256', shared, utf8(`${ephemeralKey}\n${publicKey}`), INFO, 44));
  shared.fill(0);
  return [derived.subarray(0, 32), derived.subarray(32)];
}

function privateKey(key: Secret): KeyObject {
  const pkcs8 = key.borrow((bytes) => concat(PKCS8, bytes));
  try {
    return createPrivateKey({ key: view(pkcs8), format: 'der', type: 'pkcs8' });
  } finally {
    pkcs8.fill(0);
  }
}

function publicOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return toBase64(spki.subarray(SPKI.length));
}

function boundTo({ clusterId, purpose }: SealContext): Uint8Array {
  return utf8(JSON.stringify(['sealedvault break-glass seal', 1, clusterId, purpose]));
}
