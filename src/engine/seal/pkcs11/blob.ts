import { equalBytes, fromBase64, text, toBase64, utf8 } from '../../../lib/bytes.ts';
import type { SealContext } from '../seal.ts';
import { HsmError } from './errors.ts';
import { isMechanismName, isOaepHash } from './mechanism.ts';
import { isObject } from './message.ts';
import type { Sealed } from './protocol.ts';
import { decodeVaultBlob } from './vault-blob.ts';

/**
 * A sealed value as it is stored: one JSON object in canonical form, so that a person can read which key it
 * needs. `version` 1:
 *
 *     {"version":1,"seal":"pkcs11","mechanism":…,"oaep_hash":…,"key_label":…,"key_id":…,"check_value":…,"iv":…,"ciphertext":…}
 *
 * `oaep_hash` only for RSA; `key_id` and `check_value` hex; `iv` and `ciphertext` base64. The GCM tag is the
 * last 16 bytes of the ciphertext. Only one spelling of a value is accepted: its own encoding. Values of Vault
 * Enterprise are read as well (vault-blob.ts), and never written.
 */
const VERSION = 1;

export function encodeBlob(sealed: Sealed): Uint8Array {
  return utf8(
    JSON.stringify({
      version: VERSION,
      seal: 'pkcs11',
      mechanism: sealed.mechanism,
      ...(sealed.oaepHash === undefined ? {} : { oaep_hash: sealed.oaepHash }),
      key_label: sealed.keyLabel,
      key_id: sealed.keyId,
      check_value: sealed.checkValue,
      iv: toBase64(sealed.iv),
      ciphertext: toBase64(sealed.ciphertext),
    }),
  );
}

/** @throws ERR_SEAL_BLOB */
export function decodeBlob(blob: Uint8Array): Sealed {
  const foreign = decodeVaultBlob(blob);
  if (foreign !== undefined) return foreign;
  const sealed = readBlob(blob);
  if (sealed === undefined || !equalBytes(encodeBlob(sealed), blob)) {
    throw new HsmError('ERR_SEAL_BLOB', {
      hint: 'it is malformed, or was made by another seal or a later version',
    });
  }
  return sealed;
}

/** Whether bytes are a sealed value of this seal at all. */
export function isBlob(blob: Uint8Array): boolean {
  return readBlob(blob) !== undefined;
}

function readBlob(blob: Uint8Array): Sealed | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text(blob));
  } catch {
    return undefined;
  }
  if (!isObject(value) || value['version'] !== VERSION || value['seal'] !== 'pkcs11') return undefined;
  const {
    mechanism,
    oaep_hash: oaepHash,
    key_label: keyLabel,
    key_id: keyId,
    check_value: checkValue,
  } = value;
  if (!isMechanismName(mechanism) || (oaepHash !== undefined && !isOaepHash(oaepHash))) return undefined;
  if ((mechanism === 'CKM_RSA_PKCS_OAEP') !== (oaepHash !== undefined)) return undefined;
  if (typeof keyLabel !== 'string' || !isHex(keyId) || !isHex(checkValue)) return undefined;
  const iv = bytesOf(value['iv']);
  const ciphertext = bytesOf(value['ciphertext']);
  if (iv === undefined || ciphertext === undefined) return undefined;
  return {
    mechanism,
    ...(oaepHash === undefined ? {} : { oaepHash }),
    keyLabel,
    keyId,
    checkValue,
    iv,
    ciphertext,
  };
}

/** What a blob is bound to: the GCM's additional data, or (by its SHA-256) the head of what OAEP encrypts. */
export function contextBytes(context: SealContext): Uint8Array {
  return utf8(JSON.stringify(['sealedvault seal', VERSION, context.clusterId, context.purpose]));
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-f]{2})*$/.test(value);
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? fromBase64(value) : undefined;
}
