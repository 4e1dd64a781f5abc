import { firstPem } from './pem.ts';
import { Refused } from './refused.ts';
import type { Role } from './role.ts';
import { shapeOf } from './x509/keys.ts';
import { readRequest, type SigningRequest } from './x509/request.ts';

/** Some thousand names: each is read, judged and written. */
const MAX_CSR = 262_144;

/** A signing request that was sent, with a key that a role takes and that signed it. */
export function readCsr(pem: string, role: Pick<Role, 'key_type' | 'key_bits'>): SigningRequest | Refused {
  if (pem === '') return new Refused('"csr" is empty');
  if (pem.length > MAX_CSR) return new Refused(`csr is longer than ${MAX_CSR} characters`);
  const block = firstPem(pem);
  if (block === undefined) return new Refused('csr contains no data');
  const csr = readRequest(block.der);
  if (csr === undefined) return new Refused('certificate request could not be parsed: asn1: structure error');
  if (csr.publicKey === undefined) {
    return new Refused(
      'Refusing to sign CSR with empty PublicKey. This usually means the SubjectPublicKeyInfo field has an OID not recognized by Go, such as 1.2.840.113549.1.1.10 for rsaPSS.',
    );
  }
  const shape = shapeOf(csr.publicKey);
  if (role.key_type !== 'any' && shape?.keyType !== role.key_type)
    return new Refused(`role requires keys of type ${role.key_type}`);
  const bits = shape?.keyBits ?? 0;
  if (role.key_type === 'any') {
    if (shape?.keyType === 'rsa' && bits < 2048)
      return new Refused('RSA keys < 2048 bits are unsafe and not supported');
  } else if (shape?.keyType !== 'ed25519' && bits < role.key_bits) {
    return new Refused(
      `role requires a minimum of a ${role.key_bits}-bit key, but CSR's key is ${bits} bits`,
    );
  }
  return csr.isSigned ? csr : new Refused('request signature invalid');
}
