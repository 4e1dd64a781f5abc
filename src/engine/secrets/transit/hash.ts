/** Hash functions by the names of the API, with OpenSSL's name and the length of the digest. */
export interface HashFunction {
  readonly name: string;
  readonly bytes: number;
  /** The DER that stands before a digest in a PKCS #1 v1.5 signature (RFC 8017 §9.2), in hex. */
  readonly prefix: string;
}

const hashes: Readonly<Record<string, HashFunction>> = {
  sha1: { name: 'sha1', bytes: 20, prefix: '3021300906052b0e03021a05000414' },
  'sha2-224': { name: 'sha224', bytes: 28, prefix: nist(4, 28) },
  'sha2-256': { name: 'sha256', bytes: 32, prefix: nist(1, 32) },
  'sha2-384': { name: 'sha384', bytes: 48, prefix: nist(2, 48) },
  'sha2-512': { name: 'sha512', bytes: 64, prefix: nist(3, 64) },
  'sha3-224': { name: 'sha3-224', bytes: 28, prefix: nist(7, 28) },
  'sha3-256': { name: 'sha3-256', bytes: 32, prefix: nist(8, 32) },
  'sha3-384': { name: 'sha3-384', bytes: 48, prefix: nist(9, 48) },
  'sha3-512': { name: 'sha3-512', bytes: 64, prefix: nist(10, 64) },
};

// DigestInfo with an algorithm below 2.16.840.1.101.3.4.2 and a NULL parameter.
function nist(arc: number, bytes: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `30${hex(17 + bytes)}300d06096086480165030402${hex(arc)}050004${hex(bytes)}`;
}

export const DEFAULT_HASH = 'sha2-256';

/** @returns the hash function of a name, or undefined for one that is not served */
export function hashFunction(name: string): HashFunction | undefined {
  return Object.hasOwn(hashes, name) ? hashes[name] : undefined;
}
