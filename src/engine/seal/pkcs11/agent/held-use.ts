import { RsaOaepParams, RsaPssParams } from 'graphene-pk11';
import type { Handle, Mechanism, PKCS11 } from 'pkcs11js';
import { concat, fromHex, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { HeldKeyOrder } from '../held-key.ts';
import { MECHANISM_NUMBERS, OAEP_NUMBERS, type OaepHash } from '../mechanism.ts';
import { CKM } from './cryptoki.ts';
import { faultOf } from './fault.ts';
import type { HeldPair } from './held-pair.ts';

type SignOrder = Extract<HeldKeyOrder, { readonly op: 'sign' }>;

/** What stands before a digest in PKCS #1 v1.5 (RFC 8017 §9.2, note 1). */
const DIGEST_INFO: Readonly<Record<OaepHash, string>> = {
  sha1: '3021300906052b0e03021a05000414',
  sha224: '302d300d06096086480165030402040500041c',
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

/**
 * Signs a digest by the private key.
 * @returns of ECDSA r and s, each of the curve's length (PKCS#11 v2.40 §2.3.1)
 * @throws ERR_HSM_KEY_UNUSABLE, ERR_HSM_MECHANISM, ERR_HSM_OPERATION
 */
export function signWith(
  lib: PKCS11,
  session: Handle,
  pair: HeldPair,
  { scheme, hash, saltLength }: SignOrder,
  digest: Uint8Array,
): Uint8Array {
  if ((scheme === 'ecdsa') !== (pair.keyType === 'ec'))
    throw new HsmError('ERR_HSM_KEY_UNUSABLE', { hint: 'its type does not fit the signature asked for' });
  const { hash: number, mgf } = OAEP_NUMBERS[hash];
  const mechanisms: Readonly<Record<SignOrder['scheme'], () => Mechanism>> = {
    ecdsa: () => ({ mechanism: CKM.ECDSA }),
    pkcs1: () => ({ mechanism: CKM.RSA_PKCS }),
    pss: () => ({
      mechanism: CKM.RSA_PKCS_PSS,
      parameter: new RsaPssParams(number, mgf, saltLength).toCKI(),
    }),
  };
  const input = scheme === 'pkcs1' ? concat(fromHex(DIGEST_INFO[hash]) ?? new Uint8Array(), digest) : digest;
  try {
    lib.C_SignInit(session, mechanisms[scheme](), pair.privateHandle);
    return lib.C_Sign(session, view(input), Buffer.alloc(pair.signatureLength));
  } catch (error) {
    throw faultOf(error, 'sign');
  }
}

/** Opens what RSA-OAEP encrypted for the key. @throws ERR_SEAL_BLOB for what is no such ciphertext; as signWith */
export function decryptWith(
  lib: PKCS11,
  session: Handle,
  pair: HeldPair,
  hash: OaepHash,
  ciphertext: Uint8Array,
): Uint8Array {
  const { hash: number, mgf } = OAEP_NUMBERS[hash];
  try {
    const parameter = new RsaOaepParams(number, mgf).toCKI();
    lib.C_DecryptInit(
      session,
      { mechanism: MECHANISM_NUMBERS.CKM_RSA_PKCS_OAEP, parameter },
      pair.privateHandle,
    );
    return lib.C_Decrypt(session, view(ciphertext), Buffer.alloc(pair.signatureLength));
  } catch (error) {
    throw faultOf(error, 'decrypt');
  }
}
