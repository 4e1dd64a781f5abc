import { generateRsaKey } from '../../../lib/rsa-key.ts';
import { createPrivateKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { concat, fromBase64, fromHex, toBase64, toHex, utf8, view } from '../../../lib/bytes.ts';
import type { Random } from '../../../lib/random.ts';
import { fromBase64url, toBase64url, unsigned } from './base64url.ts';
import { sshPublicKey } from './public-key.ts';
import { Reader, string, uint32, WireInvalid } from './wire.ts';

const generate = promisify(generateKeyPair);
const MAGIC = 'openssh-key-v1\0';
const CURVES: Readonly<Record<string, string>> = {
  nistp256: 'P-256',
  nistp384: 'P-384',
  nistp521: 'P-521',
};

/**
 * Makes a private key: RSA and ECDSA as the PEM of their own standards, Ed25519 in OpenSSH's container.
 * @param type an algorithm (`rsa`, `ec`, `ed25519`) or the name of a key type
 * @param bits 0 for the usual. @returns what is wrong with the request
 */
export async function generatePrivateKey(
  type: string,
  bits: number,
  random: Pick<Random, 'bytes'>,
): Promise<{ readonly pem: string; readonly key: KeyObject } | { readonly refused: string }> {
  switch (type) {
    case 'rsa':
    case 'ssh-rsa': {
      const length = bits === 0 ? 4096 : bits;
      if (length < 2048)
        return { refused: `refusing to generate weak ${type} key: ${length} bits < 2048 bits` };
      if (length > 8192) return { refused: `refusing to generate ${type} key of more than 8192 bits` };
      const { privateKey } = await generateRsaKey(length);
      return { key: privateKey, pem: pem(privateKey.export({ format: 'pem', type: 'pkcs1' })) };
    }
    case 'ec':
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521': {
      const size = type === 'ec' ? bits || 256 : Number(type.slice(-3));
      const namedCurve = CURVES[`nistp${size}`];
      if (namedCurve === undefined)
        return { refused: `unknown ECDSA key pair algorithm and bits: ${type} / ${bits}` };
      const { privateKey } = await generate('ec', { namedCurve });
      return { key: privateKey, pem: pem(privateKey.export({ format: 'pem', type: 'sec1' })) };
    }
    case 'ed25519':
    case 'ssh-ed25519': {
      const { privateKey } = await generate('ed25519');
      return { key: privateKey, pem: opensshEd25519(privateKey, random) };
    }
    default:
      return { refused: `unknown ssh key pair algorithm: ${type}` };
  }
}

/** Reads an unencrypted private key: PKCS #1, PKCS #8, SEC 1, or OpenSSH's container. @returns undefined for others */
export function parsePrivateKey(text: string): KeyObject | undefined {
  const openssh = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END OPENSSH PRIVATE KEY-----/.exec(text);
  try {
    if (openssh === null) return createPrivateKey(text);
    const bytes = fromBase64((openssh[1] ?? '').replaceAll(/\s/g, ''));
    return bytes === undefined ? undefined : fromOpenssh(bytes);
  } catch {
    return undefined;
  }
}

// PROTOCOL.key of OpenSSH: a header, the public keys, and (here, unencrypted) the private ones.
function fromOpenssh(bytes: Uint8Array): KeyObject | undefined {
  const reader = new Reader(bytes);
  if (view(reader.take(MAGIC.length)).toString('latin1') !== MAGIC) return undefined;
  const cipher = reader.text();
  reader.bytes();
  reader.bytes();
  if (cipher !== 'none' || reader.uint32() !== 1) return undefined;
  reader.bytes();
  const inner = new Reader(reader.bytes());
  if (inner.uint32() !== inner.uint32()) return undefined;
  const jwk = privateJwk(inner.text(), inner);
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

function privateJwk(type: string, inner: Reader): JsonWebKey {
  if (type === 'ssh-ed25519') {
    const x = toBase64url(inner.bytes());
    return { kty: 'OKP', crv: 'Ed25519', x, d: toBase64url(inner.bytes().subarray(0, 32)) };
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = [1, 2, 3, 4, 5, 6].map(() => unsigned(inner.bytes()));
    if (!n || !e || !d || !qi || !p || !q) throw new WireInvalid('the key data end too early');
    return {
      kty: 'RSA',
      n: toBase64url(n),
      e: toBase64url(e),
      d: toBase64url(d),
      p: toBase64url(p),
      q: toBase64url(q),
      dp: toBase64url(modulo(d, p)),
      dq: toBase64url(modulo(d, q)),
      qi: toBase64url(qi),
    };
  }
  const crv = CURVES[inner.text()];
  if (crv === undefined) throw new WireInvalid('the type of the key is unknown');
  const point = inner.bytes();
  const half = (point.length - 1) / 2;
  const d = unsigned(inner.bytes());
  return {
    kty: 'EC',
    crv,
    x: toBase64url(point.subarray(1, 1 + half)),
    y: toBase64url(point.subarray(1 + half)),
    d: toBase64url(concat(new Uint8Array(Math.max(half - d.length, 0)), d)),
  };
}

function opensshEd25519(key: KeyObject, random: Pick<Random, 'bytes'>): string {
  const publicKey = sshPublicKey(key);
  const { d = '' } = key.export({ format: 'jwk' });
  if (publicKey === undefined) throw new TypeError('an Ed25519 key has no public half');
  const raw = publicKey.blob.subarray(publicKey.blob.length - 32);
  const seed = fromBase64url(d);
  const check = random.bytes(4);
  const plain = concat(
    check,
    check,
    string('ssh-ed25519'),
    string(raw),
    string(concat(seed, raw)),
    string(''),
  );
  const padding = new Uint8Array((8 - (plain.length % 8)) % 8).map((_byte, index) => index + 1);
  const container = concat(
    utf8(MAGIC),
    string('none'),
    string('none'),
    string(''),
    uint32(1),
    string(publicKey.blob),
    string(concat(plain, padding)),
  );
  const lines = toBase64(container).match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function pem(exported: string | Uint8Array): string {
  if (typeof exported !== 'string') throw new TypeError('a PEM is text');
  return exported;
}

function modulo(d: Uint8Array, prime: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes)}`);
  const hex = (number(d) % (number(prime) - 1n)).toString(16);
  return fromHex(hex.padStart(hex.length + (hex.length % 2), '0')) ?? new Uint8Array();
}
