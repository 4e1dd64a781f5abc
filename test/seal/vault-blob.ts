import { createCipheriv, createHmac, randomBytes } from 'node:crypto';

/** A value as Vault Enterprise seals it with CKM_AES_CBC_PAD and CKM_SHA256_HMAC, made outside of any HSM. */
export function vaultBlob(
  {
    aes,
    hmac,
    plaintext,
  }: { readonly aes: Uint8Array; readonly hmac: Uint8Array; readonly plaintext: Uint8Array },
  more: { iv?: Uint8Array; keyId?: string; hmacKeyId?: string; plaintext?: Uint8Array } = {},
): Uint8Array {
  const iv = more.iv ?? randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', aes, iv);
  const ciphertext = Buffer.concat([cipher.update(more.plaintext ?? plaintext), cipher.final()]);
  const mac = createHmac('sha256', hmac).update(iv).update(ciphertext).digest();
  const keyInfo = Buffer.concat([
    field(1, 0x1085),
    field(2, 0x251),
    field(3, Buffer.from(more.keyId ?? 'vault')),
    field(4, Buffer.from(more.hmacKeyId ?? 'vault-hmac')),
  ]);
  return Buffer.concat([field(1, ciphertext), field(2, iv), field(3, mac), field(5, keyInfo)]);
}

/** A field of a protobuf message. */
function field(number: number, value: number | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  return Buffer.concat([varint((number << 3) | 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
