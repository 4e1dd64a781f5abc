/** What the OpenPGP library says of a key; RSA has bits, the older elliptic algorithms a curve. */
export interface KeyAlgorithm {
  readonly algorithm: string;
  readonly bits?: number;
  readonly curve?: string;
}

const MIN_RSA_BITS = 2048;

const RSA: readonly string[] = ['rsaEncryptSign', 'rsaEncrypt', 'rsaSign'];

const ELLIPTIC: readonly string[] = [
  'ecdh',
  'ecdsa',
  'eddsaLegacy',
  'eddsa',
  'x25519',
  'x448',
  'ed25519',
  'ed448',
];

/** secp256k1 is left out, as the library does: it is made for another purpose and rarely reviewed for this one. */
const CURVES: readonly string[] = [
  'nistP256',
  'nistP384',
  'nistP521',
  'curve25519Legacy',
  'ed25519Legacy',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
];

/**
 * Which public-key algorithms may guard a share.
 *
 * @returns what is wrong with an algorithm, as the end of a sentence "the key is …", or undefined when it is allowed
 */
export function refuseAlgorithm(info: KeyAlgorithm): string | undefined {
  if (RSA.includes(info.algorithm)) {
    return (info.bits ?? 0) >= MIN_RSA_BITS ? undefined : 'RSA with fewer than 2048 bits';
  }
  if (!ELLIPTIC.includes(info.algorithm))
    return 'of an algorithm that is not accepted (RSA or an elliptic curve is)';
  if (info.curve !== undefined && !CURVES.includes(info.curve)) return 'on a curve that is not accepted';
  return undefined;
}
