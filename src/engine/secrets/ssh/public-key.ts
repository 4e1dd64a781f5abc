import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { concat, fromBase64, toBase64, toHex } from '../../../lib/bytes.ts';
import { fromBase64url, toBase64url, unsigned } from './base64url.ts';
import { mpint, Reader, string, WireInvalid } from './wire.ts';

/** A public key as SSH has it: its type, and the bytes that begin with it. */
export interface SshPublicKey {
  readonly type: string;
  readonly blob: Uint8Array;
  /** `rsa`, `ec`, `ed25519` or `other`. */
  readonly kind: 'rsa' | 'ec' | 'ed25519' | 'other';
  /** Of the modulus or the curve; 0 for others. */
  readonly bits: number;
}

const CURVES: Readonly<Record<string, { readonly crv: string; readonly bits: number }>> = {
  nistp256: { crv: 'P-256', bits: 256 },
  nistp384: { crv: 'P-384', bits: 384 },
  nistp521: { crv: 'P-521', bits: 521 },
};

/** Reads `type base64 comment`, or the base64 alone. @returns undefined for what is no key that can be signed */
export function parsePublicKey(line: string): SshPublicKey | undefined {
  const parts = line.trim().split(/\s+/);
  const encoded = (parts.length > 1 ? parts[1] : parts[0]) ?? '';
  const blob = fromBase64(encoded);
  if (blob === undefined || blob.length === 0) return undefined;
  try {
    return describe(blob);
  } catch (error) {
    if (error instanceof WireInvalid) return undefined;
    throw error;
  }
}

function describe(blob: Uint8Array): SshPublicKey | undefined {
  const reader = new Reader(blob);
  const type = reader.text();
  switch (type) {
    case 'ssh-rsa': {
      const e = reader.bytes();
      const n = reader.bytes();
      const key = importable({ kty: 'RSA', e: toBase64url(unsigned(e)), n: toBase64url(unsigned(n)) });
      return key === undefined || reader.rest.length > 0
        ? undefined
        : { type, blob, kind: 'rsa', bits: bitLength(n) };
    }
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521': {
      const curve = CURVES[reader.text()];
      const point = reader.bytes();
      if (curve === undefined || !type.endsWith(`${curve.bits}`) || reader.rest.length > 0) return undefined;
      const half = (point.length - 1) / 2;
      const x = toBase64url(point.subarray(1, 1 + half));
      const key = importable({ kty: 'EC', crv: curve.crv, x, y: toBase64url(point.subarray(1 + half)) });
      return point[0] !== 4 || key === undefined ? undefined : { type, blob, kind: 'ec', bits: curve.bits };
    }
    case 'ssh-ed25519':
      return reader.bytes().length === 32 && reader.rest.length === 0
        ? { type, blob, kind: 'ed25519', bits: 0 }
        : undefined;
    case 'sk-ssh-ed25519@openssh.com':
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return { type, blob, kind: 'other', bits: 0 };
    default:
      return undefined;
  }
}

/** The SSH form of a key. @returns undefined for a kind that SSH has no name for */
export function sshPublicKey(key: KeyObject): SshPublicKey | undefined {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const part = (text: string | undefined): Uint8Array => fromBase64url(text ?? '');
  if (jwk.kty === 'RSA') {
    const n = part(jwk.n);
    const blob = concat(string('ssh-rsa'), mpint(part(jwk.e)), mpint(n));
    return { type: 'ssh-rsa', blob, kind: 'rsa', bits: bitLength(n) };
  }
  if (jwk.kty === 'EC') {
    const found = Object.entries(CURVES).find(([, { crv }]) => crv === jwk.crv);
    if (found === undefined) return undefined;
    const [name, { bits }] = found;
    const type = `ecdsa-sha2-${name}`;
    const point = concat(new Uint8Array([4]), part(jwk.x), part(jwk.y));
    return { type, blob: concat(string(type), string(name), string(point)), kind: 'ec', bits };
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519')
    return {
      type: 'ssh-ed25519',
      blob: concat(string('ssh-ed25519'), string(part(jwk.x))),
      kind: 'ed25519',
      bits: 0,
    };
  return undefined;
}

/** `type base64` and the end of the line. */
export function authorizedKey(type: string, blob: Uint8Array): string {
  return `${type} ${toBase64(blob)}\n`;
}

/** SHA-256 of the key, in hex. */
export function keyHash(key: SshPublicKey): string {
  return toHex(createHash('sha256').update(key.blob).digest());
}

function importable(jwk: Record<string, string>): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function bitLength(bytes: Uint8Array): number {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24);
}
