import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { view } from '../../../lib/bytes.ts';
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509';

/** PrivateKeyInfo (RFC 5208 §5), as far as it is needed. */
class PrivateKeyInfo {
  version = 0;
  algorithm: AlgorithmIdentifier = new AlgorithmIdentifier();
  key: OctetString = new OctetString();
}
AsnType({ type: AsnTypeTypes.Sequence })(PrivateKeyInfo);
AsnProp({ type: AsnPropTypes.Integer })(PrivateKeyInfo.prototype, 'version');
AsnProp({ type: AlgorithmIdentifier })(PrivateKeyInfo.prototype, 'algorithm');
AsnProp({ type: OctetString })(PrivateKeyInfo.prototype, 'key');

/**
 * An RSA key that is marked for PSS (id-RSASSA-PSS, RFC 4055) as a plain one, as Vault imports it: what it may be used for is
 * decided by each request. Other keys are returned as they are.
 */
export function plainRsa(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'rsa-pss') return key;
  if (key.type === 'public') {
    const { subjectPublicKey } = AsnConvert.parse(
      key.export({ type: 'spki', format: 'der' }),
      SubjectPublicKeyInfo,
    );
    return createPublicKey({ key: view(new Uint8Array(subjectPublicKey)), format: 'der', type: 'pkcs1' });
  }
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const inner = new Uint8Array(AsnConvert.parse(der, PrivateKeyInfo).key.buffer);
  try {
    return createPrivateKey({ key: view(inner), format: 'der', type: 'pkcs1' });
  } finally {
    der.fill(0);
    inner.fill(0);
  }
}
