/** The mechanisms a root key may be sealed with (PKCS#11 v2.40, Current Mechanisms §2.1.8 and §2.12.3). */
export type MechanismName = 'CKM_AES_GCM' | 'CKM_RSA_PKCS_OAEP';

/** What a stored value may be sealed with: those, and one that is only read, of Vault Enterprise (vault-blob.ts). */
export type SealedMechanism = MechanismName | 'CKM_AES_CBC_PAD';

/** The keys that are needed to read what Vault Enterprise sealed with CKM_AES_CBC_PAD. Ids are lower-case hex. */
export interface LegacyKeys {
  readonly hmacKeyLabel?: string;
  readonly hmacKeyId?: string;
  /** For values that do not name their keys. */
  readonly defaultKeyLabel?: string;
  readonly defaultHmacKeyLabel?: string;
}

export type OaepHash = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

interface OaepNumbers {
  /** CKM_* of the hash. */
  readonly hash: number;
  /** CKG_MGF1_* with the same hash. */
  readonly mgf: number;
}

export const MECHANISM_NUMBERS: Readonly<Record<MechanismName, number>> = {
  CKM_AES_GCM: 0x1087,
  CKM_RSA_PKCS_OAEP: 0x0009,
};

export const OAEP_NUMBERS: Readonly<Record<OaepHash, OaepNumbers>> = {
  sha1: { hash: 0x220, mgf: 1 },
  sha224: { hash: 0x255, mgf: 5 },
  sha256: { hash: 0x250, mgf: 2 },
  sha384: { hash: 0x260, mgf: 3 },
  sha512: { hash: 0x270, mgf: 4 },
};

export const GCM_IV_LENGTH = 12;
export const GCM_TAG_LENGTH = 16;

export function isMechanismName(value: unknown): value is MechanismName {
  return typeof value === 'string' && Object.hasOwn(MECHANISM_NUMBERS, value);
}

export function isSealedMechanism(value: unknown): value is SealedMechanism {
  return value === 'CKM_AES_CBC_PAD' || isMechanismName(value);
}

/** Whether a text is CKM_AES_CBC_PAD, as a name or a number. */
export function isCbcPad(text: string): boolean {
  return /^(CKM_)?AES_CBC_PAD$/i.test(text) || (/^(0x[0-9a-f]+|\d+)$/i.test(text) && Number(text) === 0x1085);
}

export function isOaepHash(value: unknown): value is OaepHash {
  return typeof value === 'string' && Object.hasOwn(OAEP_NUMBERS, value);
}

/** @param text a name with or without CKM_, or a number, decimal or 0x; undefined when it is none that is supported */
export function parseMechanism(text: string): MechanismName | undefined {
  const number = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^(CKM_)?/, 'CKM_');
  for (const known of ['CKM_AES_GCM', 'CKM_RSA_PKCS_OAEP'] as const) {
    if (number === MECHANISM_NUMBERS[known] || name === known) return known;
  }
  return undefined;
}
