import { type KeyObject, sign } from 'node:crypto';
import { concat } from '../../../lib/bytes.ts';
import type { SshPublicKey } from './public-key.ts';
import { mpint, string, uint32, uint64 } from './wire.ts';

/** What a certificate says (PROTOCOL.certkeys of OpenSSH); times are seconds since the epoch. */
export interface CertificateContents {
  readonly key: SshPublicKey;
  readonly serial: bigint;
  readonly type: 'user' | 'host';
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly validAfter: number;
  readonly validBefore: number;
  readonly criticalOptions: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, string>>;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
}

/** Who signs. */
export interface Signer {
  readonly key: KeyObject;
  readonly publicKey: SshPublicKey;
  /** `ssh-rsa`, `rsa-sha2-256` or `rsa-sha2-512`; only for RSA keys. `default` is rsa-sha2-256. */
  readonly algorithm: string;
}

const RSA_HASHES: Readonly<Record<string, string>> = {
  'ssh-rsa': 'sha1',
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
};

/** @returns the type and the bytes of a signed certificate; undefined when the signer cannot use the algorithm */
export function signCertificate(
  contents: CertificateContents,
  signer: Signer,
): { readonly type: string; readonly blob: Uint8Array } | undefined {
  const { key } = contents;
  const type = `${key.type.replace(/@openssh\.com$/, '')}-cert-v01@openssh.com`;
  // What is behind the name of the key's type is the same in the certificate.
  const fields = key.blob.subarray(4 + key.type.length);
  const body = concat(
    string(type),
    string(contents.nonce),
    fields,
    uint64(contents.serial),
    uint32(contents.type === 'user' ? 1 : 2),
    string(contents.keyId),
    string(concat(...contents.principals.map((name) => string(name)))),
    uint64(BigInt(contents.validAfter)),
    uint64(BigInt(contents.validBefore)),
    string(options(contents.criticalOptions)),
    string(options(contents.extensions)),
    string(''),
    string(signer.publicKey.blob),
  );
  const signature = signatureOf(body, signer);
  return signature === undefined ? undefined : { type, blob: concat(body, string(signature)) };
}

// In the order of their names; a value is a string within a string, a flag an empty one.
function options(values: Readonly<Record<string, string>>): Uint8Array {
  const names = Object.keys(values).toSorted((a, b) => (a < b ? -1 : 1));
  return concat(
    ...names.map((name) => {
      const value = values[name] ?? '';
      return concat(string(name), string(value === '' ? '' : string(value)));
    }),
  );
}

function signatureOf(body: Uint8Array, { key, publicKey, algorithm }: Signer): Uint8Array | undefined {
  if (publicKey.kind === 'rsa') {
    const name = algorithm === 'default' ? 'rsa-sha2-256' : algorithm;
    const hash = RSA_HASHES[name];
    return hash === undefined ? undefined : concat(string(name), string(sign(hash, body, key)));
  }
  if (algorithm !== 'default' && algorithm !== publicKey.type) return undefined;
  if (publicKey.kind === 'ed25519') return concat(string(publicKey.type), string(sign(null, body, key)));
  const hash = { 256: 'sha256', 384: 'sha384', 521: 'sha512' }[publicKey.bits];
  if (publicKey.kind !== 'ec' || hash === undefined) return undefined;
  const raw = sign(hash, body, { key, dsaEncoding: 'ieee-p1363' });
  const half = raw.length / 2;
  const pair = concat(mpint(raw.subarray(0, half)), mpint(raw.subarray(half)));
  return concat(string(publicKey.type), string(pair));
}
