import { createPublicKey, type JsonWebKeyInput } from 'node:crypto';
import type { Handle, PKCS11 } from 'pkcs11js';
import { text, toHex, view } from '../../../../lib/bytes.ts';
import { HsmError } from '../errors.ts';
import type { HeldKeyChoice, HeldKeyType } from '../held-key.ts';
import { CKA, CKK, CKO } from './cryptoki.ts';
import { attribute, describe, find } from './key.ts';

/** A key pair on the token. */
export interface HeldPair {
  readonly keyType: HeldKeyType;
  readonly privateHandle: Handle;
  readonly keyLabel: string;
  readonly keyId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Bytes of a signature: of the modulus, or of r and s together. */
  readonly signatureLength: number;
}

/** Curves by the hex of their OID in DER. */
export const CURVES: Readonly<
  Record<string, { readonly crv: string; readonly bytes: number; readonly bits: number }>
> = {
  '06082a8648ce3d030107': { crv: 'P-256', bytes: 32, bits: 256 },
  '06052b81040022': { crv: 'P-384', bytes: 48, bits: 384 },
  '06052b81040023': { crv: 'P-521', bytes: 66, bits: 521 },
};

/**
 * @returns undefined when there is no private key that fits
 * @throws ERR_HSM_KEY_AMBIGUOUS, ERR_HSM_KEY_UNUSABLE when its public key is not to be had, ERR_HSM_OPERATION
 */
export function findPair(lib: PKCS11, session: Handle, choice: HeldKeyChoice): HeldPair | undefined {
  const type = choice.keyType === 'ec' ? CKK.EC : CKK.RSA;
  const fitting = find(lib, session, CKO.PRIVATE_KEY, type, choice);
  const [privateHandle] = fitting;
  if (privateHandle === undefined) return undefined;
  if (fitting.length > 1) {
    throw new HsmError('ERR_HSM_KEY_AMBIGUOUS', {
      hint: `${describe(choice)} fits more than one private key: give key_label and key_id`,
    });
  }
  const bytes = (name: number): Uint8Array =>
    attribute(lib, session, privateHandle, name) ?? new Uint8Array();
  const keyLabel = text(bytes(CKA.LABEL));
  const keyId = toHex(bytes(CKA.ID));
  const [publicHandle] = find(lib, session, CKO.PUBLIC_KEY, type, keyId === '' ? { keyLabel } : { keyId });
  const read = (name: number): Uint8Array | undefined =>
    (publicHandle && attribute(lib, session, publicHandle, name)) ??
    attribute(lib, session, privateHandle, name);
  const described = choice.keyType === 'ec' ? ecKey(read) : rsaKey(read);
  if (described === undefined) {
    throw new HsmError('ERR_HSM_KEY_UNUSABLE', { hint: 'its public key cannot be read from the token' });
  }
  const spki = createPublicKey(described.input).export({ type: 'spki', format: 'der' });
  return { keyType: choice.keyType, privateHandle, keyLabel, keyId, spki, signatureLength: described.length };
}

interface Described {
  readonly input: JsonWebKeyInput;
  readonly length: number;
}

function rsaKey(read: (name: number) => Uint8Array | undefined): Described | undefined {
  const [n, e] = [read(CKA.MODULUS), read(CKA.PUBLIC_EXPONENT)];
  if (n === undefined || e === undefined || n.length === 0) return undefined;
  const start = n.findIndex((byte) => byte !== 0);
  const key = { kty: 'RSA', n: base64Url(n.subarray(start)), e: base64Url(e) };
  return { input: { key, format: 'jwk' }, length: n.length - start };
}

function ecKey(read: (name: number) => Uint8Array | undefined): Described | undefined {
  const curve = CURVES[toHex(read(CKA.EC_PARAMS) ?? new Uint8Array())];
  const stored = read(CKA.EC_POINT);
  if (curve === undefined || stored === undefined) return undefined;
  // An OCTET STRING around the point, as PKCS#11 wants it; some libraries leave it out.
  const point = stored.subarray(stored.length - 2 * curve.bytes - 1);
  if (point[0] !== 4) return undefined;
  const x = base64Url(point.subarray(1, 1 + curve.bytes));
  const y = base64Url(point.subarray(1 + curve.bytes));
  return { input: { key: { kty: 'EC', crv: curve.crv, x, y }, format: 'jwk' }, length: 2 * curve.bytes };
}

function base64Url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url');
}
