/** What a type of key is made of; the family decides which operations it has. */
export type KeyTraits =
  | { readonly family: 'aead'; readonly cipher: AeadCipher; readonly bytes: 16 | 32 }
  | {
      readonly family: 'ecdsa';
      readonly curve: 'P-256' | 'P-384' | 'P-521';
      /** OpenSSL's name of the curve. */
      readonly group: 'prime256v1' | 'secp384r1' | 'secp521r1';
    }
  | { readonly family: 'ed25519' }
  | { readonly family: 'rsa'; readonly bits: 2048 | 3072 | 4096 }
  | { readonly family: 'hmac' }
  /** In an HSM: what a version can do is in its public key (managed.ts). */
  | { readonly family: 'managed' };

export type AeadCipher = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305' | 'xchacha20-poly1305';

export type KeyType =
  | 'aes128-gcm96'
  | 'aes256-gcm96'
  | 'chacha20-poly1305'
  | 'ecdsa-p256'
  | 'ecdsa-p384'
  | 'ecdsa-p521'
  | 'ed25519'
  | 'hmac'
  | 'managed_key'
  | 'rsa-2048'
  | 'rsa-3072'
  | 'rsa-4096'
  | 'xchacha20-poly1305';

export const HMAC_MIN_BYTES = 32;
export const HMAC_MAX_BYTES = 512;

const traits: Readonly<Record<KeyType, KeyTraits>> = {
  'aes128-gcm96': { family: 'aead', cipher: 'aes-128-gcm', bytes: 16 },
  'aes256-gcm96': { family: 'aead', cipher: 'aes-256-gcm', bytes: 32 },
  'chacha20-poly1305': { family: 'aead', cipher: 'chacha20-poly1305', bytes: 32 },
  'ecdsa-p256': { family: 'ecdsa', curve: 'P-256', group: 'prime256v1' },
  'ecdsa-p384': { family: 'ecdsa', curve: 'P-384', group: 'secp384r1' },
  'ecdsa-p521': { family: 'ecdsa', curve: 'P-521', group: 'secp521r1' },
  ed25519: { family: 'ed25519' },
  hmac: { family: 'hmac' },
  managed_key: { family: 'managed' },
  'rsa-2048': { family: 'rsa', bits: 2048 },
  'rsa-3072': { family: 'rsa', bits: 3072 },
  'rsa-4096': { family: 'rsa', bits: 4096 },
  'xchacha20-poly1305': { family: 'aead', cipher: 'xchacha20-poly1305', bytes: 32 },
};

/** @returns whether a text names a type of key whose material is kept here */
export function isKeyType(name: string): name is KeyType {
  return Object.hasOwn(traits, name) && name !== 'managed_key';
}

export function traitsOf(type: KeyType): KeyTraits {
  return traits[type];
}

/** @returns whether keys of the type encrypt, and so also decrypt */
export function encrypts(type: KeyType): boolean {
  const { family } = traits[type];
  return family === 'aead' || family === 'rsa' || family === 'managed';
}

/** @returns whether keys of the type sign, and so also verify */
export function signs(type: KeyType): boolean {
  const { family } = traits[type];
  return family === 'ecdsa' || family === 'ed25519' || family === 'rsa' || family === 'managed';
}

/** @returns whether a key of the type may be made with a context for every request */
export function derives(type: KeyType): boolean {
  const { family } = traits[type];
  return family === 'aead' || family === 'ed25519';
}

/** @returns whether the type has a public half */
export function isAsymmetric(type: KeyType): boolean {
  return signs(type);
}
