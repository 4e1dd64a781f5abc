import { fromBase64, text } from '../../../lib/bytes.ts';
import type { Sealed } from './protocol.ts';

/**
 * Values that Vault Enterprise sealed with CKM_AES_CBC_PAD and CKM_SHA256_HMAC, to be read and never written. They are a
 * protobuf message of the open go-kms-wrapping library (`types.proto`):
 *
 *     BlobInfo { ciphertext = 1, iv = 2, hmac = 3, key_info = 5 { mechanism = 1, hmac_mechanism = 2, key_id = 3, hmac_key_id = 4 } }
 *
 * A key id is a label, or label and hex id with a colon between. The HMAC is over IV and ciphertext.
 */
const CKM_AES_CBC_PAD = 0x1085;
const CKM_SHA256_HMAC = 0x251;
const IV_LENGTH = 16;
const HMAC_LENGTH = 32;

type Fields = ReadonlyMap<number, bigint | Uint8Array>;

/** @returns undefined for whatever is no such value */
export function decodeVaultBlob(blob: Uint8Array): Sealed | undefined {
  const fields = readFields(blob);
  const keyInfo = fields && readFields(bytesAt(fields, 5));
  if (fields === undefined || keyInfo === undefined) return undefined;
  const [ciphertext, iv, hmac] = [bytesAt(fields, 1), bytesAt(fields, 2), bytesAt(fields, 3)];
  if (numberAt(keyInfo, 1) !== CKM_AES_CBC_PAD || numberAt(keyInfo, 2, CKM_SHA256_HMAC) !== CKM_SHA256_HMAC)
    return undefined;
  if (iv.length !== IV_LENGTH || hmac.length !== HMAC_LENGTH) return undefined;
  if (ciphertext.length === 0 || ciphertext.length % IV_LENGTH !== 0) return undefined;
  const key = nameOf(bytesAt(keyInfo, 3));
  const hmacKey = nameOf(bytesAt(keyInfo, 4));
  return {
    mechanism: 'CKM_AES_CBC_PAD',
    keyLabel: key.label,
    keyId: key.id,
    checkValue: '',
    iv,
    ciphertext,
    hmac: { value: hmac, keyLabel: hmacKey.label, keyId: hmacKey.id },
  };
}

/** Vault seals keys as a JSON list of one base64 text. @returns the key, or what was given when it is no such list */
export function unpackVaultKey(plaintext: Uint8Array): Uint8Array {
  const found = /^\["([A-Za-z0-9+/]+={0,2})"\]$/.exec(text(plaintext));
  return fromBase64(found?.[1] ?? '\0') ?? plaintext;
}

function nameOf(bytes: Uint8Array): { readonly label: string; readonly id: string } {
  const whole = text(bytes);
  const found = /^(.*):((?:[0-9a-fA-F]{2})*)$/s.exec(whole);
  return { label: found?.[1] ?? whole, id: found?.[2]?.toLowerCase() ?? '' };
}

function bytesAt(fields: Fields, number: number): Uint8Array {
  const value = fields.get(number);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

function numberAt(fields: Fields, number: number, absent = 0): number {
  const value = fields.get(number);
  return typeof value === 'bigint' ? Number(value) : absent;
}

// Varints and byte strings are all that such a message has; a field twice is refused.
function readFields(bytes: Uint8Array): Fields | undefined {
  const fields = new Map<number, bigint | Uint8Array>();
  let offset = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      const byte = bytes[offset];
      if (byte === undefined) return undefined;
      offset += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (offset < bytes.length) {
    const tag = varint();
    const value = tag === undefined ? undefined : varint();
    if (tag === undefined || value === undefined) return undefined;
    const number = Number(tag >> 3n);
    if (number === 0 || fields.has(number)) return undefined;
    if ((tag & 7n) === 0n) fields.set(number, value);
    else if ((tag & 7n) === 2n && value <= BigInt(bytes.length - offset)) {
      fields.set(number, Uint8Array.from(bytes.subarray(offset, offset + Number(value))));
      offset += Number(value);
    } else return undefined;
  }
  return fields;
}
