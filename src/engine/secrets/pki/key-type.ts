import { Refused } from './refused.ts';

export type KeyType = 'rsa' | 'ec' | 'ed25519';

export interface KeyShape {
  readonly keyType: KeyType;
  /** 0 for Ed25519. */
  readonly keyBits: number;
}

const RSA_BITS: readonly number[] = [2048, 3072, 4096, 8192];
const EC_BITS: readonly number[] = [224, 256, 384, 521];

/**
 * Checks a type of keys with its sizes and fills in what is 0: RSA 2048 with SHA-256, P-256.
 * @param keyType also `any`, of which nothing is known yet
 */
export function settleKey(
  keyType: string,
  bits: number,
  signatureBits: number,
): { readonly keyBits: number; readonly signatureBits: number } | Refused {
  let keyBits = bits;
  switch (keyType) {
    case 'rsa':
      keyBits ||= 2048;
      if (keyBits < 2048)
        return new Refused(`RSA keys < 2048 bits are unsafe and not supported: got ${keyBits}`);
      if (!RSA_BITS.includes(keyBits)) return new Refused(`unsupported bit length for RSA key: ${keyBits}`);
      if (![0, 256, 384, 512].includes(signatureBits))
        return new Refused(`unsupported hash signature algorithm: ${signatureBits}`);
      return { keyBits, signatureBits: signatureBits || 256 };
    case 'ec':
      keyBits ||= 256;
      return EC_BITS.includes(keyBits)
        ? { keyBits, signatureBits }
        : new Refused(`unsupported bit length for EC key: ${keyBits}`);
    case 'ed25519':
    case 'any':
      return { keyBits, signatureBits: 0 };
    default:
      return new Refused(`unknown key type ${keyType}`);
  }
}
